"""Frames of a pattern that are dimmer or brighter than its others, as the fit of the pattern shows it."""

from statistics import median

from rdl_live.optics.pattern import PatternSet

DIM = 0.9
"""Light of a frame, relative to the others of its orientation, below which it is named, or above its inverse."""


def dim_frames(patterns: PatternSet) -> dict[tuple[int, int], str]:
    """Return a sentence for every orientation with a frame that is dimmer or brighter than its others.

    By (angle, phase). Where all patterns are in every frame (a lattice), they have the same light, and such a frame is
    named once.
    """
    found = {}
    shared = len(patterns) > 1 and len({pattern.gains for pattern in patterns}) == 1
    if shared:
        patterns = PatternSet(patterns=next(((one,) for one in patterns if one.trusted), ()))
    for angle, pattern in enumerate(patterns):
        usual = median(pattern.gains)
        least = min(range(len(pattern.gains)), key=pattern.gains.__getitem__)
        share = pattern.gains[least] / usual if usual > 0 else 1.0
        where, whose = ("", "") if shared else (f"angle {angle} ", " of its orientation")
        if share < DIM and pattern.trusted:
            found[angle, least] = (
                f"frame {where}phase {least} (counted from 0) is {1 - share:.0%} dimmer than the others{whose}, which "
                "is corrected: check the laser, the shutter and the exposure of that pattern"
            )
            continue
        most = max(range(len(pattern.gains)), key=pattern.gains.__getitem__)
        share = pattern.gains[most] / usual if usual > 0 else 1.0
        if share > 1 / DIM and pattern.trusted:
            found[angle, most] = (
                f"frame {where}phase {most} (counted from 0) is {share - 1:.0%} brighter than the others{whose}, which "
                "is corrected: check the laser, and the exposure of that pattern"
            )
    return found
