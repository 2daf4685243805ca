"""The OTF that is there, measured on recordings of a forward model that shares nothing with the program's own."""

import numpy as np
import pytest
import torch

from rdl_live.optics import Camera, Channel, Microscope, Optics, Otf, PatternSet, estimate_patterns
from rdl_live.optics.estimate.damping import Damping, damped_channel, estimate_damping
from rdl_live.optics.estimate.estimator import bands_of

PIXEL, NA, EMISSION, SIZE = 0.065, 1.49, 0.525, 128
CUTOFF = 2 * NA / EMISSION
SCOPE = Microscope(
    name="test",
    optics=Optics(na=NA, pixel_size_um=PIXEL),
    channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
    camera=Camera(offset_adu=100, gain_e_per_adu=1.0, read_noise_e=1.6),
)


def recording(photons: float, damping_um: float, pixel_mtf: bool, seed: int = 1) -> np.ndarray:
    """Return ADU (angle, phase, y, x) of random curves; the transfer is applied on a grid of half pixels."""
    rng = np.random.default_rng(seed)
    fine = 2 * SIZE
    thing = np.full((fine, fine), 0.01)
    for _ in range(20):
        place, turn = rng.uniform(0, fine, 2), rng.uniform(0, 2 * np.pi)
        for _ in range(500):
            turn += rng.normal(0, 0.03)
            place = (place + np.array([np.sin(turn), np.cos(turn)])) % fine
            thing[int(place[0]), int(place[1])] += 1
    f = np.fft.fftfreq(fine, PIXEL / 2)
    kx, ky = np.meshgrid(f, f)
    k = np.hypot(kx, ky)
    s = np.minimum(k / CUTOFF, 1)
    otf = 2 / np.pi * (np.arccos(s) - s * np.sqrt(1 - s * s)) * np.exp(-damping_um * k)
    if pixel_mtf:
        otf = otf * np.sinc(kx * PIXEL) * np.sinc(ky * PIXEL)
    x = (np.arange(fine) + 0.5) * PIXEL / 2
    frames = []
    for angle in (0.2, 0.2 + np.pi / 3, 0.2 + 2 * np.pi / 3):
        wave = 2 * np.pi / 0.2 * (np.cos(angle) * x[None, :] + np.sin(angle) * x[:, None])
        for phase in (0, 2 * np.pi / 3, 4 * np.pi / 3):
            seen = np.fft.ifft2(np.fft.fft2(thing * (1 + 0.8 * np.cos(wave + phase))) * otf).real
            frames.append(seen[::2, ::2])
    light = np.clip(frames, 0, None)
    counts = rng.poisson(light * photons / light.mean()) + rng.normal(0, 1.6, light.shape)
    return np.clip(np.round(counts + 100), 0, None).astype(np.float32).reshape(3, 3, SIZE, SIZE)


def found(photons: float, damping_um: float, pixel_mtf: bool) -> tuple[Channel, Damping]:
    series = recording(photons, damping_um, pixel_mtf)
    return damped_channel(series, SCOPE, estimate_patterns(series, SCOPE), SCOPE.channels[0])


@pytest.mark.parametrize("damping_um", [0.05, 0.15])
@pytest.mark.parametrize("photons", [500.0, 30.0])
def test_damping_is_found(photons: float, damping_um: float) -> None:
    channel, damping = found(photons, damping_um, pixel_mtf=True)
    assert damping.slope_um == pytest.approx(damping_um, rel=0.1, abs=4 * damping.sigma_um)
    k = torch.tensor([0.25 * CUTOFF, 0.5 * CUTOFF, 0.8 * CUTOFF])
    ratio = Otf.of(SCOPE, channel)(k, 0 * k) / Otf.of(SCOPE)(k, 0 * k)
    assert torch.allclose(ratio, torch.exp(-damping_um * k), rtol=0.1)


def test_a_camera_that_samples_passes_more_than_assumed() -> None:
    channel, damping = found(500.0, 0.0, pixel_mtf=False)
    # sinc(kx p) sinc(ky p) = exp(-(pi p k)^2 / 6) but for terms of fourth order.
    assert channel.otf_damping[0] == 0
    assert channel.otf_damping[1] == pytest.approx(-((np.pi * PIXEL) ** 2) / 6, rel=0.1)
    assert damping.told


