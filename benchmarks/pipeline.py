"""Images a second through the pipeline, with series from memory: the camera's pace does not hold it back."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from benchmarks.measure import floor
from benchmarks.rates import Rate, rate
from benchmarks.scene import Scene, make_scene
from rdl_live.app.live.parts import live_threads
from rdl_live.app.live.values import LiveOptions
from rdl_live.files.recorder import FrameTag
from rdl_live.optics import PatternSet, Reconstructor, estimate_patterns
from rdl_live.stream import Frame, Pipeline, background

PATIENCE_S = 120.0
"""How long the first patterns may take."""
Step = Callable[[], bool]


@dataclass(frozen=True)
class PipelineRates:
    """What was measured at one size."""

    size: int
    photons: float
    threads: int
    """Of torch: as many as a live run gives to the pipeline."""
    rates: dict[str, Rate]
    """Images a second, by how they were made."""
    floors: tuple[str, ...]
    """Which of them are parts alone, for comparison."""


@dataclass(frozen=True)
class PipelineSettings:
    """How a pipeline is measured."""

    patterns: tuple[PatternSet, ...] | None = None
    """Known patterns; None: estimated in the background meanwhile, as often as in a live run."""


def measure_pipeline(size: int, *, photons: float, seconds: float, seed: int = 1) -> PipelineRates:
    """Measure each way for about `seconds`, with as many threads as a live run uses."""
    scene = make_scene(size, photons=photons, seed=seed)
    before, threads = torch.get_num_threads(), live_threads()
    torch.set_num_threads(threads)
    try:
        rates = _rates(scene, seconds)
    finally:
        torch.set_num_threads(before)
    return PipelineRates(size, photons, threads, rates, ("transforms alone", "reconstruction alone"))


def _rates(scene: Scene, seconds: float) -> dict[str, Rate]:
    shape = scene.adu.shape[-2:]
    patterns = estimate_patterns(scene.adu, scene.scope)
    reconstructor = Reconstructor(scene.scope, patterns, shape=shape, device="cpu")
    reconstructor.calibrate(scene.adu)  # once, as the pipeline does
    transform = floor(scene)

    def alone(step: Callable[[], object]) -> Rate:
        step()  # unmeasured: what is made once
        return _timed(lambda: step() is not None, seconds, image_bytes(scene))

    known = PipelineSettings(patterns=(patterns,))
    return {
        "transforms alone": alone(transform),
        "reconstruction alone": alone(lambda: reconstructor(scene.adu)),
        "pipeline": _piped(scene, seconds, known),
        "same, estimating": _piped(scene, seconds, PipelineSettings()),
    }


def _piped(scene: Scene, seconds: float, settings: PipelineSettings) -> Rate:
    """Feed a pipeline without rest, from the moment that it knows the patterns."""
    executor = background()
    try:
        pipeline = Pipeline(
            scene.scope,
            scene.scope.channels,
            scene.adu.shape[-2:],
            executor,
            patterns=settings.patterns,
            estimate_every_s=LiveOptions.estimate_every_s,
        )
        frames = _frames(scene)

        def push() -> bool:
            frame, tag = next(frames)
            return pipeline.push(frame, tag, time.perf_counter()) is not None

        deadline = time.perf_counter() + PATIENCE_S
        while not push():
            if time.perf_counter() > deadline:
                raise RuntimeError(f"no image after {PATIENCE_S:g} s")
            if pipeline.status.awaiting_patterns:
                time.sleep(1e-3)  # leave the computer to the first estimation
        return _timed(push, seconds, image_bytes(scene))
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _frames(scene: Scene) -> Iterator[tuple[Frame, FrameTag]]:
    """The same series again and again, tagged as those of an acquisition."""
    angles, phases = scene.adu.shape[:2]
    for number in itertools.count():
        for angle, phase in itertools.product(range(angles), range(phases)):
            yield scene.adu[angle, phase], FrameTag(number, angle, phase, pattern_id=phases * angle + phase)


def image_bytes(scene: Scene) -> int:
    """Return the size of an SR image of the scene [bytes]."""
    return scene.truth.nbytes


def _timed(step: Step, seconds: float, size: int) -> Rate:
    """Repeat `step` for `seconds` and until it has given an image; return the rate of images."""
    images = 0
    start = now = time.perf_counter()
    while now - start < seconds or not images:
        images += step()
        now = time.perf_counter()
    return rate(images, now - start, size)
