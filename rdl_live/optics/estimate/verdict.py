"""Whether a pattern can be trusted, and if not, why and what to do, in the user's words."""

import math
from statistics import median

from rdl_live.optics.estimate.steps import Steps
from rdl_live.optics.estimate.transfer import Profile, ends_early
from rdl_live.optics.pattern import Pattern

ALONE = 6.5
"""Score from which a peak counts without being predicted: noise stayed below 5.5; of 462 pattern-free specimens one
reached 6.9, in one orientation alone (see SOLE)."""
SOLE = 9.0
"""Score that a peak needs if no other orientation shows any pattern: one chance among many structured specimens."""
PREDICTED = 4.5
"""Score that is enough where the other orientations or the user's guess predict the peak."""
TOGETHER = 52.0
"""Sum of two orientations' squared scores from which they confirm each other, where the geometry predicts one from
the other. By chance, in noise: 5.2^2 + 3.5^2, the second having few places to be."""
_COHERENT = 0.75
"""Least coherence of the overlap relative to the score needed: a few bright fibres make sectors of high scores."""
_AMBIGUOUS = 0.85
"""Coherence of a rival relative to the best peak's from which nothing tells which is the pattern."""
_LEAK = 0.5
"""Largest share of the pattern found in orders where equal steps leave nothing."""
_LEAST_MODULATION = 0.08
"""Contrast below which what is gained is noise; usable recordings begin at about 0.13."""
_MOST_MODULATION = 1.3
_DARK = 0.5
"""Light of a frame, relative to its orientation's, below which it is called dark."""
_STEP_TOLERANCE_DEG = 60.0
_UNEVEN = 0.45
"""Largest relative spread of the frames' modulation."""
_SAME_ANGLE_DEG = 10.0
BEYOND = "the frames hold more fine detail than the optics"
_OTHER_PERIOD = 0.1
"""Largest difference of an orientation's period from the others'; calibrated ones differ by up to 0.07."""


def confirmed(scores: list[float], predicted: list[bool]) -> bool:
    """Whether the peaks confirm each other: they share a geometry, and one stands by itself or two do together."""
    best = sorted(scores, reverse=True)[:2]
    together = min(best, default=0.0) >= PREDICTED and sum(score**2 for score in best) >= TOGETHER
    return any(predicted) and (max(scores) >= ALONE or together)


def doubt_of_peak(score: float, coherence: float, *, confirmed: bool, spots: int | None = None) -> str:
    """Judge the correlation peak.

    Args:
        score: height over what is typical of such shifts; 0 where there is none.
        coherence: of the overlap, over what random phases would give.
        confirmed: whether other orientations, or the user's guess, put it there.
        spots: how many bright spots make up the specimen, where they are few.
    """
    needed = PREDICTED if confirmed else ALONE
    if score >= needed and coherence >= _COHERENT * needed:
        return ""
    if spots is not None:
        return (
            f"no pattern found: the specimen is a few bright spots (about {spots}), too few to distinguish a pattern "
            "from chance, whatever the light. Use a field with more structure, take the patterns of such a field, or "
            "give pattern.period_um and pattern.angles_deg in the microscope file; where that shows none either, check "
            "that the pattern is on"
        )
    if score <= 0:
        return (
            "no pattern found: nothing stands out from the noise. Check that the pattern is on and in focus, or use "
            "more light; in very low light, average several time points, or give pattern.period_um and "
            "pattern.angles_deg in the microscope file"
        )
    if score >= needed:
        return (
            f"no pattern found: the strongest peak (score {score:.1f}) repeats the specimen's structure too poorly "
            f"(coherence {coherence:.1f}, {_COHERENT * needed:.1f} is needed), so it is a regular structure or a few "
            "bright spots. Check that the patterns are on and move, or give pattern.period_um and pattern.angles_deg "
            "in the microscope file"
        )
    return (
        f"no pattern found: the strongest peak scores {score:.1f}, {needed:.1f} is required to stand out from noise. "
        "Check that the pattern is on and in focus, or use more light; in very low light, average several time "
        "points, or give pattern.period_um and pattern.angles_deg in the microscope file"
    )


def doubt_of_rival(coherence: float, rival: float) -> str:
    """Judge whether the peak is the only one: along a single straight fibre a whole line of them fits.

    Args:
        coherence: of the overlap at the peak.
        rival: the same at the best peak elsewhere.
    """
    if rival < _AMBIGUOUS * coherence:
        return ""
    return (
        f"ambiguous: another pattern fits nearly as well (coherence {rival:.1f} and {coherence:.1f}). Check that the "
        "specimen has structure in more than one direction, or give pattern.period_um and pattern.angles_deg in the "
        "microscope file"
    )


