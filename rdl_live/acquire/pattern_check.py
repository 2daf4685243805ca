"""Whether the stripes in the frames are those of the plan: found from the data, for no SLM reports what it shows.

In a series each frame f holds, at the wave vector k of orientation o, the specimen's own spectrum S(k), the same in
all frames, and in the frames of that orientation the stripes, A exp(i phase). From a whole series S and A follow by
least squares; a frame in which the stripes are elsewhere, or turned, leaves a residual as large as A. Costs a few
sums over each frame; 0.07 ms a frame of 256 x 256, 0.5 ms of 512 x 512, on one CPU thread.

A time-lapse of an hour is a million comparisons, so what chance does once in a million must not be called wrong. Three
things leave residuals in a right series: the photons' noise; a specimen of few points, whose own spectrum the stripes
of the other orientations carry to k; and a specimen that moves, so that S changes from frame to frame. The first is
known. The second shows in all frames, so a wrong one must stand out among the residuals of its series, or hold another
pattern of the plan: then it fits that one at the wave vectors of all orientations, as chance does not. The third shows
in how much every frame differs from the same frame of the series before.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rdl_live.optics.arrays import median_of_few
from rdl_live.optics.pattern import PatternSet

Frame = npt.NDArray[np.generic]
Complexes = npt.NDArray[np.complex128]
Reals = npt.NDArray[np.float64]
Measured = tuple[Complexes, float]
"""A frame's transform at the wave vector of each orientation, and its photons in all."""

SIGNIFICANT = 6.0
"""Stripes are judged where they stand so many standard deviations above the photons' noise."""
WRONG = 0.6
"""Residual, relative to the stripes, from which a frame is taken for wrong."""
CHANCE = 5.0
"""Residual, in standard deviations of the photons' noise, below which it is chance: reached once in 2e7 frames."""
SCATTER, SCATTER_ALONE = 5.5, 9.0
"""The same, relative to the median residual of the series: where the series before is at hand, and where it is not."""
ANOTHER = 0.4
"""Residual of a frame that holds another pattern of the plan, with that one, relative to the residual with its own."""
JUMP = 4.0
"""Change from the series before, relative to the median change, below which the specimen's motion explains it."""
CLEAR = 4.0
"""Stripes are judged where they stand so many median residuals above zero."""
WEAKER = 0.5
"""Stripes of a series as it came, relative to those of the same series some places further, that show it displaced."""
FLICKER = (0.5, 2.0)
"""Flicker and bleaching change the light from frame to frame by no more; beyond it is noise."""
PIECE_PX = 2**16
"""Pixels that are multiplied at once."""
TAPER = 0.25
"""Share of the frame over which its edges fade out: enough to hide them, and little light is given away."""


@dataclass(frozen=True)
class Verdict:
    """What a series shows."""

    wrong: tuple[tuple[int, int], ...]
    """(angle, phase) of frames that do not hold the pattern that they should."""
    judged: bool
    """Whether there was light enough to tell."""


