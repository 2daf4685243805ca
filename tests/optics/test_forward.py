"""Laws of the forward model and of the SR target."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rdl_live.errors import ConfigError
from rdl_live.optics.forward import ForwardModel, Imaging
from rdl_live.optics.fourier import frequencies
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import Pattern, PatternSet, evenly_spaced, illumination
from rdl_live.optics.target import extended_cutoff, sr_target

FINE_CAMERA = Otf(cutoff=4.95, pixel_um=0.0626)
COARSE_CAMERA = Otf(cutoff=4.95, pixel_um=0.13)
"""Aliased: the cut-off is above the camera's Nyquist frequency of 3.85 cycles/um."""
LINEAR = evenly_spaced(0.21, first_angle_deg=17.0, modulation=(0.8,), first_phase_rad=0.4)
NONLINEAR = evenly_spaced(0.24, 5, 5, first_angle_deg=8.0, modulation=(0.8, 0.4))


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=30, deadline=None)
@given(
    y=st.integers(5, 24),
    x=st.integers(5, 24),
    upsample=st.integers(1, 4),
    otf=st.sampled_from([FINE_CAMERA, COARSE_CAMERA]),
    patterns=st.sampled_from([LINEAR, NONLINEAR]),
)
def test_adjoint(y: int, x: int, upsample: int, otf: Otf, patterns: PatternSet) -> None:
    model = ForwardModel(otf, patterns, (y, x), upsample=upsample)
    image = random(y * upsample, x * upsample) - 0.4
    series = random(len(patterns), patterns.phases, y, x, seed=1) - 0.4
    left = (model.forward(image).double() * series.double()).sum()
    right = (image.double() * model.adjoint(series).double()).sum()
    size = model.forward(image).double().norm() * series.double().norm()
    assert abs(left - right).item() < 2e-6 * size.item()


def test_adjoint_keeps_batches() -> None:
    model = ForwardModel(FINE_CAMERA, LINEAR, (9, 12), upsample=2)
    images = random(2, 4, 18, 24)
    series = model.forward(images)
    assert series.shape == (2, 4, 3, 3, 9, 12)
    torch.testing.assert_close(series[1, 2], model.forward(images[1, 2]))
    assert model.adjoint(series).shape == images.shape


@pytest.mark.parametrize("upsample", [1, 2, 3])
@pytest.mark.parametrize("shape", [(32, 32), (31, 40), (33, 27)])
def test_nothing_beyond_the_cutoff(shape: tuple[int, int], upsample: int) -> None:
    frames = Imaging(FINE_CAMERA, shape, upsample=upsample).forward(random(shape[0] * upsample, shape[1] * upsample))
    spectrum = torch.fft.fft2(frames.double()).abs()
    beyond = torch.hypot(*frequencies(shape, FINE_CAMERA.pixel_um)) >= FINE_CAMERA.cutoff
    assert beyond.any()
    assert spectrum[beyond].max() < 1e-5 * spectrum.max()
    assert spectrum[~beyond].max() == spectrum.max()


def test_target_reaches_the_extended_cutoff() -> None:
    image = random(128, 128)
    target = sr_target(image, FINE_CAMERA, LINEAR, upsample=4, sr_factor=2)
    spectrum = torch.fft.fft2(target.double()).abs()
    k = torch.hypot(*frequencies((64, 64), FINE_CAMERA.pixel_um / 2))
    reach = extended_cutoff(FINE_CAMERA.cutoff, LINEAR)
    assert reach == pytest.approx(4.95 + 1 / 0.21)
    assert spectrum[k >= reach].max() < 1e-5 * spectrum.max()
    assert spectrum[(k > 1.3 * FINE_CAMERA.cutoff) & (k < reach)].mean() > 1e-4 * spectrum.max()
    assert extended_cutoff(4.95, NONLINEAR) == pytest.approx(4.95 + 2 / 0.24)


@pytest.mark.parametrize("otf", [FINE_CAMERA, COARSE_CAMERA])
@pytest.mark.parametrize("upsample", [1, 2, 3, 4])
def test_a_flat_object_keeps_its_photons(otf: Otf, upsample: int) -> None:
    imaging = Imaging(otf, (15, 22), upsample=upsample)
    flat = torch.full(imaging.fine_shape, 37.0)
    torch.testing.assert_close(imaging.forward(flat), torch.full((15, 22), 37.0))
    if upsample % 2 == 0:
        sr = sr_target(flat, otf, LINEAR, upsample=upsample, sr_factor=2)
        torch.testing.assert_close(sr, torch.full((30, 44), 37.0))


@pytest.mark.parametrize("upsample", [2, 4])
def test_mean_is_kept(upsample: int) -> None:
    image = random(20 * upsample, 26 * upsample)
    raw = Imaging(FINE_CAMERA, (20, 26), upsample=upsample).forward(image)
    sr = sr_target(image, FINE_CAMERA, LINEAR, upsample=upsample, sr_factor=2)
    assert raw.mean().item() == pytest.approx(image.mean().item(), rel=1e-5)
    assert sr.mean().item() == pytest.approx(image.mean().item(), rel=1e-5)
    assert sr.shape == (40, 52)


def test_phases_add_up_to_widefield() -> None:
    image = random(60, 64)
    series = ForwardModel(FINE_CAMERA, NONLINEAR, (30, 32)).forward(image)
    widefield = Imaging(FINE_CAMERA, (30, 32)).forward(image)
    for orientation in series.mean(1):
        torch.testing.assert_close(orientation, widefield, rtol=1e-4, atol=1e-5)


