"""Raw frames from the camera to the disk, without processing: engine and recorder, apart and together.

The simulated microscope repeats its first series (`Replay`), so that the camera costs almost nothing. The floors are
measured in the same run: the plain disk, the recorder fed from memory, the engine without a recorder.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.rates import Rate, rate
from rdl_live.acquire import Acquisition, Plan, PlanChannel, Region, TimePlan, open_core, recording_layout, shutdown
from rdl_live.app.live_demo import config_file
from rdl_live.errors import ConfigError, OutputError
from rdl_live.files import load_microscope
from rdl_live.files.recorder import FolderSink, FrameTag, Limits, Recorder, RecordingLayout
from rdl_live.optics.microscope import Microscope

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

WANTED_MB_S = 200.0
"""Least rate through engine and recorder."""
SMALLEST_PX, CHIP_PX = 64, 512
EXPOSURE_MS = 10.0
"""At the simulated dye's 10 photons a ms: 100 photons a pixel, which decides how well the frames can be compressed."""
PATIENT = Limits(patience_s=60.0)
"""A slow disk shall give a slow rate, and no error; the core's buffer holds the frames meanwhile."""
Frame = npt.NDArray[Any]


@dataclass(frozen=True)
class AcquireRates:
    """What was measured at one size."""

    size: int
    series: int
    rates: dict[str, Rate]
    """By what the frames went through."""
    floors: tuple[str, ...]
    """Which of them are parts alone, for comparison."""
    stored_share: float
    """Bytes on the disk for each byte of the frames."""
    lost_frames: int
    """Over all recordings."""
    notes: list[str] = field(default_factory=list)


class Keeper:
    """A sink that keeps one series, and when the first and the last frame came."""

    def __init__(self, keep: int = 0) -> None:
        """Keep the first `keep` frames."""
        self._keep = keep
        self.kept: list[tuple[Frame, FrameTag]] = []
        self.count = 0
        self.first_s = self.last_s = 0.0

    def append(self, frame: Frame, tag: FrameTag) -> None:
        """Count a frame."""
        self.last_s = time.perf_counter()
        self.first_s = self.first_s or self.last_s
        self.count += 1
        if len(self.kept) < self._keep:
            self.kept.append((frame.copy(), tag))

    def mark_missing(self, tag: FrameTag) -> None:
        """Ignore a hole: it shows in the count."""

    def amend(self, tag: FrameTag) -> None:
        """Ignore a verdict."""


class Rig:
    """The simulated microscope, as fast as the computer can. A context manager."""

    def __init__(self, size: int) -> None:
        """Take the size of the frames [pixels], at most `CHIP_PX`."""
        self.size = size
        self.scope: Microscope = load_microscope(config_file("demo.yaml"))

    def __enter__(self) -> "Rig":
        """Load the devices."""
        self.core: CMMCorePlus = open_core(self.scope)
        for what, value in (("Realtime", 0), ("Refresh_ms", 1e6), ("Replay", 1)):
            self.core.setProperty("World", what, value)
        return self

    def __exit__(self, *error: object) -> None:
        """Unload them."""
        shutdown(self.core, self.scope.hardware)

    def acquisition(self, series: int, sink: Keeper | None = None, *, check: bool = False) -> Acquisition:
        """Return an acquisition of `series` series as hardware sequences."""
        corner = (CHIP_PX - self.size) // 2
        channel = self.scope.channels[0].name
        plan = Plan(
            name="benchmark",
            channels=(PlanChannel(name=channel, power_percent=100, exposure_ms=EXPOSURE_MS),),
            time=TimePlan(points=series),
            roi=Region(x=corner, y=corner, width=self.size, height=self.size),
            sequence="hardware",
        )
        return Acquisition(self.core, self.scope, plan, sink, check_patterns=check)


