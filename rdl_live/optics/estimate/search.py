"""Choosing one peak per orientation: by evidence, and by the geometry that SIM patterns share.

The orientations of one instrument have nearly the same period and lie 180 / A degrees apart. A weak peak
just there is believed where a global search would have to call it noise; a peak elsewhere must stand out
all the more. A first guess narrows the search in the same way.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.optics.estimate.correlate import Summits
from rdl_live.optics.microscope import PatternGuess

_SIGMA_PERIOD = 0.05
"""Spread of the periods of one instrument's orientations (7 % were seen on a calibrated one)."""
_SIGMA_ANGLE = 3.0
"""Spread of the spacing of orientations [degrees]."""
_WINDOW = 2.5
"""The geometry predicts within so many standard deviations."""
_ANCHORS = 6
"""Peaks per orientation that may serve as the anchor of a joint hypothesis."""
_LOOKED_AT = 400
"""Candidates per orientation among which these are sought."""
_NO_GEOMETRY = 40.0
"""How much more evidence (sum of z^2) peaks need, per orientation, that ignore the geometry."""
_ELSEWHERE = 0.1
"""Summits this share of |k0| apart are of different patterns."""
_SAME = 0.01
"""And this close they are one."""
_BESIDE, _CLEAR, _MOST_NEAR = 0.7, 10.0, 2
"""Score of a summit beside the best one, relative to it and at least, from which it is looked at; so many are."""
_RIVAL = 0.4
"""Least score of a rival relative to the peak's."""
_GUESS_PERIOD = 0.08
_GUESS_ANGLE = 8.0
"""How far from a first guess to look (relative; degrees)."""


@dataclass(frozen=True)
class Peak:
    """One orientation's choice."""

    kx: float
    ky: float
    """[cycles/um]."""
    z: float
    predicted: bool
    """Whether it lies where the other orientations, or the user's first guess, put it."""
    rival: "Peak | None" = None
    """The best summit elsewhere, if it is not much lower."""
    near: "tuple[Peak, ...]" = ()
    """Summits beside it that are nearly as high."""


@dataclass(frozen=True)
class _Candidates:
    """The summits of one orientation's map, best first."""

    kx: Tensor
    ky: Tensor
    z: Tensor
    radius: Tensor
    angle: Tensor
    """Modulo 180 [degrees]."""

    def __len__(self) -> int:
        return len(self.z)

    def only(self, keep: Tensor) -> "_Candidates":
        return _Candidates(self.kx[keep], self.ky[keep], self.z[keep], self.radius[keep], self.angle[keep])

    def peak(self, index: int, predicted: bool) -> Peak:
        kx, ky, radius = float(self.kx[index]), float(self.ky[index]), float(self.radius[index])
        z = float(self.z[index])
        elsewhere = (torch.hypot(self.kx - kx, self.ky - ky) > _ELSEWHERE * radius) & (self.z > _RIVAL * z)
        rival = None
        if bool(elsewhere.any()):
            first = int(elsewhere.nonzero()[0])
            rival = Peak(float(self.kx[first]), float(self.ky[first]), float(self.z[first]), predicted=False)
        return Peak(kx, ky, z, predicted, rival, self._near(kx, ky, radius, z, predicted))

    def _near(self, kx: float, ky: float, radius: float, z: float, predicted: bool) -> tuple[Peak, ...]:
        """Return the summits beside one that no noise explains and that are nearly as high."""
        apart = torch.hypot(self.kx - kx, self.ky - ky)
        beside = (apart < _ELSEWHERE * radius) & (apart > _SAME * radius) & (self.z > max(_BESIDE * z, _CLEAR))
        found = beside.nonzero().flatten()[:_MOST_NEAR].tolist()
        return tuple(Peak(float(self.kx[i]), float(self.ky[i]), float(self.z[i]), predicted) for i in found)


def choose_peaks(summits: list[Summits], guess: PatternGuess) -> list[Peak | None]:
    """Return the best peak of every orientation, None where there is nothing at all."""
    candidates = [_candidates(found) for found in summits]
    near = [_near_guess(found, guess, index) for index, found in enumerate(candidates)]
    if guess.period_um is not None and guess.angles_deg is not None:
        expected = [_best(found, predicted=True) for found in near]
        blind = _chosen(candidates)
        # A first guess is where to start, not where to end: strong peaks elsewhere overrule it.
        overruled = _evidence(blind) > _evidence(expected) + _NO_GEOMETRY * len(candidates)
        return blind if overruled else expected
    return _chosen([close if len(close) else far for close, far in zip(near, candidates, strict=True)])


