"""The camera: mean and variance, ceiling, maps, the way back."""

import pytest
import torch

from rdl_live.errors import ConfigError
from rdl_live.optics.microscope import Camera
from rdl_live.optics.noise import CameraMaps, expose, to_photons

SHAPE = (300, 400)
N = SHAPE[0] * SHAPE[1]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


CAMERAS = [
    Camera(offset_adu=100, gain_e_per_adu=0.46, read_noise_e=1.6),
    Camera(offset_adu=0, gain_e_per_adu=1, read_noise_e=0),
    Camera(offset_adu=500, gain_e_per_adu=2.2, read_noise_e=6),
]


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("photons", [3.0, 20.0, 200.0, 5000.0])
def test_mean_and_variance(camera: Camera, photons: float) -> None:
    if photons < 10 and camera.offset_adu == 0 and camera.read_noise_e > 0:
        pytest.skip("clipping at 0 would bias the mean")
    adu = expose(torch.full(SHAPE, photons), camera, generator=generator()).to(torch.float64)
    mean = camera.offset_adu + photons / camera.gain_e_per_adu
    # Rounding to whole ADU adds the variance of a uniform distribution, where there are fractions to round.
    rounding = 1 / 12 if camera.read_noise_e > 0 else 0.0
    variance = (photons + camera.read_noise_e**2) / camera.gain_e_per_adu**2 + rounding
    assert adu.mean().item() == pytest.approx(mean, abs=5 * (variance / N) ** 0.5)
    excess = 1 / photons  # of the Poisson distribution's fourth moment
    assert adu.var().item() == pytest.approx(variance, rel=5 * ((2 + excess) / N) ** 0.5)


def test_poisson_is_exact_where_it_is_dark() -> None:
    counts = expose(torch.full(SHAPE, 1.5), Camera(), generator=generator()).to(torch.int64)
    frequency = torch.bincount(counts.flatten(), minlength=4)[:4].to(torch.float64) / N
    expected = torch.tensor([0.22313, 0.33470, 0.25102, 0.12551], dtype=torch.float64)
    torch.testing.assert_close(frequency, expected, atol=0.006, rtol=0)


def test_pixels_are_independent() -> None:
    noise = expose(torch.full(SHAPE, 50.0), CAMERAS[0], generator=generator()).to(torch.float64)
    noise = noise - noise.mean()
    correlation = (noise[:, 1:] * noise[:, :-1]).mean() / noise.var()
    assert abs(correlation.item()) < 5 / N**0.5


def test_seed() -> None:
    photons = torch.full((32, 32), 20.0)
    once, again, other = (expose(photons, CAMERAS[0], generator=generator(s)) for s in (1, 1, 2))
    assert torch.equal(once, again)
    assert not torch.equal(once.to(torch.int32), other.to(torch.int32))


@pytest.mark.parametrize(
    ("camera", "dtype", "ceiling"),
    [
        (Camera(saturation_adu=4095), torch.uint16, 4095),
        (Camera(), torch.uint16, 65535),
        (Camera(), torch.uint8, 255),
        (Camera(saturation_adu=1e5), torch.uint16, 65535),
        (Camera(saturation_adu=1e5), torch.int32, 100000),
        (Camera(), torch.int32, 2**31 - 1),
    ],
)
def test_saturation(camera: Camera, dtype: torch.dtype, ceiling: int) -> None:
    adu = expose(torch.full((4, 4), 1e10), camera, generator=generator(), dtype=dtype)
    assert adu.dtype == dtype
    assert (adu.to(torch.int64) == ceiling).all()


def test_never_below_zero() -> None:
    camera = Camera(offset_adu=1, read_noise_e=20)
    adu = expose(torch.full((64, 64), -1e-4), camera, generator=generator())
    assert adu.to(torch.int64).min() == 0
    assert adu.to(torch.int64).max() < 150


def test_maps_take_the_place_of_the_numbers() -> None:
    y = torch.linspace(0, 1, 40)[:, None].expand(40, 50)
    offset, gain, variance = 90 + 20 * y, 1.5 + y, 4 + 30 * y
    maps = CameraMaps.from_scmos(offset, gain, variance)
    adu = expose(torch.full((3000, 40, 50), 12.0), CAMERAS[0], generator=generator(), maps=maps)
    adu = adu.to(torch.float32)
    torch.testing.assert_close(adu.mean((0, 2)), (offset + 12 * gain)[:, 0], rtol=0, atol=0.15)
    expected = (12 * gain**2 + variance + 1 / 12)[:, 0]
    torch.testing.assert_close(adu.var(0).mean(1), expected, rtol=0.03, atol=0)
    assert to_photons(adu, CAMERAS[0], maps).mean().item() == pytest.approx(12, abs=0.02)


def test_maps_of_one_value_are_the_camera() -> None:
    camera = CAMERAS[0]
    full = [torch.full((8, 9), v) for v in (100.0, 1 / 0.46, (1.6 / 0.46) ** 2)]
    photons = torch.full((8, 9), 30.0)
    with_maps = expose(photons, camera, generator=generator(), maps=CameraMaps.from_scmos(*full))
    assert torch.equal(with_maps, expose(photons, camera, generator=generator()))


def test_crop() -> None:
    values = torch.arange(30.0).reshape(5, 6) + 1
    part = CameraMaps(values, values, values).crop(1, 2, (3, 4))
    assert torch.equal(part.gain_e_per_adu, values[1:4, 2:6])


@pytest.mark.parametrize("camera", CAMERAS)
def test_round_trip(camera: Camera) -> None:
    adu = torch.arange(0, 60000, 7).to(torch.int32)
    photons = to_photons(adu.to(torch.uint16), camera)
    assert photons.dtype == torch.float32
    torch.testing.assert_close(
        photons / camera.gain_e_per_adu + camera.offset_adu, adu.to(torch.float32), rtol=1e-6, atol=1e-3
    )


def test_frames_of_any_rank() -> None:
    assert expose(torch.ones(2, 3, 3, 8, 9), CAMERAS[0], generator=generator()).shape == (2, 3, 3, 8, 9)


ONES = torch.ones(4, 5)


@pytest.mark.parametrize(
    ("offset", "gain", "variance", "word"),
    [
        (ONES, ONES[:3], ONES[:3], "gain_e_per_adu"),
        (ONES, ONES, ONES[:3], "variance"),
        (ONES, 0 * ONES, ONES, "gain"),
        (ONES, ONES, -ONES, "variance"),
        (ONES * float("nan"), ONES, ONES, "offset_adu"),
        (ONES[0], ONES[0], ONES[0], "offset_adu"),
    ],
)
def test_bad_maps(offset: torch.Tensor, gain: torch.Tensor, variance: torch.Tensor, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        CameraMaps.from_scmos(offset, gain, variance)
