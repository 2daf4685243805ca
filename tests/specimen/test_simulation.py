"""The simulated recording: photon budget, noise, truth, geometry, time."""

import math

import pytest
import torch
from pydantic import ValidationError

from rdl_live.errors import ConfigError
from rdl_live.optics.forward import Imaging
from rdl_live.optics.microscope import (
    Camera,
    Channel,
    Microscope,
    Optics,
    PatternGeometry,
    PatternGuess,
    SeriesOrder,
)
from rdl_live.optics.noise import CameraMaps, to_photons
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import PatternSet, evenly_spaced
from rdl_live.specimen import SpecimenSettings, nominal_patterns, simulate

CAMERA = Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=1.5)
SCOPE = Microscope(
    name="test",
    optics=Optics(na=1.3, pixel_size_um=0.0626),
    channels=(
        Channel(name="green", excitation_nm=488, emission_nm=525),
        Channel(name="red", excitation_nm=561, emission_nm=600),
    ),
    camera=CAMERA,
)
NONLINEAR = SCOPE.replace(pattern=PatternGeometry(angles=5, phases=5, harmonics=2))
SHAPE = (46, 57)
SPECIMEN = SpecimenSettings(kind="reticulum", seed=1)


@pytest.mark.parametrize("haze", [0.0, 0.6])
@pytest.mark.parametrize("photons", [5.0, 200.0])
def test_photon_budget(haze: float, photons: float) -> None:
    series = simulate(SCOPE, SPECIMEN.replace(haze=haze), photons=photons, shape=SHAPE, upsample=2).series(0)
    assert series.adu.shape == (3, 3, *SHAPE)
    assert series.adu.dtype == torch.uint16
    assert series.truth.shape == series.haze.shape == (2 * SHAPE[0], 2 * SHAPE[1])
    assert series.expected.mean().item() == pytest.approx(photons, rel=0.02)
    assert to_photons(series.adu, CAMERA).mean().item() == pytest.approx(photons, rel=0.03)
    assert series.total.mean().item() == pytest.approx(photons, rel=0.03)
    assert series.haze.mean().item() == pytest.approx(haze * photons, rel=0.25, abs=1e-6)


def test_noise_is_that_of_the_camera() -> None:
    series = simulate(SCOPE, SPECIMEN, photons=50.0, shape=(120, 120), upsample=2).series(0)
    noise = to_photons(series.adu, CAMERA) - series.expected
    variance = series.expected.clamp(min=0) + CAMERA.read_noise_e**2 + CAMERA.gain_e_per_adu**2 / 12
    assert (noise**2 / variance).mean().item() == pytest.approx(1.0, abs=0.03)
    assert noise.mean().item() == pytest.approx(0.0, abs=0.15)


def test_maps_reach_the_camera() -> None:
    offset = torch.full(SHAPE, 300.0)
    maps = CameraMaps.from_scmos(offset, torch.ones(SHAPE), torch.zeros(SHAPE))
    series = simulate(SCOPE, SPECIMEN, shape=SHAPE, upsample=2, maps=maps).series(0)
    assert series.adu.to(torch.int32).min() >= 300


def test_the_series_is_repeated_exactly() -> None:
    specimen = SPECIMEN.replace(speed_um_s=0.1)
    options = {"shape": (20, 20), "upsample": 2, "time_points": 3, "flicker": 0.1, "seed": 5}
    run = simulate(SCOPE, specimen, **options)
    assert len(run) == 3
    all_of_it = list(run)
    assert [series.time_s for series in all_of_it] == [0.0, 1.0, 2.0]
    again = simulate(SCOPE, specimen, **options).series(2)
    assert torch.equal(all_of_it[2].adu, again.adu)
    assert torch.equal(all_of_it[2].truth, again.truth)
    assert not torch.equal(all_of_it[1].adu.to(torch.int32), again.adu.to(torch.int32))
    other = simulate(SCOPE, specimen, **{**options, "seed": 6}).series(2)
    assert other.patterns != again.patterns


def test_time_points_have_their_own_noise() -> None:
    run = simulate(SCOPE, SPECIMEN, shape=(40, 40), upsample=2, time_points=2)
    a, b = (to_photons(series.adu, CAMERA) - series.expected for series in run)
    assert abs((a * b).mean().item()) < 0.05 * a.var().item()


