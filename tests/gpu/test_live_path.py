"""On a graphics card: the same images as on the processor, recorded as a graph or not, in 8 GiB or more."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from rdl_live.files.recorder import FrameTag
from rdl_live.optics import Camera, Channel, Microscope, Optics, Reconstructor, to_photons
from rdl_live.restore import Restorer
from rdl_live.restore.live import quick_half
from rdl_live.specimen import SimulatedSeries, SpecimenSettings, simulate
from rdl_live.stream import PipelineRecipe, background
from rdl_live.stream.upload import Upload, pin

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")]

GPU = torch.device("cuda")
SIDE = 160


@pytest.fixture(scope="module")
def scope() -> Microscope:
    return Microscope(
        name="test",
        optics=Optics(na=1.4, pixel_size_um=0.07),
        channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
        camera=Camera(offset_adu=100.0, gain_e_per_adu=0.5, read_noise_e=1.0),
    )


def record(scope: Microscope, side: int, seed: int = 1, photons: float = 20.0) -> SimulatedSeries:
    specimen = SpecimenSettings(kind="filaments", seed=3)
    return simulate(scope, specimen, photons=photons, shape=(side, side), seed=seed).series(0)


def close(mine: torch.Tensor, its: torch.Tensor, share: float) -> bool:
    return float((mine.cpu() - its.cpu()).abs().max()) <= share * float(its.abs().max())


def test_reconstruction_is_that_of_the_processor(scope: Microscope) -> None:
    series = record(scope, SIDE)
    images = [Reconstructor(scope, series.patterns, (SIDE, SIDE), device)(series.adu) for device in ("cpu", GPU)]
    assert close(images[1], images[0], 1e-4)


def test_restorations_are_those_of_the_processor_and_recorded(scope: Microscope) -> None:
    several = [record(scope, SIDE, seed, photons) for seed, photons in ((1, 20.0), (2, 35.0), (3, 12.0), (4, 20.0))]
    cpu, gpu = (Restorer(scope, several[0].patterns, (SIDE, SIDE), "rdl", device) for device in ("cpu", GPU))
    for series in several:
        mine, its = gpu.restore(series.adu), cpu.restore(series.adu)
        assert close(mine.sr, its.sr, 1e-3)
        assert mine.sim is not None
        assert its.sim is not None
        assert close(mine.sim, its.sim, 1e-3)
        assert mine.sigma is not None
        assert its.sigma is not None
        assert close(mine.sigma, its.sigma, 1e-2)
    assert gpu._graph is not None
    assert gpu._graph._play is not None, "nothing was recorded: see the log"


def test_half_precision_is_recorded_too(scope: Microscope) -> None:
    if not quick_half(GPU):
        pytest.skip("this card has no bfloat16")
    series = record(scope, SIDE)
    full, half = (Restorer(scope, series.patterns, (SIDE, SIDE), "rdl", GPU, half=half) for half in (False, True))
    for _ in range(3):
        assert close(half.restore(series.adu).sr, full.restore(series.adu).sr, 0.03)
    assert half._graph is not None
    assert half._graph._play is not None


def _pushed(recipe: PipelineRecipe, frames: np.ndarray, count: int) -> Iterator[torch.Tensor]:
    executor = background()
    try:
        pipeline = recipe.build(executor, lambda _: None)
        for number in range(count):
            for angle, phase in np.ndindex(3, 3):
                tag = FrameTag(number, angle, phase, pattern_id=3 * angle + phase)
                result = pipeline.push(frames[number % len(frames), angle, phase], tag)
                if result is not None:
                    yield result.sr.cpu()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@pytest.mark.parametrize("denoise", ["none", "rdl"])
def test_the_pipeline_sends_every_frame_to_its_place(scope: Microscope, denoise: str) -> None:
    several = [record(scope, SIDE, seed) for seed in (1, 2, 3)]
    frames = np.stack([series.adu.numpy() for series in several])
    found = {}
    for device in ("cpu", "cuda"):
        recipe = PipelineRecipe(
            scope, scope.channels, (SIDE, SIDE), patterns=(several[0].patterns,), denoise=denoise, device=device
        )
        found[device] = list(_pushed(recipe, frames, 9))
    assert len(found["cuda"]) == len(found["cpu"]) == 9
    share = 0.05 if denoise == "rdl" else 1e-4  # live, the network computes in bfloat16
    assert all(close(mine, its, share) for mine, its in zip(found["cuda"], found["cpu"], strict=True))


def test_pinned_memory_comes_over_whole(scope: Microscope) -> None:
    upload = Upload(GPU, (3, 3, SIDE, SIDE), np.uint16)
    frames = record(scope, SIDE).adu.numpy()
    buffer = np.zeros_like(frames)
    for slot in np.ndindex(3, 3):
        buffer[slot] = frames[slot]
        upload.sent(buffer, slot)  # type: ignore[arg-type]
    photons = upload.photons(buffer, scope.camera, None)
    assert torch.equal(photons.cpu(), to_photons(torch.from_numpy(frames), scope.camera))
    assert pin(np.zeros(4096, np.uint8), GPU)


@pytest.mark.slow
def test_large_frames_fit_into_a_small_card() -> None:
    from benchmarks.card import measure_small_card

    found = measure_small_card(2048)
    assert found.peak_gib is not None
    assert found.peak_gib < 8
    assert found.seam < 0.03
