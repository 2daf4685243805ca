"""Raw frames from OME-Zarr (0.4 on Zarr 2, 0.5 on Zarr 3) and plain Zarr arrays, chunk by chunk."""

import itertools
import json
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files._guard import naming, reading
from rdl_live.files.bombs import HEADED, HEADER_BYTES, check_piece, may_be_large
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.frame_source import MAX_FRAME_PIXELS, Frames, RawFile
from rdl_live.files.joined import JoinedFrames
from rdl_live.files.read.names import natural
from rdl_live.files.shards import ShardIndex, codec_names, packed_by
from rdl_live.files.stack import Axis, Stack

NAMES = {
    **dict.fromkeys(("t", "time", "timepoint", "frame", "times"), Axis.TIME),
    **dict.fromkeys(("z", "plane", "slice", "depth"), Axis.Z),
    **dict.fromkeys(("c", "channel", "channels", "ch", "wavelength", "lambda"), Axis.CHANNEL),
    **dict.fromkeys(("a", "angle", "orientation", "angles", "orientations", "rotation", "direction"), Axis.ANGLE),
    **dict.fromkeys(("p", "phase", "phases"), Axis.PHASE),
    **dict.fromkeys(("pos", "position", "positions", "s", "scene", "field", "fov", "stage", "tile"), Axis.POSITION),
}
TO_UM = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "angstrom": 1e-4}
SAFE_CODECS = frozenset(
    {
        *("bytes", "transpose", "sharding_indexed", "crc32c", "delta", "shuffle"),
        *("blosc", "zstd", "gzip", "zlib", "lz4", "bz2", "lzma"),
    }
)
"""Codecs that only ever make numbers from bytes. A file may ask for others (pickle) that run its code."""
MAX_JSON = 2**24
METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup")
MAX_CHUNK_BYTES, MAX_CHUNKS = 2**31, 4096
"""Of one chunk, and for one frame: each takes a file and a millisecond, there or not."""


