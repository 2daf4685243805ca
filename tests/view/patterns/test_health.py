"""Verdicts on patterns: what is wrong is found, blamed on the right orientation, and nothing else is."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdl_live.optics.pattern import Pattern, PatternSet
from rdl_live.view.patterns.health import Health, common_advice, pattern_health, remedy, summary
from rdl_live.view.patterns.verdicts import Verdict, worst

NOMINAL = (8.0, 68.0, 128.0)


def pattern(angle_deg: float, period_um: float = 0.18, depth: float = 0.8, score: float = 30.0) -> Pattern:
    angle = math.radians(angle_deg)
    return Pattern(
        kx=math.cos(angle) / period_um,
        ky=math.sin(angle) / period_um,
        phases_rad=(0.0, 2.1, 4.2),
        modulation=(depth,),
        score=score,
    )


def patterns(angles: Sequence[float] = NOMINAL, **more: float) -> PatternSet:
    return PatternSet(patterns=tuple(pattern(angle, **more) for angle in angles))


def states(health: Sequence[Health]) -> list[str]:
    return [str(one.state) for one in health]


def test_good_patterns_are_good_and_show_their_numbers() -> None:
    health = pattern_health(patterns(), patterns())
    assert states(health) == ["good"] * 3
    assert health[0].title == "Orientation 1: period 180 nm, direction 8°, modulation 0.80, score 30"
    assert not any(one.advice for one in health)
    assert summary(health) == "all patterns are good"


@pytest.mark.parametrize("nominal", [None, patterns()])
def test_the_orientation_that_is_off_is_blamed(nominal: PatternSet | None) -> None:
    health = pattern_health(patterns((8.0, 74.0, 128.0)), nominal)
    assert states(health) == ["good", "check", "good"]
    assert health[1].advice == "Orientation 2 is 6 degrees off the others: check the pattern source."


@given(st.floats(0, 180), st.sampled_from([-1, 1]), st.sampled_from([3, 5]))
def test_evenly_spaced_patterns_are_good_however_they_lie(first: float, way: int, count: int) -> None:
    angles = [first + way * 180 / count * index for index in range(count)]
    assert states(pattern_health(patterns(angles))) == ["good"] * count


@given(st.floats(-60, 60).filter(lambda turn: abs(turn) > 3))
def test_a_turned_camera_is_told_as_such_and_no_orientation_is_blamed(turn: float) -> None:
    health = pattern_health(patterns([angle + turn for angle in NOMINAL]), patterns())
    assert states(health) == ["check"] * 3
    assert all("rotation_deg" in one.advice and "off the others" not in one.advice for one in health)


def test_another_period() -> None:
    odd = PatternSet(patterns=(pattern(8), pattern(68, period_um=0.21), pattern(128)))
    assert "Period 210 nm, but the others suggest 180 nm" in pattern_health(odd)[1].advice
    assert states(pattern_health(odd, patterns())) == ["good", "check", "good"]
    longer = pattern_health(patterns(period_um=0.19), patterns())
    assert all("6 % longer than planned" in one.advice for one in longer)


def test_weak_modulation_and_faint_patterns() -> None:
    shallow = PatternSet(patterns=(pattern(8), pattern(68, depth=0.3), pattern(128)))
    assert states(pattern_health(shallow)) == ["good", "check", "good"]
    assert "polarisation for this orientation" in pattern_health(shallow)[1].advice
    assert "out-of-focus" in pattern_health(patterns(depth=0.2))[0].advice
    assert "more light" in pattern_health(patterns(score=8))[0].advice


def test_untrusted_patterns_pass_on_their_doubt() -> None:
    doubt = "no pattern found: the strongest peak scores 3"
    bad = pattern(68).replace(trusted=False, doubt=doubt)
    health = pattern_health(PatternSet(patterns=(pattern(8), bad, pattern(128))))
    assert states(health) == ["good", "bad", "good"]
    assert health[1].advice == "No pattern found: the strongest peak scores 3."
    assert "1 of 3" in summary(health)
    assert worst([one.state for one in health]) is Verdict.BAD


def test_of_two_the_plan_tells_which_is_off() -> None:
    lost = pattern(128).replace(trusted=False)
    two = PatternSet(patterns=(pattern(8), pattern(74, period_um=0.2), lost))
    health = pattern_health(two, patterns())
    assert states(health) == ["good", "check", "bad"]
    assert "6 degrees off" in health[1].advice
    assert "suggest 180 nm" in health[1].advice
    assert states(pattern_health(patterns((8.0, 95.0)))) == ["check", "check"]


def test_before_the_first_estimation() -> None:
    (one,) = pattern_health(None)
    assert one.state is Verdict.UNKNOWN
    assert worst([]) is Verdict.GOOD


def test_what_all_orientations_share_is_said_once() -> None:
    weak = pattern_health(patterns(depth=0.15))
    shared, left = common_advice(weak)
    assert shared.startswith("The modulation is weak")
    assert left == ["", "", ""]
    doubts = ["no pattern found: the peak scores 3.5. Check that it is on; give pattern.period_um"] * 2
    bad = pattern_health(
        PatternSet(
            patterns=tuple(
                pattern(angle).model_copy(update={"trusted": False, "doubt": doubt.replace("3.5", f"{angle / 10}")})
                for angle, doubt in zip((1.0, 91.0), doubts, strict=True)
            )
        )
    )
    assert common_advice(bad) == (
        "Check that it is on.",
        ["No pattern found: the peak scores 0.1.", "No pattern found: the peak scores 9.1."],
    )
    assert remedy(bad[0].advice) == "Check that it is on."
    assert (
        remedy("Orientation 2 is off: check the pattern source.") == "Orientation 2 is off: check the pattern source."
    )
    assert common_advice(weak[:1]) == ("", [weak[0].advice])
