"""Hexagonal SIM: seven frames that hold three carriers each, found blind and taken apart, against a textbook."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from rdl_live.errors import ConfigError
from rdl_live.optics import Camera, Channel, Microscope, Optics, Otf, PatternSet
from rdl_live.optics.modalities.hexagonal import HEXAGONAL
from rdl_live.optics.noise import to_photons
from rdl_live.restore import Restorer
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_live.specimen.light import LightSettings
from rdl_live.specimen.simulation import SimulatedSeries
from tests.optics.reconstruct.reference import extended, ideal, transfer_at

SCOPE = Microscope(
    name="lattice",
    modality="hexagonal",
    optics=Optics(na=1.2, pixel_size_um=0.08, immersion_index=1.333),
    channels=(Channel(name="488", excitation_nm=488, emission_nm=525),),
    camera=Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=1.5),
)
SIDE = 128
SHAPE = (SIDE, SIDE)
FIELD_UM = SIDE * SCOPE.optics.pixel_size_um
RIM = (slice(32, -32), slice(32, -32))
Real = NDArray[np.float64]


def recorded(photons: float, **settings: object) -> SimulatedSeries:
    specimen = SpecimenSettings(kind="filaments", seed=2)
    return simulate(SCOPE, specimen, photons=photons, shape=SHAPE, seed=3, upsample=2, **settings).series(0)


def textbook(photons: Real, patterns: PatternSet, w: float) -> Real:
    """Wiener sum over seven bands, told the truth: written from the formula, full spectra, float64."""
    otf, padded = Otf.of(SCOPE), (SIDE + 16, SIDE + 16)
    orders = [(0.0, 0.0, np.zeros(7), 1.0)]
    for one in patterns:
        phases, depth = np.array(one.phases_rad), one.modulation[0] / 2
        orders += [(sign * one.kx, sign * one.ky, sign * phases, depth) for sign in (1, -1)]
    unmixed = np.linalg.inv(np.stack([np.exp(1j * phases) for _, _, phases, _ in orders], axis=1))
    bands = np.tensordot(unmixed, photons, axes=1)
    ky, kx = (np.fft.fftfreq(2 * size, otf.pixel_um / 2) for size in padded)
    ky, kx = ky[:, None], kx[None, :]
    where = np.rint(np.fft.fftfreq(2 * padded[0]) * 2 * padded[0]).astype(np.intp) % padded[0]
    centres = (np.arange(SIDE) + 0.5) * otf.pixel_um
    above, below = np.zeros((2 * padded[0], 2 * padded[1]), complex), np.zeros((2 * padded[0], 2 * padded[1]))
    for band, (x, y, _, amplitude) in zip(bands, orders, strict=True):
        moved = band * np.exp(-2j * np.pi * (x * centres[None, :] + y * centres[:, None]))
        spectrum = np.fft.fft2(extended(moved, padded, otf.pixel_um, (x, y)))[np.ix_(where, where)]
        transfer = amplitude * transfer_at(otf, kx + x, ky + y)
        above += transfer * spectrum
        below += transfer**2
    reach = float(np.mean([1 / one.period_um for one in patterns]))
    shape = ideal(np.hypot(kx, ky), otf.cutoff + reach) / (below + w)
    shape[0, 0] = 1 / below[0, 0]
    half = np.exp(-0.5j * np.pi * (kx + ky) * otf.pixel_um)
    return np.asarray(np.fft.ifft2(4 * above * shape * half).real[: 2 * SIDE, : 2 * SIDE], np.float64)


def error(image: Real, truth: Real) -> float:
    return float(np.sqrt(np.mean((image - truth)[RIM] ** 2)) / np.std(truth[RIM]))


@pytest.mark.parametrize("photons", [1000.0, 20.0])
def test_carriers_and_phases_blind_and_the_image_against_a_textbook_told_the_truth(photons: float) -> None:
    series = recorded(photons)
    assert series.adu.shape == (1, 7, *SHAPE)
    found = HEXAGONAL.estimate(series.adu, SCOPE)
    assert found.trusted
    assert HEXAGONAL.doubts(found) == []
    for one in found:
        true = min(series.patterns, key=lambda other: math.hypot(one.kx - other.kx, one.ky - other.ky))
        off_x, off_y = (one.kx - true.kx) * FIELD_UM, (one.ky - true.ky) * FIELD_UM
        assert math.hypot(off_x, off_y) < 0.05
        middle = math.pi * (off_x + off_y)
        phases = [
            math.remainder(mine - theirs + middle, 2 * math.pi)
            for mine, theirs in zip(one.phases_rad, true.phases_rad, strict=True)
        ]
        assert max(abs(math.degrees(phase)) for phase in phases) < 4
        assert one.modulation[0] == pytest.approx(true.modulation[0], abs=0.04)
    image = HEXAGONAL.reconstruction(SCOPE, found, SHAPE)(series.adu).double().numpy()
    truth = series.total.double().numpy()
    light = to_photons(series.adu, SCOPE.camera)[0].double().numpy()
    best = min(error(textbook(light, series.patterns, w), truth) for w in (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1))
    assert image.shape == truth.shape == (2 * SIDE, 2 * SIDE)
    assert image.mean() == pytest.approx(truth.mean(), rel=0.02)
    assert error(image, truth) < 1.3 * best


def test_even_light_has_no_carriers() -> None:
    even = torch.poisson(recorded(100.0).expected.mean(dim=(0, 1)).expand(1, 7, *SHAPE).clone())
    found = HEXAGONAL.estimate(even, SCOPE.in_photons())
    assert not any(pattern.trusted for pattern in found)
    assert any(text.startswith("all carriers: no pattern found") for text in HEXAGONAL.doubts(found))
    image = HEXAGONAL.reconstruction(SCOPE.in_photons(), found, SHAPE)(even)
    assert image.mean().item() == pytest.approx(even.mean().item(), rel=0.01)


def test_a_flat_field_is_flat_and_keeps_its_photons() -> None:
    patterns = HEXAGONAL.nominal(SCOPE, seed=1)
    otf = Otf.of(SCOPE)
    seen = []
    for one in patterns:
        passed = float(otf(torch.tensor(one.kx), torch.tensor(one.ky)))
        seen.append(one.replace(modulation=(one.modulation[0] * passed,)))
    light = HEXAGONAL.light(PatternSet(patterns=tuple(seen)), SCOPE.pattern, (40, 46), SCOPE.optics.pixel_size_um)
    image = HEXAGONAL.reconstruction(SCOPE.in_photons(), patterns, (40, 46))(80 * light)
    assert (image - 80).abs().max() < 0.8


def test_seven_frames_and_no_others() -> None:
    assert SCOPE.pattern.counts == (1, 7)
    with pytest.raises(ValidationError, match=r"pattern|phases"):
        SCOPE.replace(pattern={"phases": 5})


def test_it_is_denoised_by_weights_that_know_no_patterns() -> None:
    series = recorded(20.0)
    found = HEXAGONAL.estimate(series.adu, SCOPE)
    restored = Restorer(SCOPE, found, SHAPE).restore(series.adu, guards=True)
    truth = series.total.double().numpy()
    plain, denoised = (error(restored.images[name].double().numpy(), truth) for name in ("sim", "denoised"))
    assert denoised < 0.9 * plain
    assert restored.guards is not None
    assert restored.guards.doubts == ()


def test_a_second_harmonic_of_its_light_is_refused() -> None:
    """Of a sum of three carriers it is not 2 cos^2 - 1: the light would not be kept."""
    with pytest.raises(ConfigError, match="modality hexagonal: a second harmonic"):
        recorded(50.0, light=LightSettings(second_harmonic=0.1))


WRONG = {
    "lost": ([0, 1, 2, 4, 5, 6, 7], "a frame is missing at phase 3"),
    "all early": ([1, 2, 3, 4, 5, 6, 7], "all frames come 1 frame early"),
    "exchanged": ([0, 1, 4, 3, 2, 5, 6], "frame phase 2 holds the pattern of phase 4"),
    "twice": ([0, 1, 2, 3, 3, 5, 6], "frame phase 4 holds the pattern of phase 3"),
}
"""Which frames of two series come as one, and what is said."""


@pytest.mark.parametrize(("kind", "photons"), [("filaments", 1000.0), ("filaments", 10.0), ("mitochondria", 100.0)])
def test_a_series_that_is_out_of_step_is_named_and_a_good_one_is_not(kind: str, photons: float) -> None:
    specimen = SpecimenSettings(kind=kind, seed=1, speed_um_s=0.05)
    times = {"time_points": 3, "interval_s": 0.5, "frame_time_s": 0.02}
    film = simulate(SCOPE, specimen, photons=photons, shape=SHAPE, seed=1, upsample=2, **times)
    first, *others = (series.adu for series in film)
    found = HEXAGONAL.estimate(first, SCOPE)
    judge = HEXAGONAL.judge(found, SCOPE, SCOPE.channels[0], SHAPE)
    for series in (first, *others):
        good = judge.judge(to_photons(series.float(), SCOPE.camera))
        assert good.why == ""
        assert good.checked
    frames = to_photons(torch.cat([one[0] for one in others]).float(), SCOPE.camera)
    for taken, why in WRONG.values():
        assert why in judge.judge(frames[taken][None]).why
    last = judge.judge(frames[WRONG["lost"][0]][None])
    assert (last.lost, last.shift) == ((0, 3), 1)


def test_a_dim_frame_is_named_once_and_counts_for_all_carriers() -> None:
    pattern = recorded(100.0).patterns
    gains = (1.0, 1.0, 1.0, 0.7, 1.0, 1.0, 1.0)
    dim = [one.replace(intensity=gains) for one in pattern]
    said = [text for text in HEXAGONAL.doubts(PatternSet(patterns=tuple(dim))) if "dimmer" in text]
    assert len(said) == 1
    assert said[0].startswith("frame phase 3 (counted from 0) is 30% dimmer than the others,")
    # What one trusted carrier says of the light counts for the frames, whatever those that are not trusted say.
    steps = [
        one.replace(trusted=place == 0)
        for place, one in enumerate(HEXAGONAL.to_stripes(PatternSet(patterns=tuple(dim))))
    ]
    steps[1] = steps[1].replace(intensity=(2.0,) * 7)
    for one in HEXAGONAL.of_stripes(PatternSet(patterns=tuple(steps))):
        assert one.gains == pytest.approx([gain / (sum(gains) / 7) for gain in gains], rel=1e-3)