class ZarrFrames:
    """Frames of a Zarr array whose last two axes are y and x; equal boxes of frames are read in one go."""

    def __init__(self, path: Path, array: Any, folder: Path, codec: str, shards: ShardIndex | None = None) -> None:
        """Wrap an open array (..., Y, X) in `folder`, whose chunks are packed with `codec` last, or lie in shards."""
        self._path, self._array, self._folder, self._codec = path, array, folder, codec
        self._shards = shards
        self._checked: set[tuple[int, ...]] = set()
        self._sizes = tuple(int(n) for n in array.shape[:-2])

    @property
    def shape(self) -> tuple[int, int]:
        """Frame shape (Y, X)."""
        return int(self._array.shape[-2]), int(self._array.shape[-1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native byte order; half floats are given as float32."""
        native = np.dtype(self._array.dtype).newbyteorder("=")
        return np.dtype(np.float32) if native == np.float16 else native

    def read(self, frames: npt.NDArray[np.int64], out: Frames) -> None:
        """Fill `out` (n, y, x) with the frames of these numbers (n,)."""
        # A chunk holds many frames as a rule: one by one each would be decompressed many times.
        order = np.argsort(frames, kind="stable")
        places = np.array(np.unravel_index(frames[order], self._sizes))  # (axes, n)
        low, high = places.min(axis=1), places.max(axis=1) + 1
        box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        with naming(self._path), reading(self._path, "Zarr"):
            self._check_chunks(low, high)
            if int(np.prod(high - low)) == len(frames):
                out[order] = np.asarray(self._array[box]).reshape(out.shape)
                return
            for number, target in zip(frames.tolist(), out, strict=True):
                target[...] = self._array[tuple(int(i) for i in np.unravel_index(number, self._sizes))]

    def _check_chunks(self, low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]) -> None:
        """Look at chunks before they are decoded, once each, those within shards as well."""
        sizes = self._array.shards or self._array.chunks
        ends = [*zip(low, high, strict=True), *((0, n) for n in self._array.shape[-2:])]
        steps = [range(int(a) // n, -(-int(b) // n)) for (a, b), n in zip(ends, sizes, strict=True)]
        for place in itertools.product(*steps):
            if place in self._checked:
                continue
            file = self._folder / self._array.metadata.encode_chunk_key(place)
            if not file.is_file():
                continue
            with file.open("rb") as opened:
                if self._shards is None:
                    self._check_piece(opened, self._codec, 0, file.stat().st_size)
                else:
                    for offset, size in self._shards.pieces(opened, sizes, self._array.chunks):
                        self._check_piece(opened, self._shards.codec, offset, size)
            self._checked.add(place)

    def _check_piece(self, file: BinaryIO, codec: str, offset: int, size: int) -> None:
        allowed = prod(self._array.chunks) * np.dtype(self._array.dtype).itemsize
        if may_be_large(codec, size, allowed):
            file.seek(offset)
            check_piece(codec, file.read(min(size, HEADER_BYTES) if codec in HEADED else size), allowed)

    def close(self) -> None:
        """Nothing is held open between reads."""


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr group or array."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray", ".zattrs"))


def open_zarr(path: Path) -> RawFile:
    """Open a folder that is an OME-Zarr image, a plain Zarr array, or a group of images that are alike: positions.

    Raises:
        DataError: damaged metadata, a plate, images that differ, pixels that are no real numbers, or codecs that are
            not known to be harmless.
    """
    with naming(path), reading(path, "Zarr"):
        images = _images(path)
        opened = [_opened(path, folder, attributes) for folder, attributes in images]
        return opened[0] if len(opened) == 1 else _joined([folder.name for folder, _ in images], opened)


def _joined(names: list[str], images: list[RawFile]) -> RawFile:
    """Return images that are alike as the positions of one file."""
    first = images[0]

    def kind(image: RawFile) -> tuple[object, ...]:
        source, stack = image.source, image.stack
        return source.shape, source.dtype, stack.axes, stack.frames.shape, image.pixel_size_um, image.labels

    other = next((name for name, image in zip(names, images, strict=True) if kind(image) != kind(first)), None)
    if other is not None:
        raise DataError(
            f"this Zarr group holds {len(images)} images ({', '.join(names[:8])}), and {other} is not like {names[0]}; "
            f"give the folder of one image, such as its {names[0]}"
        )
    count = first.stack.frames.size

    def together(stack: Stack) -> Stack:
        frames = np.stack([stack.frames + number * count for number in range(len(images))])
        return Stack((Axis.POSITION, *stack.axes), frames)

    source = JoinedFrames([image.source for image in images], [count] * len(images))
    notes = tuple(dict.fromkeys(note for image in images for note in image.notes))
    others = tuple(together(one) for one in first.others)
    return RawFile(
        source,
        together(first.stack),
        first.pixel_size_um,
        first.labels,
        notes,
        others,
        positions=tuple(names),
        z_step_um=first.z_step_um,
    )


def _opened(path: Path, folder: Path, attributes: dict[str, Any]) -> RawFile:
    """Open one image of the folder `path`."""
    scale = _Multiscale(attributes)
    array_folder = folder / scale.dataset if scale.dataset else folder
    codec, shards = _known_codec(array_folder)
    import zarr  # a fifth of a second, which only those wait for who open one

    array = zarr.open_array(str(array_folder), mode="r")
    axes, notes, letters = _leading_axes(array, scale)
    _check(array)
    stack = Stack.in_order(axes, tuple(int(n) for n in array.shape[:-2]))
    # "p" is the position for Micro-Manager and many others, the phase for some.
    others = (stack.renamed(Axis.PHASE, Axis.POSITION),) if "p" in letters else ()
    notes += _absent_chunks(array_folder, array)
    return RawFile(
        ZarrFrames(path, array, array_folder, codec, shards),
        stack,
        scale.pixel_size_um,
        _channels(attributes),
        tuple(notes),
        others,
        z_step_um=scale.z_step_um,
    )


def _read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    if file.stat().st_size > MAX_JSON:
        raise DataError(f"{file.name} of {file.stat().st_size} bytes is no metadata")
    content = json.loads(file.read_bytes())
    if not isinstance(content, dict):
        raise DataError(f"{file.name} holds no JSON object; the metadata are damaged")
    return content


def _attributes(folder: Path) -> dict[str, Any]:
    """Return the OME attributes of a node: under "ome" in version 0.5, bare in 0.4."""
    attributes = _read_json(folder / "zarr.json").get("attributes") or _read_json(folder / ".zattrs")
    return {**attributes, **attributes.get("ome", {})}


def _images(path: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Return the folders of the images, in natural order, and their attributes."""
    attributes = _attributes(path)
    is_group = (path / ".zgroup").is_file() or _read_json(path / "zarr.json").get("node_type") == "group"
    if "multiscales" in attributes or not is_group:
        return [(path, attributes)]
    children = sorted(path.iterdir(), key=lambda child: natural(child.name))
    images = [child for child in children if "multiscales" in _attributes(child)]
    if "plate" in attributes or "well" in attributes or not images:
        names = ", ".join(child.name for child in images[:8])
        found = f"{len(images)} images ({names})" if images else "no image"
        raise DataError(f"this Zarr group holds {found}; give the folder of one image, such as {path.name}/0")
    return [(image, _attributes(image)) for image in images]


class _Multiscale:
    """The parts of OME-Zarr metadata that are of use here; empty for a plain array."""

    def __init__(self, attributes: dict[str, Any]) -> None:
        self.dataset = ""
        self.axes: list[str] = []
        self.pixel_size_um: float | None = None
        self.z_step_um: float | None = None
        if "multiscales" not in attributes:
            return
        multiscale = attributes["multiscales"][0]
        dataset = multiscale["datasets"][0]
        place = PurePosixPath(dataset["path"])
        if place.is_absolute() or ".." in place.parts or "\\" in str(place) or ":" in str(place):
            raise DataError(f"its metadata points outside of it ({place}), which is refused")
        self.dataset = str(place)
        axes = multiscale.get("axes") or list("tczyx")  # versions up to 0.2 know these five only
        self.axes = [str(axis["name"] if isinstance(axis, dict) else axis).lower() for axis in axes]
        self.pixel_size_um = self._size_um(axes, [multiscale, dataset], len(axes) - 1)
        self.z_step_um = self._size_um(axes, [multiscale, dataset], self.axes.index("z")) if "z" in self.axes else None

    @staticmethod
    def _size_um(axes: list[Any], sources: list[dict[str, Any]], place: int) -> float | None:
        """Return the size of a voxel along an axis [um]; None where it is not said."""
        unit = TO_UM.get(str(axes[place].get("unit"))) if isinstance(axes[place], dict) else None
        scales = [
            float(transform["scale"][place])
            for source in sources
            for transform in source.get("coordinateTransformations", [])
            if transform.get("type") == "scale"
        ]
        if unit is None or not scales or not 0 < prod(scales) * unit < 100:
            return None
        return round(prod(scales) * unit, 9)


def _known_codec(folder: Path) -> tuple[str, ShardIndex | None]:
    """Allow only known codecs, before any chunk is decoded.

    Returns:
        What packs the chunks, "" if they are plain; and how they lie in shards, if they do.
    """
    old, new = _read_json(folder / ".zarray"), _read_json(folder / "zarr.json")
    if not old and new.get("node_type") != "array":
        raise DataError(f"no array at {folder.name}; the recording is incomplete")
    names = [codec.get("id") for codec in [old.get("compressor"), *(old.get("filters") or [])] if codec]
    waiting = list(new.get("codecs", []))
    while waiting:
        codec = waiting.pop()
        codec = {"name": codec} if isinstance(codec, str) else codec
        names.append(codec.get("name"))
        inner = codec.get("configuration") or {}
        waiting += [*inner.get("codecs", []), *inner.get("index_codecs", [])]
    foreign = sorted({str(name) for name in names} - SAFE_CODECS)
    if foreign:
        raise DataError(f"is stored with the codec(s) {', '.join(foreign)}, which are not read; save it with zstd")
    if not new.get("codecs"):
        return str((old.get("compressor") or {}).get("id") or ""), None
    sharding = [codec for codec in new["codecs"] if not isinstance(codec, str) and codec["name"] == "sharding_indexed"]
    shards = ShardIndex.of(sharding[0].get("configuration") or {}) if sharding else None
    return packed_by(codec_names(new["codecs"])), shards


def _leading_axes(array: Any, scale: _Multiscale) -> tuple[tuple[Axis, ...], list[str], list[str]]:
    """Return the axes before y and x, what to say of them, and their names in the file."""
    named = scale.axes or [str(name).lower() for name in getattr(array.metadata, "dimension_names", None) or []]
    if named and len(named) != array.ndim:
        raise DataError(f"its metadata names {len(named)} axes, the array has {array.ndim}")
    if named and named[-2:] != ["y", "x"] and (scale.axes or {"x", "y"} & set(named)):
        raise DataError(f"its axes are {', '.join(named)}; the last two must be y and x")
    if array.ndim < 2:
        raise DataError(f"holds an array of {array.ndim} dimension(s), not images")
    if not named:
        return (Axis.FRAME,) * (array.ndim - 2), [], []
    unknown = [f"{name} ({n})" for name, n in zip(named[:-2], array.shape, strict=False) if name not in NAMES and n > 1]
    notes = [f"axis {', '.join(unknown)} is read as further frames"] if unknown else []
    return tuple(NAMES.get(name, Axis.FRAME) for name in named[:-2]), notes, named[:-2]


def _check(array: Any) -> None:
    dtype = np.dtype(array.dtype)
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise DataError(f"holds {dtype} values; raw camera frames are integers or real numbers")
    rows, columns = array.shape[-2:]
    if not 0 < rows * columns <= MAX_FRAME_PIXELS:
        raise DataError(f"frames of {rows} x {columns} pixels cannot be")
    pieces = array.shards or array.chunks
    if min(*array.chunks, *pieces) < 1 or prod(pieces) * dtype.itemsize > MAX_CHUNK_BYTES:
        raise DataError(f"chunks of {pieces} pixels, more than the {MAX_CHUNK_BYTES} bytes that are decoded at a time")
    in_frame = prod(-(-size // chunk) for size, chunk in zip((rows, columns), array.chunks[-2:], strict=True))
    if in_frame > MAX_CHUNKS:
        raise DataError(
            f"each frame lies in {in_frame} chunks, more than the {MAX_CHUNKS} that are read; save larger ones"
        )


def _absent_chunks(folder: Path, array: Any) -> list[str]:
    """Note chunks that were never written: they read as zeros, as empty ones and as lost ones do."""
    all_of_them = prod(-(-n // size) for n, size in zip(array.shape, array.shards or array.chunks, strict=True))
    # Files are counted and not looked for one by one: the metadata may promise any number.
    present = sum(file.name not in METADATA for file in folder.rglob("*") if file.is_file())
    if present >= all_of_them:
        return []
    return [
        f"{all_of_them - present} of {all_of_them} chunks are absent (lost, or empty) and read as {array.fill_value}"
    ]


def _channels(attributes: dict[str, Any]) -> tuple[ChannelLabel, ...]:
    channels = attributes.get("omero", {}).get("channels", [])
    return tuple(ChannelLabel(str(channel.get("label", f"channel {i}"))) for i, channel in enumerate(channels))
