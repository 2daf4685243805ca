"""Everything in its place: positions, shifts, edges, and the target of a perfect reconstruction."""

import math

import pytest
import torch
from torch import Tensor

from rdl_live.optics import Attenuation, Otf, PatternSet, Reconstructor, evenly_spaced, sr_target
from rdl_live.optics.forward import ForwardModel
from rdl_live.specimen import SpecimenSettings, simulate
from tests.optics.reconstruct.conftest import LINEAR, SCOPE, compact_object, photograph, scope_for, uneven

FOUR_PHASES = evenly_spaced(0.24, 3, 4, first_angle_deg=33.0, modulation=(0.7,))
FIVE_PHASES = evenly_spaced(0.21, 3, 5, first_angle_deg=-3.0, modulation=(1.0,), first_phase_rad=2.0)
NONLINEAR = evenly_spaced(0.3, 5, 5, first_angle_deg=8.0, modulation=(0.8, 0.3))


def centroid(image: Tensor, near: tuple[float, float]) -> tuple[float, float]:
    """Return (y, x) of a spot [pixels from the image corner]: its centre under a round window that follows it."""
    rows = torch.arange(image.shape[0], dtype=torch.float64)[:, None] + 0.5
    columns = torch.arange(image.shape[1], dtype=torch.float64) + 0.5
    y, x = near
    for _ in range(20):
        seen = image.double() * torch.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 4)
        y, x = float((seen * rows).sum() / seen.sum()), float((seen * columns).sum() / seen.sum())
    return y, x


def error(image: Tensor, wanted: Tensor, border: int = 32) -> float:
    """Return rms(image - wanted) / std(wanted), without the border."""
    inner = (slice(border, -border), slice(border, -border))
    return float((image - wanted)[inner].square().mean().sqrt() / wanted[inner].std())