def measure_acquire(size: int, series: int, folder: Path, *, repeats: int = 1) -> AcquireRates:
    """Measure with frames of `size` x `size`, `series` series each, recorded in `folder`; medians of `repeats` rounds.

    Raises:
        ConfigError: the simulated camera has no frames of this size.
        OutputError: `folder` cannot be written, or has too little space.
        DeviceError: the simulated camera is too fast for its buffer.
    """
    if not SMALLEST_PX <= size <= CHIP_PX:
        raise ConfigError(f"acquire: {size} pixels: the simulated camera gives {SMALLEST_PX} to {CHIP_PX}")
    with Rig(size) as rig:
        taken = Keeper(keep=rig.scope.pattern.frames)
        warm = rig.acquisition(1, taken)
        layout = recording_layout(warm).replace(time_points=series)
        warm.run()  # from now on its frames are repeated
        through = _Recordings(layout, series, folder)
        ways: dict[str, Callable[[], Rate]] = {
            "disk alone": lambda: _disk(layout, series, folder),
            "recorder alone": lambda: through.recorded(lambda sink: _from_memory(taken.kept, series, sink)),
            "engine alone": lambda: _engine(rig, series),
            "engine + recorder": lambda: through.recorded(lambda sink: _acquired(rig, series, sink, check=False)),
            "same, patterns checked": lambda: through.recorded(lambda sink: _acquired(rig, series, sink, check=True)),
        }
        rounds = [{name: way() for name, way in ways.items()} for _ in range(repeats)]
    rates = {name: _median([one[name] for one in rounds]) for name in ways}
    floors = ("disk alone", "recorder alone", "engine alone")
    return AcquireRates(size, series, rates, floors, through.stored_share, through.lost, through.notes)


def _median(rates: list[Rate]) -> Rate:
    return sorted(rates, key=lambda one: one.per_s)[len(rates) // 2]


class _Recordings:
    """Recordings that are measured and deleted."""

    def __init__(self, layout: RecordingLayout, series: int, folder: Path) -> None:
        self._layout, self._folder = layout, folder
        self._expected = series * layout.slots
        self.stored_share, self.lost = 0.0, 0
        self.notes: list[str] = []

    def recorded(self, feed: Callable[[Recorder], None]) -> Rate:
        """Return the rate from the first frame until the last was on the disk, fsynced."""
        path = self._folder / "raw.ome.zarr"
        recorder = Recorder(path, self._layout, overwrite=True, limits=PATIENT, on_warning=self._note)
        try:
            feed(recorder)
        finally:
            done = recorder.close(verify=False)
        self.stored_share = done.bytes / max(done.raw_bytes, 1)
        self.lost += self._expected - done.raw_frames
        return rate(done.raw_frames, done.seconds, self._layout.block_bytes // self._layout.slots)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _acquired(rig: Rig, series: int, recorder: Recorder, *, check: bool) -> None:
    acquisition = rig.acquisition(series, check=check)
    acquisition.record_to(recorder)
    acquisition.run()


def _from_memory(kept: list[tuple[Frame, FrameTag]], series: int, recorder: Recorder) -> None:
    for number in range(series):
        for frame, tag in kept:
            recorder.append(frame, FrameTag(number, tag.angle, tag.phase, tag.pattern_id, metadata=tag.metadata))


def _engine(rig: Rig, series: int) -> Rate:
    """Return the rate at which frames come out of the engine; nobody keeps them."""
    sink = Keeper()
    rig.acquisition(series, sink).run()
    return rate(sink.count - 1, sink.last_s - sink.first_s, 2 * rig.size**2)


def _disk(layout: RecordingLayout, series: int, folder: Path) -> Rate:
    """Return the rate of plain files: one for each series, random bytes, written and fsynced as a recorder does."""
    content = memoryview(np.random.default_rng(0).bytes(layout.block_bytes))
    sink, files = FolderSink(folder), [f"disk-{number}" for number in range(series)]
    if sink.free_bytes() < 2 * series * layout.block_bytes:
        raise OutputError(f"{folder}: has no {2e-9 * series * layout.block_bytes:.1f} GB left; choose another --folder")
    start = time.perf_counter()
    for name in files:
        sink.stage(name, content)
        sink.sync(name)
        sink.commit(name)
    seconds = time.perf_counter() - start
    for name in files:
        (folder / name).unlink()
    return rate(series * layout.slots, seconds, layout.block_bytes // layout.slots)
