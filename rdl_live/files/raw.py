"""Open any raw recording: a file, a folder of files, or the root of a recording of ours. The one place for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rdl_live.errors import ConfigError, DataError
from rdl_live.files._guard import naming
from rdl_live.files.choose import choose, contradiction
from rdl_live.files.colours import ChosenColour, choose_colour, match, says_something
from rdl_live.files.frame_source import RawFile
from rdl_live.files.raw_recording import RawRecording, SeriesIndex
from rdl_live.files.read.registry import CONTAINERS
from rdl_live.files.readings import Reading, as_series, readings, said_order
from rdl_live.files.recorder.series import RecordedSeries, labels_of, raw_layout, recording_of
from rdl_live.files.stack import Axis, Stack
from rdl_live.files.tiles import mosaic_of, read_tiles, tiled
from rdl_live.optics.microscope import Channel, UnitGeometry, frame_order

__all__ = ["RawRecording", "RawRequest", "SeriesIndex", "open_any", "open_raw"]

MAX_SERIES_BYTES = 4 * 2**30
"""A series is held in memory whole, so a larger one (5 x 5 frames of 9000 x 9000) is refused, not tried."""
LEAST_SERIES = 3
"""Whole series of a recording of which some frames are missing."""
KNOWN = "TIFF, OME-TIFF, MRC, OME-Zarr, NDTiff, folders of TIFF files, and with an extra ND2, CZI and LIF are read"
FOREIGN = {
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"PK\x05\x06": "an empty zip archive",
    b"Rar!": "a rar archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd archive: unpack it first",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"BZh": "a bzip2 archive: unpack it first",
    b"\xfd7zXZ": "an xz archive: unpack it first",
    b"\x89HDF": "an HDF5 file: export it as OME-TIFF",
    b"\x89PNG": "a PNG picture: raw frames are needed",
    b"\xff\xd8\xff": "a JPEG picture: raw frames are needed",
    b"\x93NUMPY": "a NumPy file: save it with tifffile.imwrite",
    b"<?xml": "an XML file: give the image file beside it",
}


@dataclass(frozen=True)
class RawRequest:
    """What of a recording is wanted, and what the user says of it."""

    channel: int | None = None
    """Colour by its number in the file, where no microscope is known."""
    colours: tuple[Channel, ...] = ()
    """Channels of the microscope file; the file's names and wavelengths are compared with them."""
    asked: Channel | None = None
    """The one of them that is wanted; None: the first that the file has."""
    position: str | None = None
    """Stage position by its name, or its number from 0; None: all."""
    order: str | None = None
    """How the frames follow one another, slowest axis first, whatever the microscope file says."""
    planes: int | None = None
    """Planes of a z stack, where the file does not say."""
    tiles: tuple[int, int] | None = None
    """Rows and columns of frames in each picture of a mosaic."""
    incomplete: bool = False
    """Whether frames that are no whole number of series are read all the same: whoever asks judges by their stripes."""


def open_raw(
    path: str | Path, geometry: UnitGeometry, request: RawRequest | None = None, *, channel: int | None = None
) -> RawRecording:
    """Open a recording as series, by its content: any container of `read.registry`, or a recording of ours.

    Angles and phases that the file itself names (OME Modulo annotations, axes) are taken as named; any other stack is
    read in `geometry.order`, unless its stripes show clearly that its frames lie otherwise.

    Args:
        path: file or folder.
        geometry: how many angles and phases make a series, and in which order their frames lie.
        request: which colour and position, and how its frames lie.
        channel: colour to read, from 0, where there is no request.

    Raises:
        DataError: not such a file, damaged, not a whole number of series, or it can be read in two ways; says what to
            do.
    """
    path = Path(path)
    request = request or RawRequest(channel=channel)
    ours = recording_of(path)
    if ours is not None:
        return _recorded(ours, geometry, request)
    raw = open_any(path)
    try:
        with naming(path):
            return _opened(path, raw if request.tiles is None else tiled(raw, request.tiles), geometry, request)
    except BaseException:
        raw.source.close()
        raise


def _recorded(path: Path, geometry: UnitGeometry, request: RawRequest) -> RawRecording:
    """Open all planes and positions of one colour of a recording of ours; its frames are where it says."""
    layout = raw_layout(path)
    with naming(path):
        angles, phases = (size for _, size in layout.inner)
        if (angles, phases) != (geometry.angles, geometry.phases):
            raise DataError(
                f"was recorded with {angles} angles x {phases} phases, the microscope file says {geometry.angles} x "
                f"{geometry.phases}; correct the pattern section of the microscope file"
            )
        if request.channel is not None or not request.colours:
            colour = ChosenColour(request.channel, None)
        else:
            colour = choose_colour(labels_of(layout), request.colours, request.asked)
        if not 0 <= (colour.index or 0) < len(layout.channels):
            raise DataError(f"has {len(layout.channels)} channel(s), so channel {colour.index} is none of them")
        position = None
        if request.position is not None:
            position, _ = find_position(layout.places, layout.positions, request.position)
    return RecordedSeries(path, colour.index or 0, position, colour.channel)


