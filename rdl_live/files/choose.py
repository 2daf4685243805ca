"""Which of several ways to read a file is right: its stripes decide, clearly or not at all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files.readings import Reading, as_series
from rdl_live.optics.stripe_evidence import LEAST_SIDE, StripeEvidence, middle, stripe_evidence

MOST_SERIES = 6
"""Series of a reading that are looked at, evenly spread, the first and the last among them."""
SURE, CARRIES, HARDLY = 0.9, 0.6, 0.5
"""Share of orientations with stripes: from which no other reading is tried, from which a reading carries them, and up
to which it does not."""
_MORE = 0.25
"""By how much the share of another reading must be larger than that of what was said."""
_CLEAR = 1.5
"""How much better the best of several readings must be than the next."""
_LEFT = 0.05

ReadFrames = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.generic]]
"""Returns the frames (n, y, x) of some numbers."""


@dataclass(frozen=True)
class Chosen:
    """The reading, and what to say of it."""

    reading: Reading
    notes: tuple[str, ...] = ()


def choose(ways: Sequence[Reading], read: ReadFrames, shape: tuple[int, int]) -> Chosen:
    """Return the reading that the data bear out.

    What file and microscope file say (the readings of lowest rank) stands unless it carries no stripes and another
    reading clearly does. Where they leave two ways open, the data decide.

    Args:
        ways: the likeliest first.
        read: reads frames.
        shape: of a frame (Y, X); in very small ones no stripes are sought.

    Raises:
        DataError: two ways are left open, and the data do not decide.
    """
    first = ways[0]
    if len(ways) == 1:
        return Chosen(first)
    open_ways = [way for way in ways if way.rank == first.rank]
    if min(shape) < LEAST_SIDE:
        if len(open_ways) > 1:
            raise DataError(_open_question(open_ways))
        return Chosen(first)
    evidence = {way: _evidence(way, read) for way in open_ways}
    if len(open_ways) == 1 and evidence[first].share >= SURE:
        return Chosen(first)
    best = _clearest(evidence)
    most = max(one.share for one in evidence.values())
    if best is None or most < SURE:
        evidence |= {way: _evidence(way, read) for way in ways if way not in evidence}
        better = _clearest(evidence)
        if better is not None and (better in open_ways or evidence[better].share >= most + _MORE):
            best = better
    if best is None:
        if len(open_ways) > 1:
            raise DataError(_open_question(open_ways))
        best = first
    if best is first and len(open_ways) == 1:
        return Chosen(first)
    return Chosen(best, (_said(best, [way for way in open_ways if way is not best]),))


def contradiction(said: Sequence[Reading], ways: Sequence[Reading], read: ReadFrames) -> tuple[str, ...]:
    """Return a warning if the data contradict the order that the user says, whose word stands all the same."""
    own = {way: _evidence(way, read) for way in said}
    if len(said) == len(ways) or max(one.share for one in own.values()) > HARDLY:
        return ()
    same = {as_series(way.frames).tobytes() for way in said}
    others = [way for way in ways if as_series(way.frames).tobytes() not in same]
    best = _clearest(own | {way: _evidence(way, read) for way in others}) if others else None
    if best is None or best in own:
        return ()
    return (
        f"the frames are read as {said[0].words}, as was said, but so they carry hardly any stripes; read as "
        f"{best.words} they do: correct the order",
    )


def _evidence(way: Reading, read: ReadFrames) -> StripeEvidence:
    series = as_series(way.frames)
    count = min(len(series), MOST_SERIES)
    chosen = series[np.unique(np.linspace(0, len(series) - 1, count).round().astype(int))]
    # One series in memory at a time: of large frames the middle is enough.
    frames = [middle(read(one.reshape(-1))) for one in chosen]
    return stripe_evidence(np.stack(frames).reshape(*chosen.shape, *frames[0].shape[-2:]))


def _clearest(evidence: dict[Reading, StripeEvidence]) -> Reading | None:
    """Return the reading that carries stripes clearly better than all others; None where none does."""
    most = max(one.share for one in evidence.values())
    if most < CARRIES:
        return None
    good = {way: _weight(one) for way, one in evidence.items() if one.share > most - 0.4}
    ordered = sorted(good, key=lambda way: -good[way])
    if len(ordered) > 1 and good[ordered[0]] < _CLEAR * good[ordered[1]]:
        return None
    return ordered[0]


def _weight(one: StripeEvidence) -> float:
    """Return the height of the peaks, less where planes are mixed: their steps may repeat like those of phases."""
    return one.share * one.strength * (1 - one.mixed + _LEFT)


def _said(best: Reading, others: list[Reading]) -> str:
    planes = f", {best.planes} planes" if best.planes > 1 else ""
    instead = f"; read as {others[0].words} they do not" if others else ""
    return (
        f"the frames are read as {best.words} (slowest first{planes}): so they carry stripes in all orientations"
        f"{instead}. Say --order {best.words} to make it certain"
    )


def _open_question(ways: list[Reading]) -> str:
    words = " or ".join(f"--order {way.words}" for way in ways[:4])
    return (
        f"can be read in {len(ways)} ways, and its stripes are too weak to show which is right: say how its frames "
        f"follow one another, slowest first: {words}"
    )
