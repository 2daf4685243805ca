"""What will be recorded: how many of what, of which size, and what is known of it beforehand."""

import json
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, PositiveInt, SerializeAsAny, ValidationInfo, field_validator, model_validator

from rdl_live.optics._base import Description
from rdl_live.optics.geometry import UnitGeometry
from rdl_live.optics.microscope import Name, WavelengthNm
from rdl_live.optics.modality_kinds import DEFAULT, MODALITIES, geometry_of

Pixels = Annotated[int, Field(ge=1, le=65536)]
MAX_BLOCK_BYTES = 2**31 - 2**16
"""The compressor takes no more at a time."""
MAX_IMAGES = 20_000
MAX_TIME_POINTS = 10**9
MAX_HOLES = 10**6
"""Time points of one image that never came; what says more is no recording, but would fill the memory."""
RawType = Literal["uint8", "uint16", "uint32", "int16", "int32", "float32"]


class ChannelInfo(Description):
    """What a recording says of one colour."""

    name: Name
    excitation_nm: WavelengthNm | None = None
    emission_nm: WavelengthNm | None = None


class ImageAddress(NamedTuple):
    """Which of the images of a recording: one for each position, channel and plane."""

    position: int = 0
    channel: int = 0
    z: int = 0


class StreamLayout(Description):
    """What recordings of raw series and of super-resolved images have in common."""

    kind: ClassVar[str] = "stream"

    frame: tuple[Pixels, Pixels]
    """Frame (Y, X) [pixels]."""
    pixel_size_um: Annotated[float, Field(gt=0, lt=100)]
    """Pixel of these frames in the sample plane [um]."""
    time_points: Annotated[int, Field(ge=1, le=MAX_TIME_POINTS)] | None = None
    """Planned time points; None: until it is stopped."""
    channels: Annotated[tuple[ChannelInfo, ...], Field(min_length=1)] = (ChannelInfo(name="channel 0"),)
    positions: PositiveInt = 1
    z_planes: PositiveInt = 1
    z_step_um: Annotated[float, Field(gt=0)] | None = None
    interval_s: Annotated[float, Field(gt=0)] | None = None
    """From one time point to the next [s], where planned."""
    dtype: RawType = "uint16"
    compression: Literal["lz4", "zstd", "none"] = "lz4"
    """lz4 is fastest; zstd stores less for a third more computing."""
    provenance: dict[str, Any] = Field(default_factory=dict)
    """How the recording was made: anything that JSON holds, NumPy arrays too."""

    @field_validator("channels", mode="before")
    @classmethod
    def _plain_names(cls, channels: object) -> object:
        if not isinstance(channels, list | tuple):
            return channels
        return tuple({"name": c} if isinstance(c, str) else c for c in channels)

    @field_validator("provenance", mode="after")
    @classmethod
    def _plain_json(cls, provenance: dict[str, Any]) -> dict[str, Any]:
        plain: dict[str, Any] = json.loads(json.dumps(provenance, default=to_json))
        return plain

    @model_validator(mode="after")
    def _of_believable_size(self) -> Self:
        if self.block_bytes > MAX_BLOCK_BYTES:
            raise ValueError(
                f"a series of {self.slots} frames of {self.frame[0]} x {self.frame[1]} pixels has {self.block_bytes} "
                f"bytes, more than the {MAX_BLOCK_BYTES} that can be recorded at a time; choose a smaller region"
            )
        count = self.positions * self.z_planes * len(self.channels)
        if count > MAX_IMAGES:
            raise ValueError(f"{count} positions, planes and channels are more than the {MAX_IMAGES} of a recording")
        return self

    @property
    def inner(self) -> tuple[tuple[str, int], ...]:
        """Axes within one time point, slowest first, with their sizes."""
        return ()

    @property
    def block_shape(self) -> tuple[int, ...]:
        """Shape of what one time point of one image holds: inner axes, Y, X."""
        return (*(size for _, size in self.inner), *self.frame)

    @property
    def slots(self) -> int:
        """Frames in one block."""
        return int(np.prod([size for _, size in self.inner], dtype=int))

    @property
    def axes(self) -> tuple[str, ...]:
        """Axis names of each array, as stored."""
        return ("t", *(name for name, _ in self.inner), "y", "x")

    @property
    def block_bytes(self) -> int:
        """Size of one block in memory."""
        return int(np.prod(self.block_shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    @property
    def places(self) -> tuple[str, ...]:
        """Names of the stage positions: the plan's, where each has its own that is no number; else numbers from 0."""
        plan = self.provenance.get("plan")
        listed = plan.get("positions") if isinstance(plan, dict) else None
        named = [str(one.get("name", "")) for one in listed or () if isinstance(one, dict)]
        if len(named) == self.positions == len(set(named)) and all(one and not one.isdecimal() for one in named):
            return tuple(named)
        return tuple(str(number) for number in range(self.positions))

    @cached_property
    def images(self) -> tuple[ImageAddress, ...]:
        """Addresses of all images, channel by channel within a plane and position."""
        return tuple(
            ImageAddress(p, c, z)
            for p in range(self.positions)
            for z in range(self.z_planes)
            for c in range(len(self.channels))
        )

    def folder(self, image: ImageAddress) -> str:
        """Return the folder of an image within the recording; "" if it is the only one."""
        return "" if len(self.images) == 1 else f"p{image.position}_c{image.channel}_z{image.z}"

    def chunk(self, image: ImageAddress, time: int) -> str:
        """Return the file of one block within the recording, with "/" between folders."""
        zeros = "/".join("0" for _ in self.block_shape)
        return "/".join(part for part in (self.folder(image), "0/c", str(time), zeros) if part)


class RecordingLayout(StreamLayout):
    """Raw series: an array (t, angle, phase, y, x) for each position, channel and plane."""

    kind: ClassVar[str] = "raw"
    modality: Name = DEFAULT
    """See `Microscope`; recordings say nothing where it is the default."""
    pattern: SerializeAsAny[UnitGeometry] = Field(default_factory=dict)  # type: ignore[assignment]  # see below
    """The frames of a unit."""

    @field_validator("pattern", mode="plain")
    @classmethod
    def _of_its_modality(cls, content: object, info: ValidationInfo) -> UnitGeometry:
        name = info.data.get("modality", DEFAULT)
        if MODALITIES.find(name) is not None:
            return geometry_of(name, content)
        # Of a package that is not installed: its frames can be read all the same.
        if isinstance(content, dict):
            content = {key: content[key] for key in UnitGeometry.model_fields if key in content}
        return UnitGeometry.model_validate(content)

    @property
    def inner(self) -> tuple[tuple[str, int], ...]:
        """Angles, then phases: the axes are named, so `pattern.order` plays no part on disk."""
        return tuple(zip(("angle", "phase"), self.pattern.counts, strict=True))


class SrLayout(StreamLayout):
    """Super-resolved images: an array (t, y, x) of float32 for each position, channel and plane."""

    kind: ClassVar[str] = "sr"
    dtype: Literal["float32"] = "float32"
    factor: Annotated[int, Field(ge=1, le=16)] = 2
    """Pixels of these images for one of the camera's, each way."""


def layout_from_json(kind: str, content: object) -> StreamLayout:
    """Return the layout that a recording's journal or metadata holds.

    Raises:
        ValueError: no such kind, or fields that do not fit it.
    """
    for one in (RecordingLayout, SrLayout):
        if one.kind == kind:
            return one.model_validate(content)
    raise ValueError(f"recordings of the kind {kind!r} are not known")


def to_json(value: object) -> Any:
    """Turn what metadata may hold besides JSON's own types into these.

    Raises:
        TypeError: anything else.
    """
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if hasattr(value, "__fspath__"):
        return str(value)
    raise TypeError(f"metadata cannot hold a {type(value).__name__}")