def test_phases_refer_to_the_corner_of_the_image() -> None:
    """Regression of each frame on the light that the patterns promise: in step, and as deep as they say."""
    flat = SpecimenSettings(kind="beads", background=1.0)
    patterns = evenly_spaced(0.25, first_angle_deg=20.0, modulation=(0.6,), first_phase_rad=0.7)
    series = simulate(SCOPE, flat, patterns=patterns, photons=1000.0, shape=SHAPE).series(0)
    pixel = SCOPE.optics.pixel_size_um
    y = (torch.arange(SHAPE[0], dtype=torch.float64)[:, None] + 0.5) * pixel
    x = (torch.arange(SHAPE[1], dtype=torch.float64) + 0.5) * pixel
    window = torch.outer(*(torch.hann_window(n, dtype=torch.float64) for n in SHAPE))
    window = window * series.truth[::2, ::2].mean() / series.truth[::2, ::2]
    for angle, pattern in enumerate(patterns):
        transfer = Otf.of(SCOPE)(torch.tensor(pattern.kx), torch.tensor(pattern.ky)).item()
        for frame, phase in zip(series.expected[angle], pattern.phases_rad, strict=True):
            wave = torch.polar(window, -2 * math.pi * (pattern.kx * x + pattern.ky * y))
            band = (wave * (frame - series.expected[angle].mean(0))).sum() / (window * frame).sum()
            assert band.abs().item() == pytest.approx(0.5 * 0.6 * transfer, rel=0.1)
            assert math.remainder(band.angle().item() - phase, 2 * math.pi) == pytest.approx(0, abs=0.05)


def test_haze_is_not_modulated() -> None:
    series = simulate(SCOPE, SPECIMEN.replace(haze=1.0), shape=SHAPE, upsample=2).series(0)
    frames = series.expected.reshape(9, *SHAPE)
    torch.testing.assert_close(frames, frames[:1].expand_as(frames))
    assert series.truth.abs().max() < 1e-4


def test_widefield_is_the_object_through_the_otf() -> None:
    """The mean over the phases of every orientation is the truth, blurred: nothing moved, nothing lost."""
    series = simulate(NONLINEAR, SPECIMEN, shape=(64, 64)).series(0)
    torch.testing.assert_close(series.expected.mean(1)[0], series.expected.mean(1)[3], rtol=2e-3, atol=0.05)
    sr = Otf(1e9, SCOPE.optics.pixel_size_um)  # no blur but that of the pixel's area
    sampled = Imaging(sr, (64, 64), upsample=3).forward(series.truth)
    blurred, seen = sampled[16:-16, 16:-16], series.expected.mean((0, 1))[16:-16, 16:-16]
    together = torch.corrcoef(torch.stack([blurred.flatten(), seen.flatten()]))[0, 1]
    assert together > 0.85
    for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        moved = sampled.roll((dy, dx), (0, 1))[16:-16, 16:-16]
        assert torch.corrcoef(torch.stack([moved.flatten(), seen.flatten()]))[0, 1] < together


def test_nothing_wraps_around() -> None:
    """The view is a part of a larger field: opposite edges have nothing to do with each other."""
    series = simulate(SCOPE, SPECIMEN, shape=(60, 60), upsample=2).series(0)
    image = series.expected.mean((0, 1))
    across = (image[:, 0] - image[:, -1]).abs().mean()
    inside = (image[:, 0] - image[:, 1]).abs().mean()
    assert across > 2.5 * inside


@pytest.mark.parametrize("order", list(SeriesOrder))
def test_motion_within_a_series(order: SeriesOrder) -> None:
    scope = SCOPE.replace(pattern=PatternGeometry(order=order))
    specimen = SPECIMEN.replace(speed_um_s=1.0)
    patterns = nominal_patterns(scope, modulation=0.0)
    options = {"patterns": patterns, "shape": (40, 40), "upsample": 2}
    still = simulate(scope, specimen, **options).series(0).expected
    moving = simulate(scope, specimen, frame_time_s=0.05, **options).series(0).expected
    torch.testing.assert_close(still[0, 0], still[2, 2])
    difference = (moving - still).abs().mean((-2, -1))
    assert difference[0, 0] < 1e-3
    next_frame = difference[0, 1] if order is SeriesOrder.ANGLE_PHASE else difference[1, 0]
    later = difference[1, 0] if order is SeriesOrder.ANGLE_PHASE else difference[0, 1]
    assert 0 < next_frame < later


