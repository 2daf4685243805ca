"""From a series' last raw frame, when it is read from the camera, to its image in the viewer's mailbox.

A whole `LiveRun` on the simulated microscope, as a user runs it: engine, pattern check, recorder, queue, process. Its
camera shows the same frames again and again, at a pace that leaves the computer some rest, so what is measured is
delay and not a queue: the share of the processors that was busy stands beside it.

Beside it stands the time that computing the image takes alone: the same pipeline with the same number of threads, in
the same kind of process, and as rested, with series from memory and nothing else running.
"""

import itertools
import os
import queue
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.acquire import CHIP_PX
from benchmarks.scene import Scene, make_scene
from rdl_live.acquire import Plan, PlanChannel, Region, TimePlan
from rdl_live.app.config_files import config_file
from rdl_live.app.live.parts import host_of, live_threads, queue_of
from rdl_live.app.live.run import LiveRun
from rdl_live.app.live.values import LiveOptions
from rdl_live.app.session.mailbox import Mailbox
from rdl_live.files import load_microscope
from rdl_live.files.recorder import FrameTag
from rdl_live.optics import Microscope
from rdl_live.stream import PipelineRecipe, Result

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

WARM = 3
"""Images before those that count."""
SEARCH = 12
"""Series in which the patterns are found, at the most."""
REST = 2.0
"""The camera takes so many times as long for a series as the computation does."""
SHORTEST_S = 5e-3
"""From frame to frame at least: acquiring and recording take time, too, and the camera is computed here."""
ONCE_S = 1e6
"""The patterns are estimated once: what that takes is measured elsewhere (`pipeline`)."""
PATIENCE_S = 120.0
WANTED_MS = 10.0
"""How much later than after the computing time 95 % of the images may be there."""


@dataclass(frozen=True)
class Delay:
    """One size and denoiser."""

    size: int
    denoiser: str
    frame_ms: float
    """Time between two raw frames."""
    series: int
    compute_ms: float
    """Median time that the pipeline takes for an image once its series is whole, alone."""
    compute_p95_ms: float
    live_compute_ms: float
    """The same in the live run, where camera, acquisition and recording share the processors."""
    delay_ms: float
    """Median time from the last raw frame until the viewer may take the image."""
    delay_p95_ms: float
    dropped: int
    busy: float | None
    """Share of the processors that the live run took; None where the system does not say."""

    @property
    def excess_ms(self) -> float:
        """How much later the 95th percentile is than the computing time."""
        return self.delay_p95_ms - self.compute_ms


def measure_delay(size: int, denoiser: str, *, series: int, seed: int = 1) -> Delay:
    """Measure with as many threads as a live run uses."""
    scene = make_scene(size, photons=50.0, seed=seed)
    recipe = PipelineRecipe(
        scene.scope,
        scene.scope.channels[:1],
        (size, size),
        dtype=str(scene.adu.dtype),
        denoise=denoiser,
        estimate_every_s=ONCE_S,
        threads=live_threads(),
    )
    computing = _computing(recipe, scene, series)
    frame_s = max(SHORTEST_S, REST * float(np.median(computing)) / scene.scope.pattern.frames)
    live = _delays(recipe, series, frame_s)
    computed, late = (1e3 * np.percentile(times, (50, 95)) for times in (computing, live.delays))
    return Delay(
        size,
        denoiser,
        1e3 * frame_s,
        len(live.delays),
        *map(float, computed),
        1e3 * float(np.median(live.computing)),
        *map(float, late),
        live.dropped,
        live.busy,
    )