@pytest.mark.parametrize("photons", [1000.0, 30.0, 3.0])
def test_an_ideal_microscope_is_left_alone(photons: float) -> None:
    channel, damping = found(photons, 0.0, pixel_mtf=True)
    assert channel is SCOPE.channels[0]
    assert not damping.told


def test_patterns_that_step_backwards_are_measured_alike() -> None:
    """Some boards show the phases from the last to the first: order 1 then lies on the other side of k0."""
    series = recording(100, 0.15, pixel_mtf=True)
    found = [
        damped_channel(one, SCOPE, estimate_patterns(one, SCOPE), SCOPE.channels[0])[1].slope_um
        for one in (series, series[:, [0, 2, 1]])
    ]
    assert found[0] == pytest.approx(0.15, abs=0.03)
    assert found[1] == pytest.approx(found[0], rel=0.01)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("photons", [30.0, 300.0])
def test_a_pixel_that_is_a_quarter_too_large_is_no_damped_objective(photons: float, backwards: bool) -> None:
    """Its OTF ends at 0.81 of the cut-off, where that of a damped objective only passes less."""
    series = recording(photons, 0.0, pixel_mtf=True)[:, [0, 2, 1] if backwards else [0, 1, 2]]
    damped = recording(photons, 0.3, pixel_mtf=True)[:, [0, 2, 1] if backwards else [0, 1, 2]]
    large = SCOPE.replace(optics=Optics(na=NA, pixel_size_um=0.080))
    for raw, scope, trusted in ((series, SCOPE, True), (damped, SCOPE, True), (series, large, False)):
        channel, _ = damped_channel(raw, scope, estimate_patterns(raw, scope), scope.channels[0])
        found = estimate_patterns(raw, scope, channel=channel)
        assert found.trusted is trusted, [pattern.doubt for pattern in found]
        assert trusted or all("optics.pixel_size_um" in pattern.doubt for pattern in found)


def test_contrast_is_right_under_the_otf_that_is_there() -> None:
    series = recording(300.0, 0.12, pixel_mtf=True)
    blind = estimate_patterns(series, SCOPE)
    channel, _ = damped_channel(series, SCOPE, blind, SCOPE.channels[0])
    patterns = estimate_patterns(series, SCOPE, channel=channel)
    assert all(abs(pattern.modulation[0] - 0.8) > 0.03 for pattern in blind)
    assert all(pattern.modulation[0] == pytest.approx(0.8, abs=0.03) for pattern in patterns)


def test_nothing_is_claimed_where_no_pattern_is_seen() -> None:
    series = np.random.default_rng(0).poisson(20.0, (3, 3, 64, 64)).astype(np.float32) + 100
    channel, damping = damped_channel(series, SCOPE, estimate_patterns(series, SCOPE), SCOPE.channels[0])
    assert channel is SCOPE.channels[0]
    assert not np.isfinite(damping.sigma_um)


@pytest.mark.parametrize("damping_um", [0.0, 0.1])
def test_dim_light_does_not_look_like_another_otf(damping_um: float) -> None:
    """The widefield's own noise must not be taken for structure: that gave -0.1 um here."""
    found = []
    true = estimate_patterns(recording(300.0, damping_um, pixel_mtf=True), SCOPE)
    for seed in range(1, 5):
        series = recording(1.0, damping_um, pixel_mtf=True, seed=seed)
        patterns = PatternSet(patterns=tuple(one.replace(trusted=True) for one in true))
        bands = bands_of(series, SCOPE, SCOPE.channels[0], None, "cpu")
        found.append(estimate_damping(bands, patterns))
    errors = [(one.slope_um - damping_um) / one.sigma_um for one in found]
    assert abs(np.mean(errors)) < 1.5
    assert all(abs(one) < 4 for one in errors)


def test_a_measured_otf_is_not_corrected_by_chance() -> None:
    """What differs from it by noise alone stays; what is certainly another does not."""
    series = recording(500.0, 0.1, pixel_mtf=True)
    patterns = estimate_patterns(series, SCOPE)
    for measured, corrected in ((0.1, False), (0.15, True)):
        channel = SCOPE.channels[0].replace(otf_damping=(measured, 0.0))
        same, damping = damped_channel(series, SCOPE, patterns, channel)
        assert damping.told is corrected
        # Of the two shapes of a correction either fits here; they agree in what passes at the cut-off.
        loss = same.otf_damping[0] * CUTOFF + same.otf_damping[1] * CUTOFF**2
        assert loss / CUTOFF == pytest.approx(0.1 if corrected else measured, abs=0.02)