def test_bleaching_takes_photons() -> None:
    run = simulate(
        SCOPE, SPECIMEN.replace(bleach_time_s=2.0), shape=(30, 30), upsample=2, time_points=2, interval_s=2.0
    )
    first, second = (series.expected.mean().item() for series in run)
    assert second / first == pytest.approx(math.exp(-1), rel=1e-3)


def test_flicker_is_told() -> None:
    run = simulate(SCOPE, SPECIMEN, shape=(24, 24), upsample=2, flicker=0.1, modulation=0.0)
    series = run.series(0)
    gains = torch.tensor([pattern.gains for pattern in series.patterns])
    assert gains.mean().item() == pytest.approx(1.0, abs=1e-5)
    assert 0.03 < gains.std() < 0.25
    brightness = series.expected.mean((-2, -1))
    torch.testing.assert_close(brightness / brightness.mean(), gains, rtol=1e-3, atol=1e-4)
    assert torch.equal(torch.tensor([pattern.gains for pattern in run.patterns]), torch.ones(3, 3))


class TestNominalPatterns:
    """What the microscope would be set to."""

    @pytest.mark.parametrize("scope", [SCOPE, NONLINEAR])
    def test_geometry(self, scope: Microscope) -> None:
        patterns = nominal_patterns(scope)
        patterns.check(scope.pattern.angles, scope.pattern.phases)
        assert patterns.harmonics == scope.pattern.harmonics
        assert all(1 / pattern.period_um < scope.cutoff() for pattern in patterns)
        angles = sorted(pattern.angle_deg for pattern in patterns)
        gaps = [b - a for a, b in zip(angles, [*angles[1:], angles[0] + 180], strict=True)]
        assert gaps == pytest.approx([180 / len(patterns)] * len(patterns))

    def test_seed_and_colour(self) -> None:
        assert nominal_patterns(SCOPE, seed=1) == nominal_patterns(SCOPE, seed=1)
        assert nominal_patterns(SCOPE, seed=1) != nominal_patterns(SCOPE, seed=2)
        green, red = (nominal_patterns(SCOPE, channel)[0].period_um for channel in SCOPE.channels)
        assert red > green

    def test_what_is_expected_of_the_channel(self) -> None:
        guess = PatternGuess(period_um=0.2, angles_deg=(12.0, 70.0, 135.0))
        channel = SCOPE.channels[0].replace(pattern=guess)
        patterns = nominal_patterns(SCOPE, channel, modulation=(0.5,))
        assert [pattern.angle_deg for pattern in patterns] == pytest.approx([12, 70, 135])
        assert [pattern.period_um for pattern in patterns] == pytest.approx([0.2] * 3)
        assert patterns[1].modulation == (0.5,)

    def test_phase_jitter(self) -> None:
        def errors(jitter: float) -> torch.Tensor:
            steps = []
            for seed in range(40):
                for pattern in nominal_patterns(NONLINEAR, seed=seed, phase_jitter_deg=jitter):
                    phase = torch.tensor(pattern.phases_rad, dtype=torch.float64)
                    ideal = 2 * math.pi * torch.arange(5) / 5
                    turn = min(
                        (phase - s * ideal for s in (1, -1)),
                        key=lambda t: (1 - torch.exp(1j * t).mean().abs()).item(),
                    )
                    steps.append(torch.rad2deg(torch.angle(torch.exp(1j * turn) / torch.exp(1j * turn).mean())))
            return torch.cat(steps)

        assert errors(0.0).abs().max() < 1e-3
        assert errors(5.0).std().item() == pytest.approx(5.0 * math.sqrt(4 / 5), rel=0.1)


def test_patterns_of_another_microscope() -> None:
    with pytest.raises(ConfigError, match="5 angles"):
        simulate(NONLINEAR, SPECIMEN, patterns=evenly_spaced(0.2), shape=(20, 20))


@pytest.mark.parametrize(
    "setting",
    [
        {"photons": 0},
        {"shape": (0, 9)},
        {"upsample": 3},
        {"modulation": 1.2},
        {"fotons": 3},
        {"time_points": 0},
    ],
)
def test_bad_settings(setting: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(setting))):
        simulate(SCOPE, SPECIMEN, **setting)


def test_patterns_stay_as_given() -> None:
    patterns = evenly_spaced(0.22)
    run = simulate(SCOPE, SPECIMEN, patterns=patterns, shape=(16, 16), upsample=2)
    assert run.patterns == patterns
    assert isinstance(run.series(0).patterns, PatternSet)
