"""Nothing is believed that is not there, and the user is told what to do."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from rdl_live.optics import ForwardModel, Pattern, PatternSet, estimate_patterns
from rdl_live.optics.estimate.damping import damped_channel
from rdl_live.optics.estimate.verdict import confirmed, doubt_of_isolation
from rdl_live.optics.otf import Otf
from tests.optics.estimate.scenes import CAMERA, Case, Recording, record


def noise_like(series: Tensor, mean: float) -> Tensor:
    """Photon noise alone, in ADU."""
    generator = torch.Generator().manual_seed(3)
    return torch.poisson(torch.full(series.shape, mean), generator=generator) / 0.5 + 100


def grating(series: Tensor) -> Tensor:
    """A specimen as regular as a pattern, which stands still."""
    x = torch.arange(series.shape[-1]) * 0.07
    bars = 100 * (1 + 0.9 * torch.cos(2 * torch.pi * x / 0.3))
    return torch.poisson(bars.expand(series.shape), generator=torch.Generator().manual_seed(4)) / 0.5 + 100


def replaced(series: Tensor, *index: int, by: Tensor) -> Tensor:
    changed = series.clone()
    changed[index] = by
    return changed


WITHOUT_PATTERN: dict[str, Callable[[Tensor], Tensor]] = {
    "noise at 2 photons": lambda series: noise_like(series, 2.0),
    "noise at 500 photons": lambda series: noise_like(series, 500.0),
    "nothing at all": torch.zeros_like,
    "one value": lambda series: torch.full_like(series, 300.0),
    "widefield": lambda series: series,
    "one frame nine times": lambda series: series[:1, :1].expand(series.shape),
    "a dark frame": lambda series: replaced(series, 2, 1, by=torch.tensor(CAMERA.offset_adu)),
    "one frame twice": lambda series: replaced(series, 0, 1, by=series[0, 0]),
    "a regular specimen": grating,
    "bleaching": lambda series: series * torch.linspace(1, 0.5, 9).reshape(3, 3, 1, 1),
    "saturated": lambda series: series.clamp(max=float(series.median())),
}


def assert_doubted(found: PatternSet) -> None:
    assert not any(pattern.trusted for pattern in found)
    for pattern in found:
        assert "check" in pattern.doubt.lower(), "the doubt says what to do"


@pytest.mark.parametrize("name", WITHOUT_PATTERN)
def test_no_pattern_is_found_where_none_is(name: str, flat: Recording) -> None:
    assert_doubted(estimate_patterns(WITHOUT_PATTERN[name](flat.series), flat.scope))


@pytest.mark.parametrize("kind", ["actin", "beads", "mitochondria", "mixed", "reticulum", "rings"])
def test_no_pattern_is_found_in_other_specimens(kind: str) -> None:
    more: dict[str, object] = {"speed_um_s": 1.0, "frame_time_s": 0.02, "flicker": 0.05}
    moving = record(Case(kind, modulation=0.0, shape=(96, 96), photons=100, more=more))
    assert_doubted(estimate_patterns(moving.series, moving.scope))


def test_few_bright_spots_are_named_as_the_cause() -> None:
    """More light would not help: eighteen points agree with any pattern by chance."""
    sparse = record(Case("beads", modulation=0.8, shape=(128, 128), photons=200))
    found = estimate_patterns(sparse.series, sparse.scope)
    assert not any(pattern.trusted for pattern in found)
    for pattern in found:
        assert "a few bright spots" in pattern.doubt
        assert "more light" not in pattern.doubt
    dim = record(Case("reticulum", modulation=0.3, shape=(96, 96), photons=1))
    assert all("more light" in pattern.doubt for pattern in estimate_patterns(dim.series, dim.scope))


def test_pixels_that_are_far_too_large_are_no_damped_objective() -> None:
    """An OTF that ends early is first taken for a damped one; what the damping does not explain gives it away."""
    right = record(Case("reticulum", shape=(160, 160), photons=300))
    optics = {**right.scope.optics.model_dump(), "pixel_size_um": 1.5 * right.scope.optics.pixel_size_um}
    for scope, trusted in ((right.scope, True), (right.scope.replace(optics=optics), False)):
        first = estimate_patterns(right.series, scope)
        channel, _ = damped_channel(right.series[None], scope, first, scope.channels[0])
        found = estimate_patterns(right.series, scope, channel=channel)
        assert found.trusted is trusted
        assert trusted or all("optics.pixel_size_um" in pattern.doubt for pattern in found)


ORDERS = {
    "two frames exchanged": (1, (0, 3, 2, 1, 4, 5, 6, 7, 8), (True, True, False)),
    "phase first": (1, (0, 3, 6, 1, 4, 7, 2, 5, 8), (True, True, True)),
    "shuffled": (1, (4, 0, 8, 2, 6, 1, 7, 3, 5), (True, True, True)),
    "one step late": (1, (8, 0, 1, 2, 3, 4, 5, 6, 7), (True, True, True)),
    "orientations exchanged": (1, (3, 4, 5, 0, 1, 2, 6, 7, 8), (False, False, False)),
    "steps turned round": (1, (1, 2, 0, 3, 4, 5, 8, 7, 6), (False, False, False)),
}


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("photons", [20.0, 500.0])
def test_frames_that_do_not_belong_together(name: str, photons: float) -> None:
    seed, order, spoilt = ORDERS[name]
    recording = record(Case("actin", photons=photons, shape=(128, 128), seed=seed))
    frames = recording.series.flatten(0, 1)[list(order)]
    found = estimate_patterns(frames.reshape(recording.series.shape), recording.scope)
    assert [not pattern.trusted for pattern in found] == list(spoilt)
    assert all("check" in pattern.doubt.lower() for pattern in found if not pattern.trusted)


@pytest.mark.parametrize("what", ["dark", "double"])
def test_one_bad_frame_spoils_its_own_orientation_only(what: str, usual: Recording) -> None:
    bad = torch.full_like(usual.series[1, 2], CAMERA.offset_adu) if what == "dark" else usual.series[1, 1]
    found = estimate_patterns(replaced(usual.series, 1, 2, by=bad), usual.scope)
    assert [pattern.trusted for pattern in found] == [True, False, True]


def test_one_orientation_without_pattern(usual: Recording, flat: Recording) -> None:
    found = estimate_patterns(replaced(usual.series, 2, by=flat.series[2]), usual.scope)
    assert [pattern.trusted for pattern in found] == [True, True, False]
    assert not found.trusted


def test_one_direction_twice(usual: Recording) -> None:
    found = estimate_patterns(replaced(usual.series, 2, by=usual.series[0]), usual.scope)
    assert sum(pattern.trusted for pattern in found) <= 2
    assert not found.trusted


def test_scores_rise_with_light() -> None:
    scores = []
    for photons in (3, 30, 300):
        recording = record(Case("actin", photons=photons, shape=(96, 96)))
        found = estimate_patterns(recording.series, recording.scope)
        scores.append(min(pattern.score for pattern in found))
    assert scores == sorted(scores)


def test_an_orientation_with_no_evidence_gets_nominal_steps() -> None:
    scope = Case().scope
    found = estimate_patterns(torch.zeros(3, 3, 64, 64), scope)
    for pattern in found:
        assert pattern.modulation == (0.0,)
        steps = [pattern.phases_rad[step] - pattern.phases_rad[0] for step in range(3)]
        assert steps == pytest.approx([0.0, 2 * torch.pi / 3, 4 * torch.pi / 3])


def test_one_straight_fibre_is_ambiguous() -> None:
    """A line scatters into one direction only: k0 is known across it, and any along it."""
    case = Case(angles=1, period_um=0.3, shape=(96, 96))
    y, x = torch.meshgrid(torch.arange(192.0), torch.arange(192.0), indexing="ij")
    fibre = 4000 * torch.exp(-0.5 * ((x - 0.4 * y - 60) / 1.5) ** 2)
    light = ForwardModel(Otf.of(case.scope), case.patterns, (96, 96), upsample=2).forward(fibre)
    series = torch.poisson(light.clamp(min=0), generator=torch.Generator().manual_seed(1)) / 0.5 + 100
    (found,) = estimate_patterns(series, case.scope)
    assert not found.trusted
    assert "ambiguous" in found.doubt


@pytest.mark.parametrize(
    ("scores", "predicted", "expected"),
    [
        ([9.0, 3.0, 3.0], [False, True, True], True),
        ([9.0, 3.0, 3.0], [False, False, False], False),
        ([5.5, 5.2, 3.0], [False, True, True], True),
        ([6.4, 3.7, 2.0], [False, True, True], False),
        ([5.0, 4.6, 4.6], [False, True, True], False),
        ([], [], False),
    ],
)
def test_peaks_confirm_each_other(scores: list[float], predicted: list[bool], expected: bool) -> None:
    assert confirmed(scores, predicted) is expected


@pytest.mark.parametrize(
    ("scores", "doubted"),
    [
        ((7.0, 3.0, 3.0), True),
        ((12.0, 3.0, 3.0), False),
        ((7.0, 8.0, 3.0), False),
        ((7.0,), False),
    ],
    ids=["weak and alone", "strong and alone", "two of them", "one orientation"],
)
def test_a_weak_pattern_needs_company(scores: tuple[float, ...], doubted: bool) -> None:
    patterns = [
        Pattern(kx=5.0, ky=float(place), phases_rad=(0.0, 2.0, 4.0), score=score, trusted=score > 6.5)
        for place, score in enumerate(scores)
    ]
    found = doubt_of_isolation(patterns)
    assert bool(found[0]) is doubted
    assert not any(found[1:])