def _opened(path: Path, raw: RawFile, geometry: UnitGeometry, request: RawRequest) -> RawRecording:
    colour = _colour(raw, request)
    ways, everything, notes = _ways(raw, geometry, request, colour)
    _check_series(ways[0].frames, raw)
    chosen = choose(ways, lambda numbers: _read(raw, numbers), raw.source.shape)
    if request.order is not None:
        notes = [*notes, *contradiction([chosen.reading], everything, lambda numbers: _read(raw, numbers))]
    frames = chosen.reading.frames
    first, count = 0, frames.shape[0]
    if request.position is not None:
        first, count = find_position(raw.positions, count, request.position)
    frames = frames[first : first + count]
    series = as_series(frames)
    rest = None
    if request.incomplete:
        own = _one_colour(raw.stack, geometry, colour.index)[0].squeezed()
        rest = own.frames.reshape(-1)[series.size :] if len(own.axes) == 1 else None
    return RawRecording(
        path,
        raw,
        series,
        [*colour.notes, *notes, *chosen.notes],
        grid=(int(frames.shape[0]), int(frames.shape[1]), int(frames.shape[2])),
        channel=colour.channel,
        channel_index=colour.index or 0,
        first_position=first,
        order=chosen.reading.words,
        assumed=colour.assumed,
        rest=rest,
    )


def _read(raw: RawFile, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.generic]:
    out = np.empty((len(numbers), *raw.source.shape), raw.source.dtype)
    raw.source.read(numbers, out)
    return out


def _colour(raw: RawFile, request: RawRequest) -> ChosenColour:
    """Return which colour is read: by number, or by name among the channels of the microscope file."""
    count = raw.stack.size(Axis.CHANNEL)
    if request.channel is not None and not 0 <= request.channel < count:
        raise DataError(f"has {count} channel(s), so channel {request.channel} is none of them (0 is the first)")
    if request.channel is not None or not request.colours:
        return ChosenColour(request.channel, None)
    named = len(raw.labels) == count and any(
        says_something(label) or match(label, request.colours) is not None for label in raw.labels
    )
    if count > 1 and not named:
        return _unlabelled(count, request)
    return choose_colour(raw.labels, request.colours, request.asked)


def _unlabelled(count: int, request: RawRequest) -> ChosenColour:
    """Choose by place among colours without names; None leaves open whether they are patterns."""
    if request.asked is None:
        return ChosenColour(None, request.colours[0])
    index = [one.name for one in request.colours].index(request.asked.name)
    if index >= count:
        raise DataError(f"has {count} channels without names; {request.asked.name!r} would be the {index + 1}th")
    return ChosenColour(index, request.asked)


def _ways(
    raw: RawFile, geometry: UnitGeometry, request: RawRequest, colour: ChosenColour
) -> tuple[list[Reading], list[Reading], list[str]]:
    """Return the ways to read a file, the likeliest first; those that no order forbids; and what to say of them."""
    order = request.order or (geometry.order if len(geometry.order.split("-")) > 2 else None)
    found: list[Reading] = []
    everything: list[Reading] = []
    notes: list[str] = []
    problem: DataError | None = None
    for extra, whole in ((0, raw.stack), *((raw.others_rank, other) for other in raw.others)):
        try:
            stack, said = _one_colour(whole, geometry, colour.index)
            ways = readings(stack, geometry, request.planes)
            everything += ways
            ways = ways if order is None else said_order(ways, stack, order, request.planes)
        except DataError as error:
            problem = problem or error
            continue
        known = {way.frames.tobytes() for way in found}
        found += [way.less_likely(extra) for way in ways if way.frames.tobytes() not in known]
        notes = notes or said
    if not found and problem is not None:
        tiles = None if request.tiles else mosaic_of(raw, geometry.frames)
        if tiles is not None:
            raise DataError(
                f"looks like a mosaic of {tiles[0]} x {tiles[1]} frames in one picture: add "
                f"--tiles {tiles[0]}x{tiles[1]}"
            ) from problem
        if request.incomplete and (part := _whole_part(raw.stack, geometry, colour.index)) is not None:
            ways = readings(part, geometry)
            ways = ways if order is None else said_order(ways, part, order)
            return [way for way in ways if way.rank == ways[0].rank], ways, []
        raise problem
    return sorted(found, key=lambda way: way.rank), everything, notes


