"""Patterns in reports, and what is said of those that are not trusted."""

import math
from statistics import median
from typing import Any

from rdl_live.optics.pattern import PatternSet

_DIM = 0.9


def pattern_records(patterns: PatternSet) -> list[dict[str, Any]]:
    """Return `patterns[]` of the report: angle [degrees], period [um], phases [degrees], modulation, score, trusted."""
    return [
        {
            "angle_deg": pattern.angle_deg,
            "period_um": pattern.period_um,
            "phases_deg": [math.degrees(phase) % 360.0 for phase in pattern.phases_rad],
            "modulation": pattern.modulation[0] if len(pattern.modulation) == 1 else list(pattern.modulation),
            "score": pattern.score,
            "trusted": pattern.trusted,
        }
        for pattern in patterns
    ]


def dim_frames(patterns: PatternSet) -> list[str]:
    """Return a sentence for every orientation with a frame that is dimmer than its others."""
    found = []
    for angle, pattern in enumerate(patterns):
        usual = median(pattern.gains)
        least = min(range(len(pattern.gains)), key=pattern.gains.__getitem__)
        share = pattern.gains[least] / usual if usual > 0 else 1.0
        if share < _DIM and pattern.trusted:
            found.append(
                f"frame angle {angle} phase {least} (counted from 0) is {1 - share:.0%} dimmer than the others of its "
                "orientation, which is corrected: check the laser, the shutter and the exposure of that pattern"
            )
    return found


def pattern_warnings(patterns: PatternSet) -> list[str]:
    """Return a sentence for every pattern that is not trusted, and what that means for the image."""
    doubts = [
        f"orientation {index}: {pattern.doubt or 'not trusted'}"
        for index, pattern in enumerate(patterns, start=1)
        if not pattern.trusted
    ]
    common = {pattern.doubt for pattern in patterns}
    if len(doubts) == len(patterns) > 1 and len(common) == 1 and (doubt := common.pop()):
        doubts = [f"all orientations: {doubt}"]
        doubts.append("no pattern is trusted, so the image is a filtered widefield image without super-resolution")
    elif len(doubts) == len(patterns):
        doubts.append("no pattern is trusted, so the image is a filtered widefield image without super-resolution")
    elif doubts:
        doubts.append(
            "super-resolution is missing along the orientations that are not trusted; they add widefield only"
        )
    return doubts + dim_frames(patterns)