def _computing(recipe: PipelineRecipe, scene: Scene, series: int) -> list[float]:
    """Return how long the pipeline takes when a series is complete [s]; one at a time, with rest between."""
    options, results = LiveOptions(denoise=recipe.denoise), queue.Queue[Result]()
    frames = queue_of(recipe, options)
    host = host_of(recipe, options, frames, [results.put], print)
    host.start()
    times: list[float] = []
    try:
        host.wait_ready(PATIENCE_S)
        deadline = time.monotonic() + PATIENCE_S
        for number in itertools.count():
            for tag in _tags(scene, number):
                frames.offer(scene.adu[tag.angle, tag.phase], tag, time.perf_counter())
            try:
                result = results.get(timeout=PATIENCE_S if times else 1.0)
            except queue.Empty:  # its patterns are being found
                if time.monotonic() > deadline:
                    raise
                continue
            times.append(result.computed_s)
            if len(times) == WARM + series:
                return times[WARM:]
            time.sleep((REST - 1) * result.computed_s)
    finally:
        host.stop()
    return times


@dataclass
class _Live:
    """What a live run gave."""

    delays: list[float]
    """[s]"""
    computing: list[float]
    """[s]"""
    dropped: int = 0
    busy: float | None = None


def _delays(recipe: PipelineRecipe, series: int, frame_s: float) -> _Live:
    """Measure in a live run."""
    scope = load_microscope(config_file("demo.yaml"))
    mailbox, found = Mailbox(), _Live([], [])
    channel, side = scope.channels[0].name, recipe.shape[0]
    mailbox.open(scope, (channel,), scope.optics.pixel_size_um)
    marks: list[tuple[float, float | None]] = []

    def seen(result: Result) -> None:
        found.delays.append(time.perf_counter() - result.arrived_s)
        found.computing.append(result.computed_s)
        if len(found.delays) == WARM:
            marks.append((time.perf_counter(), _spent_s(run.worker_pid)))
        elif len(found.delays) > WARM:
            marks[1:] = [(time.perf_counter(), _spent_s(run.worker_pid))]

    with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=".") as folder:
        options = LiveOptions(denoise=recipe.denoise, estimate_every_s=recipe.estimate_every_s)
        plan = _plan(scope, channel, side, SEARCH + WARM + series, frame_s)
        receivers = (mailbox.put_result, seen)
        with LiveRun(scope, plan, Path(folder), options, prepare=_replay, receivers=receivers) as run:
            run.start()
            outcome = run.finish()
    return _Live(found.delays[WARM:], found.computing[WARM:], outcome.sr_dropped, _busy(marks))


def _spent_s(worker: int | None) -> float | None:
    """Return the processors' time of this process and of the one that computes, so far [s]; None where unknown."""
    try:
        fields = Path(f"/proc/{worker}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return None
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _busy(marks: list[tuple[float, float | None]]) -> float | None:
    """Return the share of the processors between the first and the last mark."""
    if len(marks) < 2 or marks[0][1] is None or marks[1][1] is None:
        return None
    return (marks[1][1] - marks[0][1]) / (marks[1][0] - marks[0][0]) / (os.cpu_count() or 1)


def _plan(scope: Microscope, channel: str, side: int, points: int, frame_s: float) -> Plan:
    readout_ms = scope.hardware.camera.readout_ms if scope.hardware else 0.0
    corner = (CHIP_PX - side) // 2
    return Plan(
        name="delay",
        channels=(PlanChannel(name=channel, power_percent=50, exposure_ms=max(1e3 * frame_s - readout_ms, 1.0)),),
        time=TimePlan(points=points),
        roi=Region(x=corner, y=corner, width=side, height=side),
        sequence="hardware",
    )


def _replay(core: "CMMCorePlus") -> None:
    """Have the camera cost as little as a real one."""
    for what, value in (("Refresh_ms", 1e6), ("Replay", 1)):
        core.setProperty("World", what, value)


def _tags(scene: Scene, number: int) -> list[FrameTag]:
    angles, phases = scene.adu.shape[:2]
    places = itertools.product(range(angles), range(phases))
    return [FrameTag(number, angle, phase, pattern_id=phases * angle + phase) for angle, phase in places]