def _chosen(candidates: list[_Candidates]) -> list[Peak | None]:
    """Return the peaks without more knowledge than that of a common geometry."""
    alone = [_best(found, predicted=False) for found in candidates]
    return alone if len(candidates) == 1 else _joint(candidates, alone)


def _evidence(peaks: list[Peak | None]) -> float:
    return sum(peak.z**2 for peak in peaks if peak is not None)


def _candidates(summits: Summits) -> _Candidates:
    angle = torch.rad2deg(torch.atan2(summits.ky, summits.kx)) % 180
    return _Candidates(summits.kx, summits.ky, summits.z, torch.hypot(summits.kx, summits.ky), angle)


def _apart(angle: Tensor, other: Tensor | float) -> Tensor:
    """Smallest distance of directions, modulo 180 [degrees]."""
    return ((angle - other + 90) % 180 - 90).abs()


def _near_guess(found: _Candidates, guess: PatternGuess, orientation: int) -> _Candidates:
    keep = torch.ones(len(found), dtype=torch.bool, device=found.z.device)
    if guess.period_um is not None:
        keep &= (found.radius * guess.period_um - 1).abs() < _GUESS_PERIOD
    if guess.angles_deg is not None:
        keep &= _apart(found.angle, guess.angles_deg[orientation] % 180) < _GUESS_ANGLE
    return found.only(keep)


def _best(found: _Candidates, predicted: bool) -> Peak | None:
    return found.peak(0, predicted) if len(found) else None


def _local_maxima(found: _Candidates, spacing: float) -> list[int]:
    """Indices of the strongest candidates that are no shoulders of a stronger one."""
    chosen: list[int] = []
    places = list(zip(found.kx[:_LOOKED_AT].tolist(), found.ky[:_LOOKED_AT].tolist(), strict=True))
    for index, place in enumerate(places):
        if all(math.dist(place, places[other]) > spacing for other in chosen):
            chosen.append(index)
        if len(chosen) == _ANCHORS:
            break
    return chosen


def _joint(candidates: list[_Candidates], alone: list[Peak | None]) -> list[Peak | None]:
    """Try every strong peak as the anchor of a common geometry; keep what explains most evidence."""
    best = _evidence(alone) - _NO_GEOMETRY * (len(candidates) - 1)
    best_choices: list[int | None] | None = None
    best_anchor = 0
    spacing = 0.02 * float(max((found.radius.max() for found in candidates if len(found)), default=1.0))
    for orientation, found in enumerate(candidates):
        anchors = _local_maxima(found, spacing)
        choices, evidence = _around(candidates, orientation, anchors)
        for place in range(len(anchors)):
            if evidence[place] > best:
                best, best_anchor = evidence[place], orientation
                best_choices = [choice[place] for choice in choices]
    if best_choices is None:
        return alone
    return [
        None if choice is None else found.peak(choice, orientation != best_anchor)
        for orientation, (found, choice) in enumerate(zip(candidates, best_choices, strict=True))
    ]


def _around(
    candidates: list[_Candidates], orientation: int, anchors: list[int]
) -> tuple[list[Sequence[int | None]], list[float]]:
    """Return what the geometry predicts from each of one orientation's anchor peaks.

    Returns:
        Per orientation the index of the best candidate, for every anchor; the evidence of every anchor's geometry.
    """
    anchor = candidates[orientation]
    radius, angle = anchor.radius[anchors, None], anchor.angle[anchors, None]
    step = 180.0 / len(candidates)
    choices: list[Sequence[int | None]] = []
    evidence: list[float] = [z**2 for z in anchor.z[anchors].tolist()]
    for other, found in enumerate(candidates):
        if other == orientation or not (anchors and len(found)):
            choices.append(anchors if other == orientation else [None] * len(anchors))
            continue
        off_period = (found.radius / radius - 1).abs() / _SIGMA_PERIOD
        # Both are within 0 ... 180 degrees; torch's remainder takes many times as long as this.
        apart = found.angle - angle
        apart += 180 * (apart < 0)
        turned = torch.round(apart / step)
        # A multiple of 180 / A, but not the anchor's own direction again.
        taken = (turned == 0) | (turned == len(candidates))
        off_angle = (apart - turned * step).abs_() / _SIGMA_ANGLE
        allowed = (off_angle < _WINDOW) & (off_period < _WINDOW) & ~taken
        merit, choice = torch.where(allowed, found.z**2 - off_angle**2 - off_period**2, -torch.inf).max(dim=1)
        any_allowed = allowed.any(dim=1).tolist()
        choices.append([index if some else None for index, some in zip(choice.tolist(), any_allowed, strict=True)])
        gained = zip(evidence, merit.tolist(), any_allowed, strict=True)
        evidence = [before + value if some else before for before, value, some in gained]
    return choices, evidence
