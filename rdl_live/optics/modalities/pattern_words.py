"""Patterns in reports, and what is said of those that are not trusted."""

import math
import re
from typing import Any

from rdl_live.optics.estimate.harmonics import NO_SECOND
from rdl_live.optics.pattern import Pattern, PatternSet
from rdl_live.optics.quality.dim_frames import dim_frames

_CARRIED = 0.5
"""Share of the modulation below which a part of the field is said to lack it."""
_NUMBER = re.compile(r"\d+(\.\d+)?")


def pattern_records(patterns: PatternSet) -> list[dict[str, Any]]:
    """Return `patterns[]` of the report: angle [degrees], period [um], phases [degrees], modulation, score, trusted."""
    return [
        {
            "angle_deg": pattern.angle_deg,
            "period_um": pattern.period_um,
            "phases_deg": [math.degrees(phase) % 360.0 for phase in pattern.phases_rad],
            "modulation": pattern.modulation[0] if len(pattern.modulation) == 1 else list(pattern.modulation),
            **harmonic_records(pattern),
            "score": pattern.score,
            "trusted": pattern.trusted,
        }
        for pattern in patterns
    ]


def harmonic_records(pattern: Pattern) -> dict[str, list[float] | list[bool]]:
    """Return periods of all harmonics and their phases beyond that of the first, where there is more than one."""
    count = len(pattern.modulation)
    if count == 1:
        return {}
    return {
        "periods_um": [pattern.period_um / harmonic for harmonic in range(1, count + 1)],
        "harmonics_trusted": [pattern.trusted and depth > 0 for depth in pattern.modulation],
        "harmonic_shifts_deg": [math.degrees(pattern.shift_rad(order)) % 360.0 for order in range(1, count + 1)],
    }


def pattern_warnings(patterns: PatternSet) -> list[str]:
    """Return a sentence for every cause for which patterns are not trusted, and what that means for the image."""
    causes: dict[str, list[int]] = {}
    for index, pattern in enumerate(patterns):
        if not pattern.trusted:
            causes.setdefault(_NUMBER.sub("#", pattern.doubt), []).append(index)
    if not causes:
        return _directions(patterns) + _uneven(patterns) + _lacking(patterns) + list(dim_frames(patterns).values())
    count = sum(len(indices) for indices in causes.values())
    found = []
    for indices in causes.values():
        strongest = max((patterns[index] for index in indices), key=lambda pattern: pattern.score)
        found.append(f"{_orientations(indices, len(patterns))}: {strongest.doubt or 'not trusted'}")
    if count == len(patterns):
        found.append("no pattern is trusted, so the image is a filtered widefield image without super-resolution")
    else:
        found.append("super-resolution is missing along the orientations that are not trusted; they add widefield only")
    return found + _uneven(patterns) + _lacking(patterns) + list(dim_frames(patterns).values())


def _uneven(patterns: PatternSet) -> list[str]:
    """Return a sentence for every orientation whose stripes are not in the whole field."""
    found = []
    for index, pattern in enumerate(patterns, start=1):
        parts = [share for row in pattern.local for share in row]
        if parts and pattern.trusted:
            lacking = sum(share < _CARRIED for share in parts) / len(parts)
            found.append(
                f"orientation {index}: its stripes are missing or out of step in {lacking:.0%} of the field, where the "
                "image takes less fine detail from them: check that the beams overlap in the whole field, that its "
                "structures are in focus, and that nothing drifts during a series"
            )
    return found


def _directions(patterns: PatternSet) -> list[str]:
    """Return a sentence where there are too few orientations for every direction."""
    if len(patterns) not in (1, 2):
        return []
    along = " and ".join(f"{pattern.angle_deg:.0f}" for pattern in patterns)
    if len(patterns) == 1:
        return [
            f"stripes in one orientation: the image is super-resolved along {along} degrees only (x to the right, y "
            "down) and is a widefield image across it; take three orientations for all directions"
        ]
    return [
        f"stripes in two orientations: the image is super-resolved along {along} degrees (x to the right, y down) and "
        "less between them; take three orientations for all directions"
    ]


def _lacking(patterns: PatternSet) -> list[str]:
    """Return a sentence where trusted orientations show no second harmonic."""
    if patterns.harmonics < 2:
        return []
    lacking = [number for number, one in enumerate(patterns) if one.trusted and one.modulation[1] == 0]
    if not lacking:
        return []
    named = _orientations(lacking, len(patterns))
    if all(patterns[number].doubt == NO_SECOND for number in lacking):
        return [f"{named}: {NO_SECOND}"]
    return [
        f"{named}: the second harmonic does not stand out from the noise, so the image has the resolution of linear "
        "SIM there: use more light or average several time points; check that the dye is saturated or switched"
    ]


def _orientations(indices: list[int], count: int) -> str:
    """Name orientations, counted from 1."""
    if len(indices) == count > 1:
        return "all orientations"
    numbers = " and ".join(str(index + 1) for index in indices)
    return f"orientation{'s' if len(indices) > 1 else ''} {numbers}"
