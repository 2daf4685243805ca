"""Is the pattern right? For each orientation a verdict, what it is, and what to do."""

import math
import re
from collections.abc import Callable, Sequence
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from rdl_live.view.patterns.verdicts import Verdict

if TYPE_CHECKING:  # loads torch, which the window must not wait for
    from rdl_live.optics.pattern import Pattern, PatternSet

ANGLE_DEG = 2.0
"""Directions that are off by more are reported: gratings are right to 0.1, estimations of dim light to 0.5 degrees."""
PERIOD_OF_NOMINAL = 0.03
"""Periods that are off by more of what is planned are reported."""
PERIOD_OF_OTHERS = 0.1
"""The same where no plan is known: calibrated orientations differ by up to 0.07."""
DEEP = 0.35
"""Modulation below it is reported: the side bands are then weaker than a sixth of the widefield image."""
OF_BEST = 0.6
"""Modulation below this share of the best orientation's is reported."""
COMFORTABLE = 12.0
"""Scores below it leave the phases uncertain by more than about 5 degrees."""


NOT_YET = "No patterns yet"
EVEN = "Even light"


class Health(NamedTuple):
    """One orientation."""

    state: Verdict
    title: str
    """Which orientation, and its numbers."""
    advice: str
    """What is wrong and what to do; empty where all is well."""


def pattern_health(
    patterns: "PatternSet | None", nominal: "PatternSet | None" = None, *, running: bool = True
) -> list[Health]:
    """Judge the patterns.

    Args:
        patterns: as estimated; None while they are being found.
        nominal: the patterns that were planned, where that is known.
        running: whether frames come that patterns could be found in.

    Returns:
        One verdict for each orientation; a single one that says so while there are no patterns.
    """
    if patterns is None and not running:
        return [Health(Verdict.UNKNOWN, NOT_YET, "They are found in the first series with light: press Live.")]
    if patterns is None:
        waiting = "Live view finds them within a few series; in very low light it takes longer."
        return [Health(Verdict.UNKNOWN, "Patterns are being found", waiting)]
    if not len(patterns):
        return [Health(Verdict.GOOD, EVEN, "There are no patterns to be found: each frame is an image of its own.")]
    trusted = [index for index, pattern in enumerate(patterns) if pattern.trusted]
    turned = _turned(patterns, nominal, trusted)
    stretched = _stretched(patterns, nominal, trusted)
    best = max((patterns[index].modulation[0] for index in trusted), default=0.0)
    health = []
    for index, pattern in enumerate(patterns):
        title = f"Orientation {index + 1}: {facts(pattern)}"
        if not pattern.trusted:
            advice = pattern.doubt or "not trusted: check that the pattern is on and in focus"
            health.append(Health(Verdict.BAD, title, _brief(advice)))
            continue
        found = [turned.get(index, ""), stretched.get(index, ""), _shallow(pattern, best), _faint(pattern)]
        told = " ".join(_sentence(text) for text in found if text)
        health.append(Health(Verdict.CHECK if told else Verdict.GOOD, title, told))
    return health


def facts(pattern: "Pattern") -> str:
    """Return the numbers of a pattern in words."""
    return (
        f"period {1e3 * pattern.period_um:.0f} nm, direction {pattern.angle_deg:.0f}°, "
        f"modulation {pattern.modulation[0]:.2f}, score {pattern.score:.0f}"
    )


def summary(health: Sequence[Health]) -> str:
    """Say in a few words how the patterns are."""
    if any(one.title == NOT_YET for one in health):
        return "no patterns yet"
    if any(one.title == EVEN for one in health):
        return "even light"
    if any(one.state is Verdict.UNKNOWN for one in health):
        return "patterns are being found"
    bad = sum(one.state is Verdict.BAD for one in health)
    check = sum(one.state is Verdict.CHECK for one in health)
    if bad == len(health):
        return "no pattern is trusted: there is no super-resolution"
    if bad:
        return f"{bad} of {len(health)} patterns not trusted: no super-resolution in that direction"
    if check:
        return f"all patterns trusted, {check} of {len(health)} to be checked"
    return "all patterns are good"


def common_advice(health: Sequence[Health]) -> tuple[str, list[str]]:
    """Take what is said of every orientation out of their advice: it is to be said once.

    Returns:
        What all have in common, "" if they have nothing; and what is left for each.
    """
    sentences = [_sentences(one.advice) for one in health]
    shared = [one for one in sentences[0] if len(health) > 1 and all(one in others for others in sentences)]
    left = [" ".join(one for one in mine if one not in shared) for mine in sentences]
    return " ".join(shared), left


def remedy(advice: str) -> str:
    """Return what to do; all of the advice where what is wrong is not told apart from it."""
    first, *others = _sentences(advice) or [""]
    return " ".join(others) or first