def doubt_of_steps(steps: Steps) -> str:
    """Judge the frames of one orientation."""
    dark = min(range(len(steps.intensity)), key=steps.levels.__getitem__)
    usual = median(steps.levels)
    if steps.levels[dark] < _DARK * usual:
        return (
            f"frame {dark + 1} of this orientation is dark ({max(steps.levels[dark] / usual, 0):.0%} of the light of "
            "the others): check the shutter, the trigger and the first exposure of a burst"
        )
    errors_deg, strengths, sigma, modulation = steps.errors_deg, steps.strengths, steps.sigma, steps.modulation
    if modulation < max(_LEAST_MODULATION, 3 * sigma):
        return (
            f"modulation {modulation:.2f} is too weak to use: check focus, polarisation and that the beams interfere "
            "on the sample"
        )
    if modulation > _MOST_MODULATION * (1 + 3 * steps.scale_sigma):
        return (
            f"modulation {modulation:.2f} is above 1, which is physically impossible: check camera.offset_adu, and "
            "optics.na, optics.pixel_size_um and the wavelengths in the microscope file"
        )
    mean = sum(strengths) / len(strengths)
    spread = (max(strengths) - min(strengths)) / 2
    if spread > _UNEVEN * mean + 3 * sigma:
        weakest = min(range(len(strengths)), key=strengths.__getitem__)
        return (
            f"frame {weakest + 1} of this orientation carries another pattern than its neighbours: check "
            "pattern.order (angle-phase or phase-angle), and that pattern display and camera are in step"
        )
    noise = sigma / math.sqrt(len(strengths))
    if steps.leak > _LEAK * modulation + 3 * noise:
        return (
            "what changes from frame to frame is not a pattern that moves by equal steps: check that the patterns "
            "are on and move, pattern.phases and pattern.order, and that the specimen rests during a series"
        )
    worst = max(errors_deg, key=abs)
    if abs(worst) > _STEP_TOLERANCE_DEG + 3 * math.degrees(sigma / modulation):
        return (
            f"a phase step is {abs(worst):.0f} degrees off: check pattern.phases and pattern.order, and "
            "that the patterns move by equal steps"
        )
    return ""


def doubt_of_isolation(patterns: list[Pattern]) -> list[str]:
    """Return a doubt for a weak pattern that is the only one of its series ("" for the others)."""
    trusted = [pattern for pattern in patterns if pattern.trusted]
    alone = len(patterns) > 1 and len(trusted) == 1 and trusted[0].score < SOLE
    text = (
        f"a pattern in one orientation alone, scoring {trusted[0].score:.1f}, is more likely the specimen's own; "
        f"{SOLE:.1f} is needed. Check that the patterns are on and in focus in every orientation, or use more light"
        if alone
        else ""
    )
    return [text if pattern.trusted else "" for pattern in patterns]


def doubt_of_neighbours(patterns: list[Pattern]) -> list[str]:
    """Return a doubt for every pattern that shares its direction with a better one ("" for the others)."""
    doubts = [""] * len(patterns)
    for index, pattern in enumerate(patterns):
        for other, rival in enumerate(patterns):
            apart = abs((pattern.angle_deg - rival.angle_deg + 90) % 180 - 90)
            better = (rival.score, -other) > (pattern.score, -index)
            if index != other and better and apart < min(_SAME_ANGLE_DEG, 60 / len(patterns)):
                doubts[index] = (
                    f"same direction as orientation {other + 1} ({rival.angle_deg:.0f} degrees): the frames may "
                    "be mixed up; check pattern.order and pattern.angles"
                )
    return doubts


def doubt_of_period(patterns: list[Pattern]) -> list[str]:
    """Return a doubt for every pattern whose period is not that of the others ("" for the rest); of two, for both."""
    trusted = [pattern for pattern in patterns if pattern.trusted]
    if len(trusted) < 2:
        return [""] * len(patterns)
    usual = median(pattern.period_um for pattern in trusted)
    # Of two, their mean is as far from one as from the other.
    most = _OTHER_PERIOD if len(trusted) > 2 else _OTHER_PERIOD / 2
    return [
        f"period {1e3 * pattern.period_um:.0f} nm, where the other orientations have {1e3 * usual:.0f}: check the "
        "pattern that is displayed, or optics.na, optics.pixel_size_um and the wavelengths in the microscope file"
        if abs(pattern.period_um / usual - 1) > most
        else ""
        for pattern in patterns
    ]


def doubt_of_optics(
    profiles: list[Profile], *, beyond: bool, at_limit: bool, cutoff: float, damped: bool = False
) -> str:
    """Judge whether the light fits the optics of the microscope file; one doubt for all orientations, "" if it does.

    Args:
        profiles: of the orientations with a pattern.
        beyond: whether there is detail beyond the cut-off.
        at_limit: whether the peaks lie at the end of the range that wavelength and NA allow.
        cutoff: of the OTF [cycles/um].
        damped: whether the OTF is one that was measured.
    """
    if beyond or 2 * sum(one.wide for one in profiles) > len(profiles):
        return (
            f"{BEYOND} in the microscope file (cut-off {1e3 / cutoff:.0f} nm) "
            "can image: check optics.na, optics.pixel_size_um and the wavelengths"
        )
    if at_limit:
        return (
            "the strongest peaks lie at the finest pattern that wavelength and NA allow, so the real one may be finer: "
            "check optics.na, optics.pixel_size_um and the wavelengths"
        )
    if 2 * sum(one.narrow or (damped and one.unexplained) for one in profiles) > len(profiles):
        return (
            "fine detail is far weaker than the optics in the microscope file would image it: check optics.na, "
            "optics.pixel_size_um and the wavelengths, and the focus"
        )
    if damped and ends_early(profiles):
        return (
            f"no detail arrives near the cut-off ({1e3 / cutoff:.0f} nm) of the optics in the microscope file: check "
            "optics.pixel_size_um, then optics.na and the wavelengths"
        )
    if 2 * sum(one.defocused for one in profiles) > len(profiles):
        return (
            "out of focus: detail is missing or inverted between coarse and fine, so that lines would be doubled; "
            "check the focus, then optics.na, optics.pixel_size_um and the wavelengths"
        )
    return ""
