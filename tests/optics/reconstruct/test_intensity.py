"""Light is neither made nor lost, whatever the frame's size, the camera or the options."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from rdl_live.errors import ConfigError, DataError
from rdl_live.optics import (
    Apodization,
    Attenuation,
    Camera,
    CameraMaps,
    Otf,
    PatternSet,
    Reconstructor,
    evenly_spaced,
    illumination,
)
from tests.optics.reconstruct.conftest import LINEAR, SCOPE, scope_for, uneven

SHAPE = (40, 46)
NONLINEAR = evenly_spaced(0.3, 5, 5, first_angle_deg=8.0, modulation=(0.8, 0.3))
FOUR_PHASES = evenly_spaced(0.24, 3, 4, first_angle_deg=8.0, modulation=(0.8,))


def flat_field(patterns: PatternSet, shape: tuple[int, int], photons: float) -> Tensor:
    """Return what the camera sees of a uniform specimen: the illumination through the OTF."""
    otf = Otf.of(SCOPE)
    seen = []
    for pattern in patterns:
        depths = []
        for harmonic, depth in enumerate(pattern.modulation, start=1):
            k = torch.tensor([harmonic * pattern.kx, harmonic * pattern.ky], dtype=torch.float64)
            depths.append(depth * float(otf(k[0], k[1])))
        seen.append(pattern.replace(modulation=tuple(depths)))
    return photons * illumination(PatternSet(patterns=tuple(seen)), shape, otf.pixel_um)


@settings(max_examples=15)
@given(rows=st.integers(16, 130), columns=st.integers(16, 130))
@example(rows=16, columns=16)
@example(rows=17, columns=299)
@example(rows=257, columns=33)
def test_any_frame_size(rows: int, columns: int) -> None:
    """A flat field of n photons gives n everywhere, edges and corners included."""
    image = Reconstructor(SCOPE, LINEAR, (rows, columns), wiener=0.05)(flat_field(LINEAR, (rows, columns), 50.0))
    assert image.shape == (2 * rows, 2 * columns)
    assert (image - 50).abs().max() < 0.5


@pytest.mark.parametrize("patterns", [uneven(LINEAR), NONLINEAR, FOUR_PHASES], ids=["uneven", "5x5", "3x4"])
@pytest.mark.parametrize("wiener", [None, 0.02, 0.3])
def test_flat_field(patterns: PatternSet, wiener: float | None) -> None:
    image = Reconstructor(scope_for(patterns), patterns, SHAPE, wiener=wiener)(flat_field(patterns, SHAPE, 80.0))
    assert (image - 80).abs().max() < 0.8


@pytest.mark.parametrize("apodization", list(Apodization))
@pytest.mark.parametrize("attenuation", [None, Attenuation(0.9, 1.0)])
@pytest.mark.parametrize("wiener", [None, 0.02, 0.3])
def test_mean_is_kept(
    apodization: Apodization, attenuation: Attenuation | None, wiener: float | None, rough: Callable[..., Tensor]
) -> None:
    """The mean of an image with structure up to its edges is that of its frames."""
    texture = torch.nn.functional.avg_pool2d(rough(1, 126, 138), 3)[0]
    frames = flat_field(LINEAR, texture.shape, 1.0) * texture
    rec = Reconstructor(SCOPE, LINEAR, texture.shape, wiener=wiener, apodization=apodization, attenuation=attenuation)
    assert rec(frames).mean().item() == pytest.approx(frames.mean().item(), rel=3e-3)


@pytest.mark.parametrize("factor", [0.01, 7.0, 1e4])
def test_linear(factor: float, rough: Callable[..., Tensor]) -> None:
    one, other = rough(2, 3, 3, *SHAPE)
    rec = Reconstructor(SCOPE, LINEAR, SHAPE, wiener=0.1)
    together = rec(one + factor * other)
    apart = rec(one) + factor * rec(other)
    assert (together - apart).abs().max() < 1e-5 * apart.abs().max()


@pytest.mark.parametrize("factor", [0.05, 100.0])
def test_measured_damping_follows_the_light(factor: float, rough: Callable[..., Tensor]) -> None:
    """Frames scaled as a whole, noise included: the same image, scaled."""
    frames = rough(3, 3, *SHAPE)
    image = Reconstructor(SCOPE, LINEAR, SHAPE)(frames)
    scaled = Reconstructor(SCOPE, LINEAR, SHAPE)(frames * factor)
    assert (scaled - factor * image).abs().max() < 1e-3 * factor * image.abs().max()


@pytest.mark.parametrize("level", [0.0, 1.0, 60000.0])
@pytest.mark.parametrize("wiener", [None, 0.1])
def test_constant_frames(level: float, wiener: float | None) -> None:
    """Frames without pattern or structure: no NaN, no fringes."""
    image = Reconstructor(SCOPE, LINEAR, SHAPE, wiener=wiener)(torch.full((3, 3, *SHAPE), level))
    assert torch.isfinite(image).all()
    assert (image - level).abs().max() <= 0.01 * level


@pytest.mark.parametrize("photons", [0.01, 1.0, 1000.0])
def test_noise_only(photons: float) -> None:
    """Noise without a specimen is hardly amplified; its mean stays."""
    generator = torch.Generator().manual_seed(1)
    frames = torch.poisson(torch.full((3, 3, 64, 64), photons), generator=generator)
    image = Reconstructor(SCOPE, LINEAR, (64, 64))(frames)
    assert torch.isfinite(image).all()
    assert image.mean().item() == pytest.approx(frames.mean().item(), rel=0.01, abs=1e-3)
    assert image.std() < 2 * frames.mean((0, 1)).std()


def test_nothing_but_one_hot_pixel() -> None:
    frames = torch.zeros(3, 3, *SHAPE)
    frames[1, 1, 20, 20] = 65535
    assert torch.isfinite(Reconstructor(SCOPE, LINEAR, SHAPE)(frames)).all()


def test_below_the_offset() -> None:
    """A dark series whose mean is below zero after the offset is taken off."""
    scope = SCOPE.replace(camera=Camera(offset_adu=110, read_noise_e=2.0).model_dump())
    frames = 100 + 3 * torch.randn((3, 3, *SHAPE), generator=torch.Generator().manual_seed(2))
    image = Reconstructor(scope, LINEAR, SHAPE)(frames)
    assert torch.isfinite(image).all()
    assert image.mean().item() == pytest.approx(-10, abs=0.1)


def test_camera_maps(rough: Callable[..., Tensor]) -> None:
    photons = rough(3, 3, *SHAPE)
    generator = torch.Generator().manual_seed(4)
    offset = 100 + 20 * torch.rand(SHAPE, generator=generator)
    gain = 0.3 + 0.4 * torch.rand(SHAPE, generator=generator)
    maps = CameraMaps(offset, gain, torch.zeros(SHAPE))
    wanted = Reconstructor(SCOPE, LINEAR, SHAPE)(photons)
    image = Reconstructor(SCOPE, LINEAR, SHAPE, maps=maps)(photons / gain + offset)
    assert (image - wanted).abs().max() < 1e-4 * wanted.abs().max()


def test_what_does_not_fit_is_refused(rough: Callable[..., Tensor]) -> None:
    with pytest.raises(ConfigError, match=r"3 angles x 3 phases.*estimate again"):
        Reconstructor(SCOPE, NONLINEAR, SHAPE)
    with pytest.raises(ConfigError, match=r"\(y, x\)"):
        Reconstructor(SCOPE, LINEAR, (3, 3, 40, 40))
    for wiener in (0.0, -1.0, 1e3, float("nan")):
        with pytest.raises(ConfigError, match="wiener must be above 0"):
            Reconstructor(SCOPE, LINEAR, SHAPE, wiener=wiener)
    alike = PatternSet(patterns=tuple(one.replace(phases_rad=(0.0, 0.01, 0.02)) for one in LINEAR))
    with pytest.raises(ConfigError, match=r"phases of 0, 1, 1 degrees .* cannot be separated"):
        Reconstructor(SCOPE, alike, SHAPE)
    dark = PatternSet(patterns=tuple(one.replace(intensity=(1.0, 1.0, 0.0)) for one in LINEAR))
    with pytest.raises(ConfigError, match="every frame must hold light"):
        Reconstructor(SCOPE, dark, SHAPE)
    rec = Reconstructor(SCOPE, LINEAR, SHAPE)
    with pytest.raises(DataError, match=r"\(41, 46\) pixels do not fit .* \(40, 46\)"):
        rec(rough(3, 3, 41, 46))
    with pytest.raises(DataError, match=r"pattern\.angles and pattern\.phases"):
        rec(rough(9, *SHAPE))
    with pytest.raises(DataError, match="too small"):
        Reconstructor(SCOPE, LINEAR, (12, 46))(rough(3, 3, 12, 46))
    assert rec.wiener is None


@pytest.mark.parametrize(("strength", "width"), [(1.0, 1.0), (-0.1, 1.0), (0.5, 0.0)])
def test_attenuation_has_a_range(strength: float, width: float) -> None:
    with pytest.raises(ValueError, match="attenuation needs"):
        Attenuation(strength, width)


@pytest.mark.parametrize("intensity", [(1.0, 1.0, 1.0), (2.0, -0.2, 1.2), (0.0, 0.0, 0.0)])
def test_untrusted_nonsense_does_no_harm(intensity: tuple[float, ...]) -> None:
    """Where nothing was found, phases and brightness may be anything: the frames' mean is kept all the same."""
    nonsense = LINEAR[1].replace(phases_rad=(0.3, 0.3, 0.31), intensity=intensity, trusted=False)
    patterns = PatternSet(patterns=(LINEAR[0], nonsense, LINEAR[2]))
    frames = flat_field(LINEAR, SHAPE, 80.0)
    light = max(sum(intensity) / 3, 0.02)
    frames[1] *= light
    image = Reconstructor(SCOPE, patterns, SHAPE)(frames)
    assert (image - 80).abs().max() < 0.8