def _whole_part(stack: Stack, geometry: UnitGeometry, index: int | None) -> Stack | None:
    """Return a plain stack of many series without the rest that is no whole one; None for others."""
    stack = _one_colour(stack, geometry, index)[0].squeezed()
    whole = stack.frames.size // geometry.frames * geometry.frames
    if stack.axes not in ((Axis.FRAME,), (Axis.TIME,)) or whole < LEAST_SERIES * geometry.frames:
        return None
    return Stack(stack.axes, stack.frames[:whole])


def _one_colour(stack: Stack, geometry: UnitGeometry, index: int | None) -> tuple[Stack, list[str]]:
    """Return the stack of one colour; with the channels left where they are the patterns of a series."""
    n, channels = geometry.frames, stack.size(Axis.CHANNEL)
    if Axis.CHANNEL not in stack.axes:
        return stack, []
    if index is not None or channels == 1:
        return stack.take(Axis.CHANNEL, index or 0), []
    named = {Axis.ANGLE, Axis.PHASE} & set(stack.axes)
    rest = stack.frames.size // channels
    in_channels = not named and (channels == n or channels * stack.size(Axis.Z) == n)
    if in_channels and rest % n == 0:
        raise DataError(
            f"{stack.describe()}: the {n} frames of a series may lie along the channels or along the "
            "other axes; name the colour with --channel, or save the channels as time points"
        )
    if not in_channels:
        note = f"channel 0 of {channels} is read; choose another with --channel NAME"
        return stack.take(Axis.CHANNEL, 0), [note]
    note = f"{stack.describe()}: the channels are taken for the {n} frames of a series"
    inner = (Axis.CHANNEL,) if channels == n else (Axis.CHANNEL, Axis.Z)
    return Stack((Axis.TIME, Axis.FRAME), stack.last(*inner)), [note]


def find_position(names: Sequence[str], count: int, wanted: str) -> tuple[int, int]:
    """Return the number of the wanted one of `count` positions, and 1 as how many they are.

    Raises:
        DataError: there is none of that name or number.
    """
    names = list(names) if len(names) == count else []
    if wanted in names:
        return names.index(wanted), 1
    if wanted.isdecimal() and int(wanted) < count:
        return int(wanted), 1
    known = f": {', '.join(names[:12])}" if names else ", counted from 0"
    raise DataError(f"has no position {wanted!r}; it has {count}{known}")


def _check_series(frames: npt.NDArray[np.int64], raw: RawFile) -> None:
    (rows, columns), n = raw.source.shape, frames.shape[-2] * frames.shape[-1]
    size = n * rows * columns * raw.source.dtype.itemsize
    if size > MAX_SERIES_BYTES:
        raise DataError(
            f"a series of {n} frames of {rows} x {columns} pixels is {size / 2**30:.1f} GiB, more than the "
            f"{MAX_SERIES_BYTES / 2**30:.0f} GiB that are read at a time; crop the recording"
        )


def open_any(path: Path) -> RawFile:
    """Open a file or folder by its content.

    Raises:
        DataError: no such file, of no known container, or damaged.
    """
    try:
        if not path.exists():
            raise DataError(f"{path}: no such file")
        if not path.is_dir() and not path.is_file():
            raise DataError(f"{path}: not a regular file ({KNOWN})")
        head = b""
        if path.is_file():
            with path.open("rb") as file:
                head = file.read(1024)
            if not head:
                raise DataError(f"{path}: is empty")
        for container in CONTAINERS:
            if container.matches(path, head):
                return container.open(path)
        raise DataError(_foreign(path, head))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _foreign(path: Path, head: bytes) -> str:
    for magic, what in FOREIGN.items():
        if head.startswith(magic):
            return f"{path}: {what} ({KNOWN})"
    if head[257:262] == b"ustar":
        return f"{path}: a tar archive: unpack it first ({KNOWN})"
    return f"{path}: is none of the known formats, or lacks its start ({KNOWN}); export it as OME-TIFF"


def said(
    *, position: str | None = None, order: str | None = None, planes: int | None = None, tiles: str | None = None
) -> RawRequest:
    """Return what a user says of a recording, checked: the options --position, --order, --planes and --tiles.

    Raises:
        ConfigError: an order or tiles that cannot be.
    """
    try:
        checked = None if order is None else str(frame_order(order))
    except ValueError as error:
        raise ConfigError(f"--order {order}: {error}") from error
    return RawRequest(
        position=position, order=checked, planes=planes, tiles=None if tiles is None else read_tiles(tiles)
    )


def request_for(channels: Sequence[Channel], asked: Channel | None, request: RawRequest | None = None) -> RawRequest:
    """Return a request that compares a file's colours with those of a microscope."""
    base = request or RawRequest()
    return replace(base, channel=None, colours=tuple(channels), asked=asked)