def _turned(patterns: "PatternSet", nominal: "PatternSet | None", trusted: Sequence[int]) -> dict[int, str]:
    """Say which orientations lie elsewhere than planned, or than the others let expect."""
    if len(trusted) < 2 and nominal is None:
        return {}
    found = [patterns[index].angle_deg for index in trusted]
    if nominal is not None and len(nominal) == len(patterns):
        offsets = [_remainder(angle - nominal[index].angle_deg) for angle, index in zip(found, trusted, strict=True)]
    else:
        offsets = _uneven(found, trusted, 180.0 / len(patterns))
    planned = nominal is not None and len(nominal) == len(patterns)
    # Two cannot outvote one another, but the plan can tell which of them is right.
    common = min(offsets, key=abs, default=0.0) if planned and len(trusted) < 3 else _middle(offsets)
    told = {}
    for index, offset in zip(trusted, offsets, strict=True):
        apart = abs(_remainder(offset - common))
        if apart > ANGLE_DEG and (planned or len(trusted) > 2):
            told[index] = f"orientation {index + 1} is {apart:.0f} degrees off the others: check the pattern source"
        elif apart > ANGLE_DEG / 2 and len(trusted) == 2 and not planned:
            told[index] = (
                f"the angle between the two orientations is {2 * apart:.0f} degrees off even spacing: check the "
                "pattern source"
            )
        elif planned and abs(common) > ANGLE_DEG:
            told[index] = (
                f"all patterns are turned by {common:+.0f} degrees from the plan: correct hardware.slm.rotation_deg "
                "or view in the microscope file"
            )
    return told


def _stretched(patterns: "PatternSet", nominal: "PatternSet | None", trusted: Sequence[int]) -> dict[int, str]:
    """Say which orientations have another period than planned, or than the others."""
    planned = nominal is not None and len(nominal) == len(patterns)
    ratios = {
        index: patterns[index].period_um / (nominal[index].period_um if nominal is not None and planned else 1.0)
        for index in trusted
    }
    if not ratios:
        return {}
    few = planned and len(trusted) < 3
    common = min(ratios.values(), key=lambda ratio: abs(ratio - 1)) if few else median(ratios.values())
    told = {}
    for index, ratio in ratios.items():
        if (planned or len(trusted) > 2) and abs(ratio / common - 1) > (
            PERIOD_OF_NOMINAL if planned else PERIOD_OF_OTHERS
        ):
            expected = 1e3 * patterns[index].period_um * common / ratio
            told[index] = (
                f"period {1e3 * patterns[index].period_um:.0f} nm, but the others suggest {expected:.0f} nm: "
                "check the pattern source"
            )
        elif planned and abs(common - 1) > PERIOD_OF_NOMINAL:
            told[index] = (
                f"all periods are {100 * abs(common - 1):.0f} % {'longer' if common > 1 else 'shorter'} than planned: "
                "check optics.pixel_size_um and hardware.slm.pixel_um in the microscope file"
            )
    return told


def _shallow(pattern: "Pattern", best: float) -> str:
    depth = pattern.modulation[0]
    if depth < OF_BEST * best:
        return (
            f"modulation {depth:.2f}, the best orientation has {best:.2f}: check the polarisation for this "
            "orientation, and that both beams pass"
        )
    if depth < DEEP:
        return "the modulation is weak, so fine detail will be noisy: check focus, polarisation and out-of-focus light"
    return ""


def _faint(pattern: "Pattern") -> str:
    if pattern.score >= COMFORTABLE:
        return ""
    return f"score {pattern.score:.0f} is only just enough: use more light or a brighter place to be sure"


def _uneven(angles: Sequence[float], orders: Sequence[int], step: float) -> list[float]:
    """Return how far directions are from evenly spaced ones, whichever way they count."""
    ways: list[Callable[[int], float]] = [lambda index: index * step, lambda index: -index * step]
    candidates = [[_remainder(angle - way(order)) for angle, order in zip(angles, orders, strict=True)] for way in ways]
    return min(candidates, key=lambda offsets: sum(abs(_remainder(o - _middle(offsets))) for o in offsets))


def _middle(offsets: Sequence[float]) -> float:
    """Return the median on the circle of 180 degrees (of two: their mean)."""
    if not offsets:
        return 0.0
    # Around the offset that is nearest to all, so that -89 and 89 are neighbours.
    centre = min(offsets, key=lambda one: sum(abs(_remainder(other - one)) for other in offsets))
    return _remainder(centre + median(_remainder(offset - centre) for offset in offsets))


def _remainder(angle: float) -> float:
    """Return an angle modulo 180 in [-90, 90]: stripes have no head."""
    return math.remainder(angle, 180.0)


def _brief(doubt: str) -> str:
    """Return a doubt without what only the command's user can do, which follows a semicolon."""
    return _sentence(doubt.partition(";")[0])


def _sentences(text: str) -> list[str]:
    """Split where a full stop is followed by a capital: numbers and names of files hold full stops, too."""
    return [one for one in re.split(r"(?<=[.!?]) (?=[A-Z])", text) if one]


def _sentence(text: str) -> str:
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
