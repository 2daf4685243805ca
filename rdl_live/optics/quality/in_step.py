"""Is this series in step with the patterns in force? One verdict for each series, in the user's words.

From the table of `stripes` (which stripes does each frame hold) follow, robustly against a few wrong frames: the
contrast of each orientation, how far its stripes moved, single frames that hold something else, and whether the frames
are those of the series but some places further: so it is after a frame was lost, or stored twice. Where the photons
cannot tell, the verdict says so (`checked`) and is not "wrong"; a run of dim series is judged together (`Drift`).
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rdl_live.optics.microscope import SeriesOrder, UnitGeometry
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.quality.stripes import Complexes, Stripes

_WRONG = 0.6
"""Residual of a frame, relative to the stripes, from which it holds something else."""
_SURE = 5.0
"""Standard errors that a difference must have."""
_SURE_TOGETHER = 6.0
"""Likewise of all orientations together, where the frame fits another place of the series far better."""
_FITS_ELSEWHERE = 0.5
"""Misfit at that place, relative to the one at its own."""
_CERTAIN = 14.0
"""Difference of log-likelihoods from which one explanation outdoes another, whatever the light."""
_EXPLAINS = 0.5
"""Share of the misfit that a shift of the frames must take away."""
_WEAK = 0.5
"""Contrast, relative to the patterns in force, below which a series does not fit them."""
_WEAKER = "are weaker than the patterns in force"
_MOVED_RAD = math.radians(50.0)
"""Shift of the stripes against the patterns in force from which the image shows ghosts."""
_DIM = 0.9
"""Light of one frame, relative to what it is in the other series, below which it is named, or above its inverse."""
_DARK = 0.3
_TORN_ROWS = 4
"""So many equal rows of two frames are no chance."""
_SYSTEMATIC = 0.2
"""Relative error that motion and noise of other kinds leave in a bright table."""

_QUARTER, _RAYLEIGH = 0.25, math.sqrt(2 * math.log(4 / 3))
"""A quantile that some wrong frames do not change, and where it lies for normal errors of 1."""
_MOST_CHANCE = 0.25
"""Relative to the stripes: where more shows by chance, frames hold patterns of other orientations."""

Costs = npt.NDArray[np.float64]
Place = tuple[int, int]
"""(angle, phase), counted from 0."""


@dataclass(frozen=True)
class SeriesVerdict:
    """What is known of one series."""

    why: str
    """What does not fit, and where; empty where the series can be trusted."""
    checked: bool
    """Whether there was light enough to tell."""
    contrast: tuple[float, ...]
    """Modulation of every orientation in this series alone."""
    evidence: Costs
    """Log-likelihood that the frames lie 0, 1, 2 ... places further, minus that they are in step: (frames,)."""
    lost: Place | None = None
    """First frame that is out of its place, where all after it are."""
    shift: int = 0
    """By how many places the frames come early from there on, 1 to one less than a series has; 0 where in place."""
    all_moved: bool = False
    """Whether that is from the first frame on."""

    @property
    def weak(self) -> bool:
        """Whether all that is wrong are stripes that are weaker, as they are out of focus."""
        return _WEAKER in self.why

    @property
    def trusted(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.why


@dataclass(frozen=True)
class _Moved:
    """Frames that lie some places further."""

    why: str
    place: Place | None = None
    shift: int = 0


@dataclass(frozen=True)
class Levels:
    """The light of the frames of a series, as it usually is."""

    relative: Costs
    """Mean of every frame (angle, phase), relative to its series."""
    spread: float = 0.0
    """By how much it differs from series to series."""


class InStep:
    """Judges series of one channel against the patterns in force."""

    def __init__(
        self,
        patterns: PatternSet,
        geometry: UnitGeometry,
        usual_levels: npt.NDArray[np.float64] | None = None,
        contrast: Sequence[float] | None = None,
    ) -> None:
        """Prepare.

        Args:
            patterns: in force; orientations that are not trusted are not judged.
            geometry: counts, and the order in which the frames were taken.
            usual_levels: mean of every frame (angle, phase) relative to its series; no frame is called dim without.
            contrast: what `contrast_of` gives of the series that the patterns were found in, where that is less than
                their modulation: a pattern whose peak is split, as by a field that is not flat, is stronger than any
                single wave in the frames.
        """
        self._patterns = patterns
        self._usual = None if usual_levels is None else Levels(usual_levels)
        self._places = geometry.slots
        self._judged = [index for index, pattern in enumerate(patterns) if pattern.trusted]
        self._geometry = geometry
        expected = np.zeros((*geometry.counts, len(patterns)), np.complex128)
        for index in self._judged:
            pattern = patterns[index]
            usual = pattern.modulation[0]
            if contrast is not None and 0 < contrast[index] < usual:
                usual = contrast[index]
            expected[0 if geometry.shared else index, :, index] = (
                0.5 * usual * np.exp(1j * np.array(pattern.phases_rad))
            )
        self._expected = self._in_order(expected)[:, self._judged]  # (frame, judged orientation)

    def contrast_of(self, stripes: Stripes) -> tuple[float, ...]:
        """Return the contrast of the stripes of every orientation in one series, 0 where it is not judged."""
        found = self._in_order(stripes.amplitudes)[:, self._judged]
        contrast = [0.0] * len(self._patterns)
        for column, index in enumerate(self._judged):
            contrast[index] = 2 * self._spread(found, column)
        return tuple(contrast)

    def _usual_contrast(self, index: int) -> float:
        return float(2 * np.abs(self._expected[:, self._judged.index(index)]).max())

    def judge(self, stripes: Stripes, usual: "Levels | None" = None) -> SeriesVerdict:
        """Judge one series; `usual` is its light as it was lately, where that is not the same for all series."""
        found = self._in_order(stripes.amplitudes)[:, self._judged]
        sigma = stripes.sigma[self._judged]
        usable = np.isfinite(sigma).all() and len(self._judged) > 0
        if not usable:
            nothing = np.zeros(len(self._places))
            return SeriesVerdict("", False, (0.0,) * len(self._patterns), nothing)
        fitted = self._fitted(found)
        sigma = np.maximum(sigma, self._chance(found, fitted))
        contrast = [0.0] * len(self._patterns)
        for index, value in zip(self._judged, fitted, strict=True):
            contrast[index] = float(abs(value)) * self._usual_contrast(index)
        size = np.abs(self._expected).max(axis=0)
        checked = bool(np.median(size / sigma) > _SURE)
        evidence = self._evidence(found, sigma)
        # Frames that moved bring the light of other orientations with them: that is not a dim one.
        moved = self._moved_places(found, sigma)
        why = moved.why or self._dim(stripes, usual or self._usual) or self._stripes(found, fitted, sigma)
        return SeriesVerdict(
            why,
            checked or bool(why),
            tuple(contrast),
            evidence,
            moved.place,
            moved.shift,
            bool(moved.shift) and moved.place == self._places[0],
        )

    # What can be wrong ----------------------------------------------------------------------------------

    def _dim(self, stripes: Stripes, usual: "Levels | None") -> str:
        """Name a frame that is darker, or brighter, than it is in other series."""
        if usual is None or len(self._places) < 2:
            return ""
        relative = stripes.levels / np.maximum(usual.relative, 1e-9)
        middle = float(np.median(relative))
        if not middle > 0:
            return ""
        share = relative / middle
        noise = _SURE * (stripes.level_error / max(float(np.median(stripes.levels)), 1e-9) + usual.spread)
        angle, phase = np.unravel_index(int(share.argmin()), share.shape)
        least = float(share.min())
        name = self._named((int(angle), int(phase)))
        if least < _DARK - noise:
            return f"frame {name} is dark ({max(least, 0):.0%} of the light of the others)"
        if least < _DIM - noise:
            return f"frame {name} is {1 - least:.0%} dimmer than the others"
        angle, phase = np.unravel_index(int(share.argmax()), share.shape)
        most = float(share.max())
        if most > 1 / _DIM + noise:
            return f"frame {self._named((int(angle), int(phase)))} is {most - 1:.0%} brighter than the others"
        return ""

    def _moved_places(self, found: Complexes, sigma: Costs) -> "_Moved":
        """Find frames that all lie some places further, from some frame of the series on."""
        count = len(self._places)
        noise = self._noise(sigma)
        usual = self._cost(found, self._expected, noise)
        starts = [(start, shift) for start in range(1, count) for shift in (1, -1)]
        starts += [(0, shift) for shift in range(1, count)]
        costs = [self._cost(found, self._shifted(start, shift), noise) for start, shift in starts]
        best = int(np.argmin(costs))
        if usual - costs[best] < _CERTAIN or costs[best] > _EXPLAINS * usual:
            return _Moved("")
        start, shift = starts[best]
        if start == count - 1:
            # One frame at the end: it may as well be wrong by itself.
            return _Moved("")
        place, places = self._places[start], shift % count
        if start:
            what = "is missing" if shift == 1 else "came twice"
            return _Moved(
                f"a frame {what} at {self._named(place)}: from there on the frames are out of step", place, places
            )
        shift = shift if shift <= count // 2 else shift - count
        ahead = f"{abs(shift)} {'frame' if abs(shift) == 1 else 'frames'} {'early' if shift > 0 else 'late'}"
        return _Moved(f"all frames come {ahead}: they are out of step with the patterns", place, places)

    def _stripes(self, found: Complexes, fitted: Complexes, sigma: Costs) -> str:
        """Find orientations that are weak or elsewhere, and single frames that hold something else."""
        size = np.abs(self._expected).max(axis=0)
        own = np.array([self._spread(found, column) for column in range(len(self._judged))])
        # Where most frames of an orientation are exchanged there is no common turn to be read.
        agree = np.abs(fitted) * size > _WRONG * own
        turned = np.where(agree, fitted, own / size)
        for column, index in enumerate(self._judged):
            usual = self._usual_contrast(index)
            where = f"carrier {index}" if self._geometry.shared else f"angle {index}"
            if own[column] < _WEAK * size[column] and size[column] - own[column] > _SURE * sigma[column]:
                return (
                    f"the stripes of {where} {_WEAKER} (contrast "
                    f"{usual * own[column] / size[column]:.2f}, not {usual:.2f}): out of focus, or the pattern was off"
                )
        wrong = self._wrong_frames(found, self._expected * turned, own, sigma)
        if wrong:
            return "; ".join(wrong)
        for column, index in enumerate(self._judged):
            turn = float(np.angle(fitted[column]))
            error = sigma[column] / max(own[column], 1e-12)
            if abs(turn) > _MOVED_RAD + _SURE * error:
                where = f"carrier {index}" if self._geometry.shared else f"angle {index}"
                return f"the stripes of {where} moved by {math.degrees(abs(turn)):.0f} degrees of their period"
        return ""

    def _wrong_frames(self, found: Complexes, model: Complexes, own: Costs, sigma: Costs) -> list[str]:
        misfit = np.abs(found - model)  # (frame, judged orientation)
        far = misfit > _WRONG * own
        wrong = far & ((misfit > _SURE * sigma) | self._elsewhere(found, model, sigma)[:, None])
        texts = []
        for number in np.flatnonzero(wrong.any(axis=1)).tolist():
            place = self._places[number]
            other = self._held(found[number], model)
            held = (
                f"holds the pattern of {self._named(self._places[other])}"
                if other is not None
                else "holds other stripes"
            )
            texts.append(f"frame {self._named(place)} {held}")
        if len(texts) > 3:
            return [f"{len(texts)} of {len(self._places)} frames hold other patterns than they should; {texts[0]}"]
        return texts

    def _elsewhere(self, found: Complexes, model: Complexes, sigma: Costs) -> npt.NDArray[np.bool_]:
        """Return which frames fit another place of the series far better than their own, (frame,)."""
        table = np.linalg.norm((found[:, None] - model[None]) / sigma, axis=2)  # (frame, place)
        own, best = np.diagonal(table), table.min(axis=1)
        elsewhere: npt.NDArray[np.bool_] = (own > _SURE_TOGETHER) & (best < _FITS_ELSEWHERE * own)
        return elsewhere

    def _held(self, values: Complexes, model: Complexes) -> int | None:
        """Return which frame of the model these amplitudes belong to, None where none fits."""
        misfit = np.abs(model - values).max(axis=1)
        best = int(misfit.argmin())
        return best if misfit[best] < _WRONG * np.abs(model[best]).max() else None

    def _named(self, place: Place) -> str:
        """Return what a message calls a frame."""
        return f"phase {place[1]}" if self._geometry.shared else _named(place)

    # Arithmetic -----------------------------------------------------------------------------------------

    def _in_order(self, table: npt.NDArray[np.complex128]) -> Complexes:
        """Return (angle, phase, ...) as (frame, ...), in the order in which the frames were taken."""
        ordered: Complexes = np.array([table[place] for place in self._places])
        return ordered

    def _fitted(self, found: Complexes) -> Complexes:
        """Return by what complex factor every orientation's stripes differ from the patterns in force."""
        factors = []
        for column in range(len(self._judged)):
            rows = np.flatnonzero(self._expected[:, column])
            ratio = found[rows, column] / self._expected[rows, column]
            factors.append(complex(np.median(ratio.real), np.median(ratio.imag)) if len(rows) else 0j)
        return np.array(factors)

    def _chance(self, found: Complexes, fitted: Complexes) -> Costs:
        """Return by how much the stripes of each orientation are wrong by the chance of few structures, (orientation,).

        So far they show in frames that have none of that orientation; few of which may hold other patterns. Where every
        frame holds all carriers, chance is what the fit of each leaves.
        """
        chance = np.zeros(len(self._judged))
        if self._geometry.shared:
            found = found - self._expected * fitted
        for column in range(len(self._judged)):
            rows = np.flatnonzero((self._expected[:, column] == 0) | self._geometry.shared)
            if len(rows):
                chance[column] = float(np.quantile(np.abs(found[rows, column]), _QUARTER)) / _RAYLEIGH
        most: Costs = _MOST_CHANCE * np.abs(self._expected).max(axis=0)
        return np.minimum(chance, most)

    def _spread(self, found: Complexes, column: int) -> float:
        rows = np.flatnonzero(self._expected[:, column])
        return float(np.median(np.abs(found[rows, column])))

    def _noise(self, sigma: Costs) -> Costs:
        size = np.abs(self._expected).max(axis=0)
        noise: Costs = np.sqrt(sigma**2 + (_SYSTEMATIC * size) ** 2)
        return noise

    def _cost(self, found: Complexes, model: Complexes, noise: Costs) -> float:
        """Return half the squared misfit, in standard errors; one frame alone cannot decide."""
        squares = (np.abs(found - model) / noise) ** 2
        return 0.5 * float(squares.sum())

    def _shifted(self, start: int, shift: int) -> Complexes:
        model: Complexes = self._expected.copy()
        model[start:] = np.roll(self._expected, -shift, axis=0)[start:]
        return model

    def _evidence(self, found: Complexes, sigma: Costs) -> Costs:
        noise = self._noise(sigma)
        costs = [self._cost(found, self._shifted(0, shift), noise) for shift in range(len(self._places))]
        evidence: Costs = costs[0] - np.array(costs)
        return evidence


