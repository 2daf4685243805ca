"""All planes and positions of one colour of a recording of ours, as series that follow one another."""

from pathlib import Path

import numpy as np

from rdl_live._names import RAW_RECORDING
from rdl_live.errors import DataError
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.frame_source import RawFile
from rdl_live.files.joined import JoinedFrames
from rdl_live.files.raw_recording import RawRecording
from rdl_live.files.recorder.journal import JOURNAL, read_journal
from rdl_live.files.recorder.layout import ImageAddress, StreamLayout
from rdl_live.files.recorder.recording import Recording, corner_of
from rdl_live.files.stack import Axis, Stack
from rdl_live.optics.microscope import Channel

"""The raw recording in the folder of a run."""


def recording_of(path: Path) -> Path | None:
    """Return the folder of our raw recording that a path means (itself, or in the folder of a run); None for others."""
    inner = path / RAW_RECORDING
    try:
        return next((one for one in (path, inner) if (one / JOURNAL).is_file()), None)
    except OSError:
        return None  # such as a name that is too long: whoever opens it says what is wrong


def labels_of(layout: StreamLayout) -> tuple[ChannelLabel, ...]:
    """Return the colours of a recording."""
    return tuple(ChannelLabel(one.name, one.excitation_nm, one.emission_nm) for one in layout.channels)


def raw_layout(path: Path) -> StreamLayout:
    """Return the layout of a recording of raw series.

    Raises:
        DataError: no recording, damaged, or one of super-resolved images.
    """
    layout = read_journal(path).layout
    if layout.kind != "raw":
        raise DataError(f"{path}: holds super-resolved images; give the raw recording beside it")
    return layout


class RecordedSeries(RawRecording):
    """Series of one colour of a recording: planes fastest, then time points, then positions."""

    def __init__(self, path: Path, channel_index: int, position: int | None, channel: Channel | None) -> None:
        """Read the journal.

        Args:
            path: folder of the recording.
            channel_index: colour.
            position: stage position; None: all.
            channel: of the microscope file, whose light this is.

        Raises:
            DataError: damaged, or no series there yet.
        """
        content = read_journal(path)
        self.layout = layout = content.layout
        positions = range(layout.positions) if position is None else (position,)
        images = [
            [Recording(path, content, ImageAddress(p, channel_index, z)) for z in range(layout.z_planes)]
            for p in positions
        ]
        lengths = [min(len(one) for one in planes) for planes in images]
        kept = [number for number, length in enumerate(lengths) if length]
        if not kept:
            raise DataError(f"{path}: holds no whole series of {layout.channels[channel_index].name!r} yet")
        times = min(lengths[number] for number in kept)
        used = [images[number] for number in kept]
        notes = list(dict.fromkeys(note for planes in used for one in planes for note in one.notes))
        longest = max(len(one) for planes in used for one in planes)
        if longest > times:
            notes.append(f"the first {times} of {longest} time points are read, which all planes and positions have")
        slots, shape = layout.slots, tuple(size for _, size in layout.inner)
        parts = [one for planes in used for one in planes]
        firsts = np.cumsum([0, *(len(one) * slots for one in parts)])[:-1].reshape(len(used), 1, layout.z_planes, 1)
        inside = np.arange(times * slots, dtype=np.int64).reshape(1, times, 1, slots)
        frames = (firsts + inside).reshape(-1, *shape)
        source = JoinedFrames([one.source for one in parts], [len(one) * slots for one in parts])
        names = layout.places if layout.positions > 1 else ()
        stack = Stack((Axis.TIME, Axis.ANGLE, Axis.PHASE), frames)
        raw = RawFile(source, stack, layout.pixel_size_um, (labels_of(layout)[channel_index],), (), positions=names)
        super().__init__(
            path,
            raw,
            frames,
            notes,
            grid=(len(used), times, layout.z_planes),
            channel=channel,
            channel_index=channel_index,
            first_position=positions[kept[0]],
            order="time-angle-phase",
        )

    @property
    def corner(self) -> tuple[int, int] | None:
        """(y, x) of a frame's first pixel on the camera's chip, if the recording says it."""
        return corner_of(self.layout)