def test_linear() -> None:
    model = ForwardModel(FINE_CAMERA, LINEAR, (16, 20))
    a, b = random(32, 40), random(32, 40, seed=1)
    torch.testing.assert_close(
        model.forward(2 * a - 0.5 * b), 2 * model.forward(a) - 0.5 * model.forward(b), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(("dy", "dx"), [(1, 0), (0, 1), (-3, 2)])
@pytest.mark.parametrize("upsample", [2, 3])
def test_shift_by_whole_pixels(dy: int, dx: int, upsample: int) -> None:
    """Object and pattern moved by whole raw pixels move the frames (the pattern fits the periodic grid)."""
    shape, pixel = (24, 30), FINE_CAMERA.pixel_um
    kx, ky = 7 / (30 * pixel), -4 / (24 * pixel)
    phases = (0.3, 2.5, 4.4)
    moved = tuple(phase - 2 * math.pi * (kx * dx + ky * dy) * pixel for phase in phases)
    image = random(shape[0] * upsample, shape[1] * upsample)
    here, there = (
        ForwardModel(
            FINE_CAMERA,
            PatternSet(patterns=(Pattern(kx=kx, ky=ky, phases_rad=steps, modulation=(0.7,)),)),
            shape,
            upsample=upsample,
        )
        for steps in (phases, moved)
    )
    shifted = there.forward(image.roll((dy * upsample, dx * upsample), (0, 1)))
    torch.testing.assert_close(shifted, here.forward(image).roll((dy, dx), (-2, -1)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("harmonic", [1, 2])
def test_side_peaks_of_the_pattern(harmonic: int) -> None:
    """On a flat object the pattern's own peaks stand at +-h k0, m_h / 2 H(h k0) high, of phase h phi."""
    shape, pixel = (40, 50), FINE_CAMERA.pixel_um
    i, j = 5, 3
    kx, ky, phases, depth = i / (50 * pixel), j / (40 * pixel), (0.5, 1.9, 3.0, 4.6, 5.1), (0.8, 0.3)
    pattern = Pattern(kx=kx, ky=ky, phases_rad=phases, modulation=depth, intensity=(1, 1.1, 0.9, 1, 1))
    model = ForwardModel(FINE_CAMERA, PatternSet(patterns=(pattern,)), shape, upsample=3)
    spectrum = torch.fft.fft2(model.forward(torch.full((120, 150), 10.0))[0].double()) / (40 * 50)
    k = (torch.tensor(harmonic * kx), torch.tensor(harmonic * ky))
    height = 10 * depth[harmonic - 1] / 2 * FINE_CAMERA(*k).item()
    # The centre of the first pixel lies half a pixel from the corner to which the phases refer.
    corner = math.pi * pixel * harmonic * (kx + ky)
    for frame, (phase, gain) in enumerate(zip(phases, pattern.gains, strict=True)):
        expected = gain * height * complex(math.cos(harmonic * phase + corner), math.sin(harmonic * phase + corner))
        plus = spectrum[frame, harmonic * j, harmonic * i].item()
        minus = spectrum[frame, -harmonic * j, -harmonic * i].item()
        assert plus == pytest.approx(expected, abs=1e-5)
        assert minus == pytest.approx(expected.conjugate(), abs=1e-5)


def centroid(image: Tensor, pixel_um: float) -> tuple[float, float]:
    """Return (y, x) from the corner [um] on a torus: the phase of the first Fourier coefficient."""
    spectrum = torch.fft.fft2(image.double())
    found = []
    for coefficient, n in ((spectrum[1, 0], image.shape[0]), (spectrum[0, 1], image.shape[1])):
        found.append((-coefficient.angle().item() / (2 * math.pi) % 1.0 * n + 0.5) * pixel_um)
    return found[0], found[1]


@pytest.mark.parametrize("upsample", [2, 4, 6])
def test_pixels_are_areas(upsample: int) -> None:
    """A point lands at its distance from the corner, in the raw image and in the SR one."""
    shape, pixel = (25, 32), FINE_CAMERA.pixel_um
    image = torch.zeros(shape[0] * upsample, shape[1] * upsample)
    image[7 * upsample + 1, 20 * upsample] = 100.0
    fine = pixel / upsample
    expected = ((7 * upsample + 1.5) * fine, (20 * upsample + 0.5) * fine)
    raw = Imaging(FINE_CAMERA, shape, upsample=upsample).forward(image)
    sr = sr_target(image, FINE_CAMERA, LINEAR, upsample=upsample, sr_factor=2)
    assert centroid(raw, pixel) == pytest.approx(expected, abs=1e-4)
    assert centroid(sr, pixel / 2) == pytest.approx(expected, abs=1e-4)


def test_target_is_finer_than_widefield() -> None:
    image = torch.zeros(128, 128)
    image[64, 64] = 1.0
    raw = Imaging(FINE_CAMERA, (32, 32), upsample=4).forward(image)
    sr = sr_target(image, FINE_CAMERA, LINEAR, upsample=4, sr_factor=2)
    assert sr.max() > 2.5 * raw.max()


def test_light_has_its_mean_and_range() -> None:
    light = illumination(NONLINEAR, (200, 210), 0.03)
    assert light.shape == (5, 5, 200, 210)
    assert light.mean().item() == pytest.approx(1.0, abs=5e-3)
    assert light.min() >= 0


def test_geometry_is_checked() -> None:
    LINEAR.check(3, 3)
    with pytest.raises(ConfigError, match="5 angles x 5 phases"):
        LINEAR.check(5, 5)
    with pytest.raises(ValueError, match="multiple"):
        sr_target(random(9, 9), FINE_CAMERA, LINEAR, upsample=3, sr_factor=2)
    with pytest.raises(ValueError, match="upsample"):
        Imaging(FINE_CAMERA, (8, 8), upsample=0)