@pytest.mark.parametrize(("row", "column"), [(100, 121), (101, 90), (83, 131), (118, 118)])
@pytest.mark.parametrize("shape", [(52, 56), (53, 57)])
def test_a_point_lands_where_it_is(row: int, column: int, shape: tuple[int, int]) -> None:
    """Positions in quarters of a raw pixel; the corners of raw and SR image coincide."""
    point = torch.zeros(4 * shape[0], 4 * shape[1])
    point[row, column] = 1e4
    image = Reconstructor(SCOPE, LINEAR, shape, wiener=0.02)(photograph(point, LINEAR, shape))
    y, x = (row + 0.5) / 2, (column + 0.5) / 2
    peak = int(image.argmax())
    assert abs(peak // image.shape[1] + 0.5 - y) <= 0.76
    assert abs(peak % image.shape[1] + 0.5 - x) <= 0.76
    found_y, found_x = centroid(image, near=(y, x))
    assert found_y == pytest.approx(y, abs=0.02)
    assert found_x == pytest.approx(x, abs=0.02)


@pytest.mark.parametrize(("down", "right"), [(0, 5), (7, 0), (-4, 3)])
@pytest.mark.parametrize("wiener", [None, 0.05])
def test_shift_covariance(down: int, right: int, wiener: float | None) -> None:
    """Specimen and light moved by whole raw pixels: the same image, moved by twice as many."""
    shape = (60, 64)
    frames = photograph(compact_object(shape), LINEAR, shape)
    moved = torch.roll(frames, (down, right), dims=(-2, -1))
    pixel_um = SCOPE.optics.pixel_size_um
    patterns = PatternSet(
        patterns=tuple(
            one.replace(
                phases_rad=tuple(
                    phase - 2 * math.pi * pixel_um * (one.kx * right + one.ky * down) for phase in one.phases_rad
                )
            )
            for one in LINEAR
        )
    )
    image = Reconstructor(SCOPE, LINEAR, shape, wiener=wiener)(frames)
    found = Reconstructor(SCOPE, patterns, shape, wiener=wiener)(moved)
    wanted = torch.roll(image, (2 * down, 2 * right), dims=(-2, -1))
    assert (found - wanted).abs().max() < (5e-3 if wiener else 2e-2) * image.max()


@pytest.mark.parametrize(
    "patterns",
    [LINEAR, uneven(LINEAR), FOUR_PHASES, uneven(FOUR_PHASES), FIVE_PHASES, NONLINEAR, uneven(NONLINEAR)],
    ids=["3x3", "3x3 uneven", "3x4", "3x4 uneven", "3x5", "5x5", "5x5 uneven"],
)
def test_perfect_data_give_the_target(patterns: PatternSet) -> None:
    """Noise-free frames and known light, unequal steps and brightness included: the object through the target OTF."""
    shape = (80, 84)
    factor = 1 + patterns.harmonics
    upsample = 2 * factor
    thing = compact_object(shape, upsample)
    seen = photograph(thing, patterns, shape, upsample)
    image = Reconstructor(scope_for(patterns), patterns, shape, wiener=0.003)(seen)
    target = sr_target(thing, Otf.of(SCOPE), patterns, upsample=upsample, sr_factor=factor)
    assert error(image, target, border=2 * factor) < 0.02


@pytest.mark.parametrize("kind", ["filaments", "reticulum", "mitochondria"])
def test_perfect_data_of_specimens_that_go_on_past_the_edge(kind: str) -> None:
    sim = simulate(SCOPE, SpecimenSettings(kind=kind, seed=4), photons=100.0, shape=(112, 120), upsample=2)
    series = sim.series(0)
    image = Reconstructor(SCOPE, series.patterns, (112, 120), wiener=0.005)(series.expected)
    assert error(image, series.total) < 0.02
    assert error(image, series.total, border=1) < 0.06


def test_super_resolution_is_real() -> None:
    """Two lines closer than widefield can split are split; without trust in the patterns they are not."""
    shape = (64, 64)
    lines = torch.zeros(256, 256)
    apart = round(0.16 / (SCOPE.optics.pixel_size_um / 4))
    lines[60:196, 128 - apart // 2] = lines[60:196, 128 + apart - apart // 2] = 1000.0
    frames = photograph(lines, LINEAR, shape)
    doubtful = PatternSet(patterns=tuple(one.replace(trusted=False) for one in LINEAR))

    def dip(patterns: PatternSet) -> float:
        profile = Reconstructor(SCOPE, patterns, shape, wiener=0.02)(frames)[40:88].mean(dim=0)
        middle = profile[63:66].min()
        return float(middle / profile[50:78].max())

    assert dip(LINEAR) < 0.5
    assert dip(doubtful) > 0.9


def test_untrusted_patterns_are_left_out() -> None:
    """Whatever an untrusted pattern claims does not matter, and its frames still add to the widefield."""
    shape = (48, 52)
    frames = photograph(compact_object(shape), LINEAR, shape)
    images = []
    for angle_kx, depth in [(LINEAR[1].kx, 0.8), (1.0, 0.3)]:
        wrong = LINEAR[1].replace(kx=angle_kx, modulation=(depth,), trusted=False)
        patterns = PatternSet(patterns=(LINEAR[0], wrong, LINEAR[2]))
        images.append(Reconstructor(SCOPE, patterns, shape, wiener=0.05)(frames))
    # The extended cut-off, and with it the apodization, is that of all patterns; nothing else may differ.
    none = [
        Reconstructor(SCOPE, PatternSet(patterns=tuple(p.replace(trusted=False) for p in LINEAR)), shape, wiener=0.05)(
            frames
        ),
        Reconstructor(SCOPE, LINEAR, shape, wiener=0.05)(frames),
    ]
    assert error(images[0], images[1], border=4) < 0.1
    assert error(images[0], none[1], border=4) > 2 * error(images[0], images[1], border=4)
    for image in (*images, *none):
        assert image.mean().item() == pytest.approx(frames.mean().item(), rel=0.01)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("end", [0, -1])
@pytest.mark.parametrize("wiener", [None, 0.02])
def test_nothing_wraps_around(axis: int, end: int, wiener: float | None) -> None:
    """A bright structure cut by one edge leaves nothing at the opposite one."""
    field, shape = (96, 100), (64, 68)
    thing = torch.zeros(4 * field[0], 4 * field[1])
    edge = 4 * 16 if end == 0 else 4 * (field[axis] - 16)
    thing.narrow(axis, edge - 6, 12)[:] = 100.0
    otf = Otf.of(SCOPE)
    frames = ForwardModel(otf, _from_margin(LINEAR, 16), field, upsample=4).forward(thing)[..., 16:-16, 16:-16]
    image = Reconstructor(SCOPE, LINEAR, shape, wiener=wiener)(frames)
    far = image.narrow(axis, 0 if end == -1 else image.shape[axis] - 8, 8)
    assert far.abs().max() < 0.01 * image.max()


def _from_margin(patterns: PatternSet, margin: int) -> PatternSet:
    back = 2 * math.pi * margin * SCOPE.optics.pixel_size_um
    return PatternSet(
        patterns=tuple(
            one.replace(phases_rad=tuple(phase - back * (one.kx + one.ky) for phase in one.phases_rad))
            for one in patterns
        )
    )


def test_attenuation_suppresses_haze() -> None:
    """What is out of focus carries no pattern: where sidebands cover the gap, the notch takes it away."""
    specimen = SpecimenSettings(kind="filaments", seed=2, haze=0.6)
    coarse = evenly_spaced(0.4, first_angle_deg=17.0, modulation=(0.8,))
    series = simulate(SCOPE, specimen, patterns=coarse, photons=200.0, shape=(96, 96), upsample=2).series(0)

    def unlike(attenuation: Attenuation | None) -> float:
        rec = Reconstructor(SCOPE, coarse, (96, 96), wiener=0.02, attenuation=attenuation)
        image = rec(series.expected)
        both = torch.stack([image[16:-16, 16:-16].flatten(), series.truth[16:-16, 16:-16].flatten()])
        return 1 - float(torch.corrcoef(both)[0, 1])

    without = unlike(None)
    assert unlike(Attenuation(0.99, 1.5)) < 0.4 * without
    assert unlike(Attenuation(0.0, 1.5)) == pytest.approx(without, abs=1e-6)
