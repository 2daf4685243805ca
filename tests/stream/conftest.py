"""Series of a small simulated microscope, and an executor that computes at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from rdl_live.files.recorder import FrameTag
from rdl_live.optics import Camera, Channel, Microscope, Optics, PatternSet, evenly_spaced, expose, illumination
from rdl_live.restore import Restored, Unit

SIDE = 64
Frames = npt.NDArray[np.uint16]


class AtOnce(Executor):
    """Computes in `submit`."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Later(Executor):
    """Computes when it is told to."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        self.jobs.append((future, lambda: fn(*args, **kwargs)))
        return future

    def work(self) -> None:
        """Do all that waits."""
        while self.jobs:
            future, job = self.jobs.pop(0)
            future.set_result(job())


class Before:
    """A stage that changes the photons before the reconstruction."""

    has_deferred = False

    def __init__(self, name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.name, self._change = name, change

    def restore(self, unit: Unit) -> Restored:
        assert len(unit.patterns) == 3
        assert unit.physics is not None
        return Restored({"denoised": unit.physics(self._change(unit.photons))}, "denoised")

    def run_deferred(self) -> None:
        raise AssertionError("nothing was put off")


@dataclass(frozen=True)
class Scene:
    """A microscope, its patterns, and series of random points."""

    scope: Microscope
    patterns: PatternSet
    side: int = SIDE

    def series(
        self, seed: int = 0, *, photons: float = 200.0, modulation: float | None = None, turned: int | None = None
    ) -> Frames:
        """Return raw ADU (angle, phase, y, x); `turned` is an orientation that has no stripes."""
        generator = torch.Generator().manual_seed(seed)
        points = (torch.rand(self.side, self.side, generator=generator) < 0.03).float()
        kernel = torch.exp(-((torch.arange(7) - 3.0) ** 2) / 2.5)
        blur = (kernel[:, None] * kernel)[None, None]
        light = illumination(self.patterns, (self.side, self.side), self.scope.optics.pixel_size_um)
        if turned is not None:
            light[turned] = 1.0
        if modulation is not None:
            light = 1 + (light - 1) * modulation / self.patterns[0].modulation[0]
        lit = (light * points).reshape(-1, 1, self.side, self.side)
        image = torch.nn.functional.conv2d(lit, blur, padding=3).reshape(light.shape)
        image *= photons / image.mean()
        return expose(image, self.scope.camera, generator=generator).numpy()


def tags(time: int, *, channel: int = 0) -> list[FrameTag]:
    """Return the tags of a 3 x 3 series in the order of display."""
    return [
        FrameTag(
            time, a, p, pattern_id=9 * channel + 3 * a + p, timestamp_s=0.1 * time + 0.01 * (3 * a + p), channel=channel
        )
        for a in range(3)
        for p in range(3)
    ]


def frames_of(series: Frames, time: int, *, channel: int = 0) -> list[tuple[Frames, FrameTag]]:
    """Return the frames of a series with their tags."""
    return [(series[tag.angle, tag.phase], tag) for tag in tags(time, channel=channel)]


def scene_of(side: int) -> Scene:
    """Return a 3 x 3 microscope with frames of `side` pixels."""
    scope = Microscope(
        name="test",
        optics=Optics(na=1.4, pixel_size_um=0.07),
        channels=(
            Channel(name="488", excitation_nm=488, emission_nm=525),
            Channel(name="560", excitation_nm=560, emission_nm=600),
        ),
        camera=Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=1.5),
    )
    patterns = evenly_spaced(0.21, first_angle_deg=12, modulation=(0.8,), first_phase_rad=0.4)
    return Scene(scope, patterns, side)


@pytest.fixture
def scene() -> Scene:
    """The usual scene, 64 x 64."""
    return scene_of(SIDE)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute as a live run does; more threads wait for each other on a busy computer."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