class Drift:
    """Whether series that are too dim to be judged one by one are out of step together: a cumulated sum (Page 1954,
    10.1093/biomet/41.1-2.100) of the evidence for each shift of the frames."""

    def __init__(self) -> None:
        """Begin before the first series."""
        self._sums: Costs | None = None
        self._since: list[int] = []
        self.first: int | None = None
        """First series that is out of step, once that is certain."""

    def add(self, index: int, verdict: SeriesVerdict) -> None:
        """Take the next series."""
        if self._sums is None:
            self._sums, self._since = np.zeros_like(verdict.evidence), [index] * len(verdict.evidence)
        ended = self._sums <= 0
        self._since = [index if over else since for over, since in zip(ended, self._since, strict=True)]
        self._sums = np.maximum(self._sums, 0) + verdict.evidence
        best = int(self._sums.argmax())
        if self._sums[best] > 2 * _CERTAIN and self.first is None and index > self._since[best]:
            self.first = self._since[best]


def begins_late(stripes: Stripes, geometry: UnitGeometry) -> int:
    """Return by how many phase steps a series whose patterns do not fit begins within an orientation, 0 if it does not.

    So it is where the first frames of a recording are missing: rolled back, the frames of each orientation hold one
    pattern in equal steps. Which orientation comes first makes no difference.

    Args:
        stripes: measured with the wave vectors that were found, trusted or not.
        geometry: counts and order; frames must come orientation by orientation.
    """
    angles, phases = geometry.angles, geometry.phases
    if geometry.series_order is not SeriesOrder.ANGLE_PHASE or not np.isfinite(stripes.sigma).all():
        return 0
    table = stripes.amplitudes.reshape(angles * phases, -1)
    power = float((np.abs(table) ** 2).sum())
    noise = 2 * len(table) * float((stripes.sigma**2).sum())
    steps = np.exp(2j * math.pi * np.arange(phases) / phases)
    explained = []
    for late in range(phases):
        blocks = (
            np.roll(table, late - phases, axis=0).reshape(angles, phases, -1)
            if late
            else table.reshape(angles, phases, -1)
        )
        means = [np.abs(np.einsum("apo,p->ao", blocks, one) / phases) ** 2 for one in (steps, steps.conj())]
        explained.append(phases * sum(float(max(mean[a].max() for mean in means)) for a in range(angles)))
    best = int(np.argmax(explained))
    clear = explained[best] > 0.7 * (power - noise) and explained[best] > 1.3 * explained[0]
    return best if best and clear and power > 4 * noise else 0


