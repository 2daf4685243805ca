"""Z-stacks over time, as a light sheet or a confocal records them: read volume by volume, written plane by plane."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files._guard import naming
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.closing import ClosedAtEnd
from rdl_live.files.colours import choose_colour
from rdl_live.files.frame_source import RawFile
from rdl_live.files.ome_document import OmeDescription
from rdl_live.files.page_writer import OmeTiffFile, PageWriter, as_pages, pending_tiff
from rdl_live.files.raw import MAX_SERIES_BYTES, find_position, open_any
from rdl_live.files.stack import Axis, Stack
from rdl_live.files.tiles import tiled
from rdl_live.optics.microscope import Channel


class VolumeRecording(ClosedAtEnd):
    """A time-lapse of z-stacks (T, Z, Y, X) that is read as it is asked for. Not thread-safe."""

    def __init__(self, path: Path, raw: RawFile, frames: npt.NDArray[np.int64], channel: Channel | None = None) -> None:
        """Wrap an open file; `frames` (T, Z) says which frame is which, `channel` whose light it is."""
        self.channel = channel
        self.path, self._source, self._frames = path, raw.source, frames
        self.pixel_size_um = raw.pixel_size_um
        """Pixel in the sample plane [um] as the file has it, if it does."""
        self.notes = list(raw.notes)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(T, Z, Y, X)."""
        return (*self._frames.shape, *self._source.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of the values."""
        return self._source.dtype

    def __len__(self) -> int:
        """Return the number of time points T."""
        return len(self._frames)

    def __getitem__(self, time: int) -> npt.NDArray[Any]:
        """Return the stack (Z, Y, X) of one time point, as the camera gave it.

        Raises:
            DataError: the file cannot be decoded, or was cut since it was opened.
        """
        out = np.empty(self.shape[1:], self.dtype)
        self._source.read(self._frames[time], out)
        return out

    def close(self) -> None:
        """Close the file."""
        self._source.close()


def open_volumes(
    path: str | Path,
    *,
    planes: int | None = None,
    channel: int | None = None,
    stacked: bool = True,
    colours: Sequence[Channel] = (),
    asked: Channel | None = None,
    position: str | None = None,
    tiles: tuple[int, int] | None = None,
) -> VolumeRecording:
    """Open a TIFF, OME-TIFF, MRC or OME-Zarr file as a time-lapse of z-stacks.

    Args:
        path: file, or folder of an OME-Zarr image.
        planes: of a stack; needed where the file does not name a z axis, and then they lie one after the other.
        channel: colour to read, from 0, where the file has several.
        colours: channels of the microscope file, with whose names and wavelengths those of the file are compared.
        asked: the one of them that is wanted; the first that the file has where None.
        stacked: whether planes belong together; otherwise single images are stacks of one plane.
        position: stage position by name, or number from 0; all, one after the other, where None.
        tiles: rows and columns of frames in each picture of a mosaic.

    Raises:
        DataError: not such a file, damaged, or its frames are no whole number of stacks; says what to do.
    """
    path = Path(path)
    raw = open_any(path)
    try:
        with naming(path):
            colour = asked
            if colours and channel is None and len(raw.labels) == raw.stack.size(Axis.CHANNEL):
                chosen = choose_colour(raw.labels, colours, asked)
                channel, colour = chosen.index, chosen.channel
            elif asked is not None and channel is None and raw.stack.size(Axis.CHANNEL) > 1:
                channel = list(colours).index(asked)
            raw = raw if tiles is None else tiled(raw, tiles)
            stack = raw.stack if position is None else _at_position(raw, position)
            frames = _folded(stack, planes, channel, stacked)
            size = frames.shape[1] * raw.source.shape[0] * raw.source.shape[1] * raw.source.dtype.itemsize
            if size > MAX_SERIES_BYTES:
                raise DataError(
                    f"a stack of {frames.shape[1]} planes is {size / 2**30:.1f} GiB, more than the "
                    f"{MAX_SERIES_BYTES / 2**30:.0f} GiB that are read at a time; crop the recording"
                )
    except DataError:
        raw.source.close()
        raise
    return VolumeRecording(path, raw, frames, colour)


def _at_position(raw: RawFile, wanted: str) -> Stack:
    """Return the stack of one stage position."""
    number, _ = find_position(raw.positions, raw.stack.size(Axis.POSITION), wanted)
    return raw.stack.take(Axis.POSITION, number) if Axis.POSITION in raw.stack.axes else raw.stack


def _folded(stack: Stack, planes: int | None, channel: int | None, stacked: bool) -> npt.NDArray[np.int64]:
    """Return the frame numbers (T, Z)."""
    colours = stack.size(Axis.CHANNEL)
    if channel is not None and not 0 <= channel < colours:
        raise DataError(f"has {colours} channel(s), so channel {channel} is none of them (0 is the first)")
    if Axis.CHANNEL in stack.axes:
        stack = stack.take(Axis.CHANNEL, channel or 0)
    stack = stack.squeezed()
    if Axis.ANGLE in stack.axes or Axis.PHASE in stack.axes:
        raise DataError(
            f"{stack.describe()}: is a SIM recording, no z-stack; `train tis` and `reconstruct` are for these"
        )
    total = stack.frames.size
    found = stack.size(Axis.Z)
    if planes is None and found > 1:
        return stack.last(Axis.Z)
    if planes is None and not stacked:
        planes = 1
    if planes is None:
        raise DataError(f"{stack.describe()}: names no z axis; say with --planes how many planes make a stack")
    if found > 1 and found != planes:
        raise DataError(f"names {found} planes, --planes {planes} was given; leave --planes out")
    if total == 0 or total % planes:
        raise DataError(f"{total} frames are no whole number of stacks of {planes} planes; correct --planes")
    return stack.last(Axis.Z) if found > 1 else stack.frames.reshape(-1, planes)


class VolumeWriter(OmeTiffFile):
    """Writes z-stacks (T, Z, Y, X) as OME-TIFF, stack by stack.

    A context manager: the file appears, whole, when the block ends well, and not at all otherwise.
    """

    def __init__(
        self,
        path: str | Path,
        shape: tuple[int, int, int, int],
        pixel_size_um: float,
        channel_name: str,
        provenance: Mapping[str, Any] | None = None,
        overwrite: bool = False,
        *,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        """Check that the file can be written, and start it.

        Args:
            path: a name that ends in .tif or .tiff.
            shape: (T, Z, Y, X).
            pixel_size_um: pixel in the plane [um].
            channel_name: name of the colour.
            provenance: how the stacks were made; anything that JSON holds.
            overwrite: replace an existing file.
            dtype: number type.

        Raises:
            OutputError: as `check_output`.
        """
        times, planes, rows, columns = shape
        self.provenance: dict[str, Any] = dict(provenance or {})
        """May be added to until the block ends."""
        self._shape, self._dtype = (planes, rows, columns), np.dtype(dtype)

        def describe(n: int) -> OmeDescription:
            return OmeDescription(
                size_t=n,
                size_y=rows,
                size_x=columns,
                dtype=self._dtype.name,
                pixel_size_um=pixel_size_um,
                channel=ChannelLabel(channel_name),
                size_z=planes,
                provenance=self.provenance,
            )

        self._pages = PageWriter(pending_tiff(path, overwrite), describe, times)

    def write(self, stack: npt.ArrayLike) -> None:
        """Append the stack (z, y, x) of the next time point.

        Raises:
            ValueError: another shape than announced, or values that the number type cannot hold.
            DataError: NaN or infinity.
            OutputError: the disk refuses.
        """
        if not np.isfinite(stack).all():
            raise DataError("the denoised stack has NaN or infinite values, which are never saved")
        self._pages.write(as_pages(stack, self._shape, self._dtype, "stack"))
