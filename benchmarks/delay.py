"""From a series' last raw frame to its image in the viewer's mailbox, beside the time that computing it takes.

Frames come at a camera's pace that leaves the computer some rest, so what is measured is delay and not a queue.
"""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.scene import Scene, make_scene
from rdl_live.app.live.parts import live_threads
from rdl_live.app.session.mailbox import Mailbox
from rdl_live.files.recorder import FrameTag
from rdl_live.optics import estimate_patterns
from rdl_live.stream import PipelineRecipe, ProcessHost, Result, SeriesQueue, background

WARM, PATIENCE_S = 3, 120.0
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
    delays, dropped = _delays(recipe, scene, series, frame_s)
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


def _delays(recipe: PipelineRecipe, scene: Scene, series: int, frame_s: float) -> tuple[list[float], int]:
    """Return the delays through queue, process and mailbox [s], and how many series were dropped."""
    mailbox, delays = Mailbox(), list[float]()
    mailbox.open(scene.scope, (scene.scope.channels[0].name,), scene.scope.optics.pixel_size_um)

    def seen(result: Result) -> None:
        delays.append(time.perf_counter() - result.arrived_s)

    queue = SeriesQueue(scene.adu[..., 0, 0].size)
    host = ProcessHost(recipe, queue, (mailbox.put_result, seen))
    host.start()
    try:
        if not host.wait_ready(PATIENCE_S):
            raise RuntimeError("the process that computes did not start")
        due = time.perf_counter()
        for number in range(WARM + series):
            if number <= WARM:  # what is made once, for the first ones, must leave no queue behind
                _until(lambda number=number: len(delays) >= number)  # type: ignore[misc]
            for tag in _tags(scene, number):
                due = max(due + frame_s, time.perf_counter())
                _until(lambda due=due: time.perf_counter() >= due)  # type: ignore[misc]
                queue.offer(scene.adu[tag.angle, tag.phase], tag)
        _until(lambda: len(delays) >= WARM + series - queue.status.dropped_series)
        dropped = queue.status.dropped_series
    finally:
        host.stop()
    return delays[WARM:], dropped


def _until(done: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + PATIENCE_S
    while not done():
        if time.perf_counter() > deadline:
            raise RuntimeError(f"no image after {PATIENCE_S:g} s")
        time.sleep(2e-4)


def _tags(scene: Scene, number: int) -> list[FrameTag]:
    angles, phases = scene.adu.shape[:2]
    places = itertools.product(range(angles), range(phases))
    return [FrameTag(number, angle, phase, pattern_id=phases * angle + phase) for angle, phase in places]