def same_pixels(series: npt.NDArray[np.generic], geometry: UnitGeometry) -> str:
    """Name a frame of a raw series (angle, phase, y, x) that holds pixels of the one before it; "" if none.

    Noise never repeats: such a frame was stored twice, or a part of it was. What has no contrast is not compared.
    """
    places = geometry.slots
    for before, place in itertools.pairwise(places):
        if equal_frames(series[before], series[place]):
            return f"frame {_named(place)} holds the same pixels as {_named(before)}: it was stored twice"
        if rows := _equal_rows(series[before], series[place]):
            return f"frame {_named(place)} holds {rows} rows of {_named(before)}: it was torn in its transfer"
    return ""


def equal_frames(one: npt.NDArray[np.generic], other: npt.NDArray[np.generic]) -> bool:
    """Whether two frames are the same picture, pixel by pixel, and not merely empty."""
    # Few pixels settle it nearly always.
    if not np.array_equal(one[::37, ::41], other[::37, ::41]) or not np.array_equal(one, other):
        return False
    return bool((one != one.flat[0]).any())


def _equal_rows(one: npt.NDArray[np.generic], other: npt.NDArray[np.generic]) -> int:
    """Return how many rows of two frames are the same, pixel by pixel; 0 where they may be so by chance."""
    few = (one[:, ::37] == other[:, ::37]).all(axis=1)
    if few.sum() < _TORN_ROWS:
        return 0
    rows = np.flatnonzero(few)
    same = (one[rows] == other[rows]).all(axis=1) & (one[rows] != one[rows, :1]).any(axis=1)
    count = int(same.sum())
    return count if count >= _TORN_ROWS else 0


def usual_levels(levels: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64] | None:
    """Return the light of every frame (angle, phase) relative to its series, as most series have it; None for one."""
    if len(levels) < 3:
        return None
    table = np.array([one / max(float(np.median(one)), 1e-9) for one in levels])
    return np.asarray(np.median(table, axis=0), np.float64)


def _named(place: Place) -> str:
    return f"angle {place[0]} phase {place[1]}"