class PatternCheck:
    """Checks whole series of one channel against the stripes that the plan asks for."""

    def __init__(
        self,
        patterns: PatternSet,
        shape: tuple[int, int],
        pixel_um: float,
        offset_adu: float,
        gain: float,
        read_noise_e: float = 0.0,
    ) -> None:
        """Prepare for frames of one size.

        Args:
            patterns: stripes to be expected; only wave vectors and differences of phases count.
            shape: (y, x) of the frames.
            pixel_um: their pixel in the sample [um].
            offset_adu: the camera's offset.
            gain: the camera's gain [electrons per ADU].
            read_noise_e: its read noise [electrons]; without it black frames would be judged.
        """
        self._patterns, self._offset, self._gain = patterns, offset_adu, gain
        self._read_noise = shape[0] * shape[1] * read_noise_e**2
        y, x = ((np.arange(n) + 0.5) * pixel_um for n in shape)
        window_y, window_x = _window(shape[0]), _window(shape[1])
        waves_x = [window_x * np.exp(-2j * math.pi * p.kx * x) for p in patterns]
        self._waves_y = np.stack([window_y * np.exp(-2j * math.pi * p.ky * y) for p in patterns])  # (o, y)
        # Real and imaginary parts side by side, and ones for the sum: one product of real numbers a frame.
        columns = [column for wave in waves_x for column in (wave.real, wave.imag)]
        self._waves_x = np.stack([*columns, np.ones(shape[1])], 1).astype(np.float32)
        self._dark = self._waves_y.sum(1) * np.array([w.sum() for w in waves_x])
        self._before: tuple[Hashable, Complexes] | None = None
        self._light_share = float((window_y**2).mean() * (window_x**2).mean())

    def measure(self, frame: Frame) -> Measured:
        """Return a frame's transform at the wave vector of each orientation, and its photons in all."""
        counts = frame.astype(np.float32)
        # In small pieces: for large ones BLAS calls its threads, which costs a hundred times what they save.
        step = max(PIECE_PX // frame.shape[1], 1)
        pieces = [counts[top : top + step] @ self._waves_x for top in range(0, frame.shape[0], step)]
        rows = np.concatenate(pieces).astype(np.float64)  # (y, re and im of each orientation, sum)
        found = np.einsum("oy,yo->o", self._waves_y, rows[:, :-1:2] + 1j * rows[:, 1:-1:2])
        photons = (float(rows[:, -1].sum()) - self._offset * counts.size) * self._gain
        return (found - self._offset * self._dark) * self._gain, max(photons, 1.0)

    def judge(self, measured: Sequence[Sequence[Measured]], place: Hashable = None) -> Verdict:
        """Judge a whole series from what was measured of its frames (angle, phase).

        Args:
            measured: of each frame.
            place: where it was taken; a series of the same place as the one before is compared with it.
        """
        found = np.array([[values for values, _ in row] for row in measured])  # (angle, phase, o)
        photons = np.array([[sum_ for _, sum_ in row] for row in measured])
        found = found * np.clip(photons.mean() / photons, *FLICKER)[..., None]
        noise = math.sqrt((float(photons.mean()) + self._read_noise) * self._light_share)
        before, self._before = self._before, (place, found)
        change = np.abs(found - before[1]) if before and before[0] == place else None
        fits = self._fitted(found[None])
        sizes, residuals, scatter = fits.sizes[0], fits.residuals[0], float(fits.scatter[0])
        limit = max(SIGNIFICANT * noise, CLEAR * scatter)
        if float(median_of_few(sizes)) > limit:
            far = (residuals > WRONG * sizes) & (residuals > CHANCE * noise) & (sizes > limit)
            another = _another(found, fits.specimens[0], fits.stripes[0])[..., None]
            at = np.argwhere((far & _stand_out(residuals, scatter, change, another)).any(axis=-1))
            wrong = tuple((int(a), int(p)) for a, p in at)
            if wrong and before:  # the next one is compared with one that was right
                self._before = before
            return Verdict(wrong, judged=True)
        if not self._displaced(found, noise, float(median_of_few(sizes))):
            return Verdict((), judged=False)
        rows, columns = found.shape[:2]
        return Verdict(tuple((a, p) for a in range(rows) for p in range(columns)), judged=True)

    def _displaced(self, found: Complexes, noise: float, size: float) -> bool:
        """Whether a series without the stripes that are due fits them as a whole some places further.

        So it is where the SLM began early or late: by two places no orientation has two frames of its own any more.
        `size` is that of the stripes as they came.
        """
        flat = found.reshape(-1, found.shape[-1])
        rolled = np.stack([np.roll(flat, places, axis=0) for places in range(1, len(flat))])
        moved = self._fitted(rolled.reshape(-1, *found.shape))
        shown = median_of_few(moved.sizes)
        fits = (moved.residuals < WRONG * moved.sizes[:, None, None]).all(axis=(1, 2, 3))
        clear = shown > np.maximum(SIGNIFICANT * noise, CLEAR * moved.scatter)
        return bool((fits & clear & (size < WEAKER * shown)).any())

    def _fitted(self, found: Complexes) -> "_Fits":
        """Fit transforms (n, angle, phase, o) of n series."""
        stripes = [np.exp(1j * np.array(pattern.phases_rad)) for pattern in self._patterns]
        fits = [_fit(found[..., o], o, phases) for o, phases in enumerate(stripes)]
        residuals = np.stack([residual for _, _, residual in fits], -1)
        return _Fits(np.stack([one for one, _, _ in fits], -1), np.stack([one for _, one, _ in fits], 1), residuals)


@dataclass(frozen=True)
class _Fits:
    """What n series fit at the wave vectors of their orientations."""

    specimens: Complexes
    """S (n, o)."""
    stripes: Complexes
    """A exp(i phase) (n, o, phase)."""
    residuals: Reals
    """(n, angle, phase, o)."""

    @property
    def sizes(self) -> Reals:
        """|A| (n, o)."""
        return np.asarray(np.abs(self.stripes[..., 0]), np.float64)

    @property
    def scatter(self) -> Reals:
        """What the residuals of a series usually are (n,)."""
        return median_of_few(self.residuals.reshape(len(self.residuals), -1))


def _another(found: Complexes, specimens: Complexes, stripes: Complexes) -> npt.NDArray[np.bool_]:
    """Return which frames (angle, phase) of one series hold another pattern of the plan.

    Args:
        found: transforms (angle, phase, o).
        specimens: S (o,).
        stripes: A exp(i phase) (o, phase).
    """
    rows, columns = stripes.shape
    models = np.tile(specimens, (rows, columns, 1))  # (angle, phase, o) of each pattern
    models[np.arange(rows), :, np.arange(rows)] += stripes
    away = np.linalg.norm(found[:, :, None, None] - models, axis=-1).reshape(rows * columns, -1)
    own = np.diagonal(away).copy()
    np.fill_diagonal(away, np.inf)
    return np.asarray((away.min(axis=1) < ANOTHER * own).reshape(rows, columns), np.bool_)


def _stand_out(
    residuals: Reals, scatter: float, change: Reals | None, another: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Return which residuals (angle, phase, o) neither a specimen of few points nor its motion explains.

    Args:
        residuals: of the series.
        scatter: their median.
        change: from the series before (angle, phase, o); None where there is none.
        another: whether the frame holds another pattern of the plan (angle, phase, 1).
    """
    stand_out = residuals > SCATTER_ALONE * scatter
    if change is not None:
        motion = JUMP * np.median(change, axis=(0, 1))
        stand_out |= (residuals > SCATTER * scatter) & (change > motion)
        stand_out &= residuals > motion
    return np.asarray(stand_out | another, np.bool_)


def _window(size: int) -> npt.NDArray[np.float64]:
    """Return a flat window with raised-cosine edges."""
    edge = max(round(TAPER / 2 * size), 1)
    window = np.ones(size)
    window[:edge] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)
    window[-edge:] = window[:edge][::-1]
    return window


def _fit(values: Complexes, orientation: int, stripes: Complexes) -> tuple[Complexes, Complexes, Reals]:
    """Fit values (n, angle, phase) at one wave vector by S + A stripes (in the frames of one orientation).

    Robust against a few wrong frames: S is the median over the frames of the other orientations.

    Returns:
        Of each of the n series S (n,), A stripes (n, phase), and the residual of every frame (n, angle, phase).
    """
    others = np.delete(values, orientation, axis=1) if values.shape[1] > 1 else values
    specimen = _complex_median(others.reshape(len(values), -1))[:, None]
    stripe = _complex_median((values[:, orientation] - specimen) * stripes.conj())
    model = np.broadcast_to(specimen[..., None], values.shape).copy()
    shown = stripe[:, None] * stripes
    model[:, orientation] += shown
    return specimen[:, 0], shown, np.abs(values - model)


def _complex_median(values: Complexes) -> Complexes:
    """Return the medians along the last axis, of the real and of the imaginary parts."""
    found: Complexes = median_of_few(values.real) + 1j * median_of_few(values.imag)
    return found
