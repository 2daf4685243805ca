"""Stripes that are not in step in the whole field, by a forward model of points (`benchmarks.phasors`)."""

import numpy as np
import pytest

from benchmarks.dim_cells import dots
from benchmarks.phasors import Eye, ideal, seen
from benchmarks.score import nrmse
from rdl_live.optics import Camera, Channel, Microscope, Optics, PatternSet, Reconstructor, estimate_patterns
from rdl_live.optics.modalities.pattern_words import pattern_warnings

SIZE, PIXEL_UM, PERIOD_UM = 128, 0.065, 0.2
EYE = Eye(na=1.49, emission_um=0.525, pixel_um=PIXEL_UM)
SCOPE = Microscope(
    name="test",
    optics=Optics(na=EYE.na, pixel_size_um=PIXEL_UM),
    channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
    camera=Camera(gain_e_per_adu=1.0, read_noise_e=1.0),
)


def series(photons: float, *, backwards_up_to_um: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return photons (3, 3, y, x), and the true image; in a part the second orientation's stripes step backwards."""
    rng = np.random.default_rng(4)
    points = dots(SIZE * PIXEL_UM, rng)
    x = points.place_um[:, 1]
    frames = []
    for number, angle in enumerate(np.deg2rad([15, 75, 135])):
        way = x * np.cos(angle) + points.place_um[:, 0] * np.sin(angle)
        step = np.where((x < backwards_up_to_um) & (number == 1), -1, 1)
        for phase in 2 * np.pi / 3 * np.arange(3):
            light = 1 + 0.7 * np.cos(2 * np.pi * way / PERIOD_UM + step * phase)
            frames.append(seen(points, points.light * light, EYE, SIZE))
    expected = np.clip(frames, 0, None)
    scale = photons / expected.mean()
    truth = scale * ideal(points, points.light, EYE, SIZE, EYE.cutoff + 1 / PERIOD_UM)
    counts = rng.poisson(scale * expected) + rng.normal(0, 1, expected.shape)
    return counts.reshape(3, 3, SIZE, SIZE).astype(np.float32), truth


def test_a_part_that_is_out_of_step_is_found_and_adds_no_ghosts() -> None:
    raw, truth = series(200.0, backwards_up_to_um=3.0)
    found = estimate_patterns(raw, SCOPE)
    assert found.trusted
    assert [bool(pattern.local) for pattern in found] == [False, True, False]
    shares = np.array(found[1].local)
    assert shares[4:-4, 1:3].max() < 0.35
    assert shares[4:-4, -5:].min() > 0.8
    assert any("orientation 2" in text and "of the field" in text for text in pattern_warnings(found))
    even = PatternSet(patterns=tuple(pattern.replace(local=()) for pattern in found))
    with_ghosts, without = (
        nrmse(Reconstructor(SCOPE, patterns, (SIZE, SIZE))(raw).numpy(), truth) for patterns in (even, found)
    )
    assert without < 0.9 * with_ghosts


@pytest.mark.parametrize("photons", [500.0, 10.0])
def test_stripes_in_the_whole_field_are_left_alone(photons: float) -> None:
    raw, _ = series(photons)
    found = estimate_patterns(raw, SCOPE)
    assert not any(pattern.local for pattern in found)
    assert not pattern_warnings(found)
