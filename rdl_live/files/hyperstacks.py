"""Images and stacks of any microscope, (time, channel, z, y, x): read plane by plane, written plane by plane."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files._guard import naming
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.closing import ClosedAtEnd
from rdl_live.files.frame_source import RawFile
from rdl_live.files.ome_document import OmeDescription
from rdl_live.files.page_writer import OmeTiffFile, PageWriter, as_pages, pending_tiff
from rdl_live.files.raw import find_position, open_any
from rdl_live.files.stack import Axis, Stack
from rdl_live.files.tiles import tiled


class HyperStack(ClosedAtEnd):
    """An open file (T, C, Z, Y, X) that is read as it is asked for. Not thread-safe."""

    def __init__(self, path: Path, raw: RawFile, frames: npt.NDArray[np.int64], notes: Sequence[str] = ()) -> None:
        """Wrap an open file; `frames` (T, C, Z) says which frame is which."""
        self.path, self._source, self._frames = path, raw.source, frames
        self.pixel_um, self.z_step_um = raw.pixel_size_um, raw.z_step_um
        """Of a voxel, in the plane and along z, as far as the file has it."""
        channels = frames.shape[1]
        self.labels = (
            raw.labels
            if len(raw.labels) == channels
            else tuple(ChannelLabel(f"channel {number}") for number in range(channels))
        )
        self.notes = [*raw.notes, *notes]

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """(T, C, Z, Y, X)."""
        times, channels, planes = self._frames.shape
        return (times, channels, planes, *self._source.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of the values."""
        return self._source.dtype

    def read(self, time: int, channel: int, planes: slice = slice(None)) -> npt.NDArray[Any]:
        """Return planes (z, y, x) of a time point and colour, as the file has them.

        Raises:
            DataError: the file cannot be decoded, or holds values that are not numbers.
        """
        numbers = self._frames[time, channel, planes]
        out = np.empty((len(numbers), *self._source.shape), self.dtype)
        self._source.read(numbers, out)
        if out.dtype.kind == "f" and not np.isfinite(out).all():
            first = int(np.argmin(np.isfinite(out).all(axis=(1, 2)))) + (planes.start or 0)
            raise DataError(
                f"{self.path}: {int((~np.isfinite(out)).sum())} values are NaN or infinite, first in time point "
                f"{time}, channel {channel}, plane {first}; replace them, or export the file again"
            )
        return out

    def close(self) -> None:
        """Close the file."""
        self._source.close()


def open_hyperstack(
    path: str | Path,
    *,
    stacked: bool = True,
    planes: int | None = None,
    position: str | None = None,
    tiles: tuple[int, int] | None = None,
) -> HyperStack:
    """Open any image file as (T, C, Z, Y, X); stage positions follow one another in time.

    Args:
        path: file, or folder of an OME-Zarr image.
        stacked: whether planes belong together: pages of a file that names no axes are planes then, else time points.
        planes: of a stack, where the file does not say.
        position: stage position by name, or number from 0; all where None.
        tiles: rows and columns of frames in each picture of a mosaic.

    Raises:
        DataError: not such a file, damaged, a SIM recording, or its frames are no whole number of stacks.
    """
    path = Path(path)
    raw = open_any(path)
    try:
        with naming(path):
            raw = raw if tiles is None else tiled(raw, tiles)
            stack = raw.stack
            if position is not None:
                number, _ = find_position(raw.positions, stack.size(Axis.POSITION), position)
                stack = stack.take(Axis.POSITION, number) if Axis.POSITION in stack.axes else stack
            frames, notes = _arranged(stack.squeezed(), stacked, planes)
            if raw.source.dtype.kind not in "uif":
                raise DataError(f"holds values of type {raw.source.dtype}, where images are numbers; export it again")
    except BaseException:
        raw.source.close()
        raise
    return HyperStack(path, raw, frames, notes)


def _arranged(stack: Stack, stacked: bool, planes: int | None) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return the frames (T, C, Z), and what is to be said."""
    if Axis.ANGLE in stack.axes or Axis.PHASE in stack.axes:
        raise DataError(f"{stack.describe()}: is a SIM recording; `rdl-live reconstruct` is for these")
    notes: list[str] = []
    channels, named = stack.size(Axis.CHANNEL), stack.size(Axis.Z)
    order = [axis for axis in (Axis.POSITION, Axis.TIME, Axis.FRAME, Axis.CHANNEL, Axis.Z) if axis in stack.axes]
    moved = stack.frames.transpose([stack.axes.index(axis) for axis in order])
    frames = moved.reshape(-1, channels, named)
    if planes is not None and named not in (1, planes):
        raise DataError(f"names {named} planes, --planes {planes} was given; leave --planes out")
    if not stacked or named > 1:
        return frames, notes
    if planes is None:
        if Axis.TIME in stack.axes or Axis.FRAME not in stack.axes:
            raise DataError(
                f"{stack.describe()}: names no z axis, and stacks are needed; say with --planes how many make one"
            )
        planes = stack.size(Axis.FRAME)
        notes.append(f"its {planes} pages, which it does not name, are taken as the planes of one z-stack")
    each = len(frames) // stack.size(Axis.POSITION)
    if each % planes:  # or a stack would go on at the next position
        raise DataError(f"{each} frames a position are no whole number of stacks of {planes} planes; correct --planes")
    folded = frames.reshape(-1, planes, channels).transpose(0, 2, 1)
    return np.ascontiguousarray(folded), notes


class HyperStackWriter(OmeTiffFile):
    """Writes (T, C, Z, Y, X) as OME-TIFF, planes in this order: z fastest, then colours, then time.

    A context manager: the file appears, whole, when the block ends well, and not at all otherwise.
    """

    def __init__(
        self,
        path: str | Path,
        shape: tuple[int, int, int, int, int],
        pixel_um: float | None,
        labels: Sequence[ChannelLabel],
        *,
        z_step_um: float | None = None,
        provenance: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> None:
        """Check that the file can be written, and start it; values are float32.

        Raises:
            OutputError: as `check_output`.
        """
        times, channels, planes, rows, columns = shape
        self.provenance: dict[str, Any] = dict(provenance or {})
        """May be added to until the block ends."""
        self._plane = (rows, columns)

        def describe(n: int) -> OmeDescription:
            return OmeDescription(
                size_t=n,
                size_y=rows,
                size_x=columns,
                dtype="float32",
                pixel_size_um=pixel_um,
                channel=labels[0],
                size_z=planes,
                more_channels=tuple(labels[1:channels]),
                provenance=self.provenance,
                z_step_um=z_step_um,
            )

        self._pages = PageWriter(pending_tiff(path, overwrite), describe, times)

    def write(self, planes: npt.ArrayLike) -> None:
        """Append planes (n, y, x).

        Raises:
            DataError: NaN or infinity.
            OutputError: the disk refuses.
        """
        array = np.asarray(planes)
        if not np.isfinite(array).all():
            raise DataError("the restored image has NaN or infinite values, which are never saved")
        self._pages.write(as_pages(array, (len(array), *self._plane), np.dtype(np.float32), "image"))
