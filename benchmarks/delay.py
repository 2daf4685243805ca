"""From a series' last raw frame, when it is read from the camera, to its image in the viewer's mailbox.

A whole `LiveRun` on the simulated microscope, as a user runs it: engine, pattern check, recorder, queue, process. Its
camera shows the same frames again and again, at a pace that leaves the computer some rest, so what is measured is
delay and not a queue. Beside it stands the time that computing the image takes alone.
"""

import itertools
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.acquire import CHIP_PX
from benchmarks.scene import Scene, make_scene
from rdl_live.acquire import Plan, PlanChannel, Region, TimePlan
from rdl_live.app.config_files import config_file
from rdl_live.app.live.parts import live_threads
from rdl_live.app.live.run import LiveRun
from rdl_live.app.live.values import LiveOptions
from rdl_live.app.session.mailbox import Mailbox
from rdl_live.files import load_microscope
from rdl_live.files.recorder import FrameTag
from rdl_live.optics import Microscope, estimate_patterns
from rdl_live.stream import PipelineRecipe, Result, background

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

WARM = 3
"""Series before those that count: the patterns are found in them."""
REST = 2.0
"""The camera takes so many times as long for a series as the computation does."""
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
    """Median time that the last frame's turn in the pipeline takes, alone in this process."""
    compute_p95_ms: float
    delay_ms: float
    """Median time from the last raw frame until the viewer may take the image."""
    delay_p95_ms: float
    dropped: int

    @property
    def excess_ms(self) -> float:
        """How much later the 95th percentile is than the computing time."""
        return self.delay_p95_ms - self.compute_ms


def measure_delay(size: int, denoiser: str, *, series: int, seed: int = 1) -> Delay:
    """Measure with as many threads as a live run uses."""
    scene = make_scene(size, photons=50.0, seed=seed)
    patterns = estimate_patterns(scene.adu, scene.scope)
    recipe = PipelineRecipe(
        scene.scope,
        scene.scope.channels[:1],
        (size, size),
        dtype=str(scene.adu.dtype),
        patterns=(patterns,),
        denoise=denoiser,
        threads=live_threads(),
    )
    computing = _computing(recipe, scene, series)
    frame_s = max(2e-3, REST * float(np.median(computing)) / scene.adu[..., 0, 0].size)
    delays, dropped = _delays(recipe, series, frame_s)
    computed, late = (1e3 * np.percentile(times, (50, 95)) for times in (computing, delays))
    return Delay(size, denoiser, 1e3 * frame_s, len(delays), *map(float, (*computed, *late)), dropped)


def _computing(recipe: PipelineRecipe, scene: Scene, series: int) -> list[float]:
    """Return how long the pipeline takes when a series is complete [s]."""
    before = torch.get_num_threads()
    torch.set_num_threads(recipe.threads)
    executor, times = background(), []
    try:
        pipeline = recipe.build(executor, lambda _: None)
        for number in range(WARM + series):
            for tag in _tags(scene, number):
                began = time.perf_counter()
                if pipeline.push(scene.adu[tag.angle, tag.phase], tag, began) is not None:
                    times.append(time.perf_counter() - began)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(before)
    return times[WARM:]


def _delays(recipe: PipelineRecipe, series: int, frame_s: float) -> tuple[list[float], int]:
    """Return the delays of a live run [s], and how many series were dropped."""
    scope = load_microscope(config_file("demo.yaml"))
    mailbox, delays = Mailbox(), list[float]()
    channel, side = scope.channels[0].name, recipe.shape[0]
    mailbox.open(scope, (channel,), scope.optics.pixel_size_um)

    def seen(result: Result) -> None:
        if result.key.time >= WARM:
            delays.append(time.perf_counter() - result.arrived_s)

    with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=".") as folder:
        options = LiveOptions(denoise=recipe.denoise, estimate_every_s=1e6)
        plan = _plan(scope, channel, side, WARM + series, frame_s)
        receivers = (mailbox.put_result, seen)
        with LiveRun(scope, plan, Path(folder), options, prepare=_replay, receivers=receivers) as run:
            run.start()
            outcome = run.finish()
    return delays, outcome.sr_dropped


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
