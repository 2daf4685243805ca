"""Whether frames, read as (series, angle, phase), carry stripes that step from phase to phase.

A cheap question about the arrangement of a file, not an estimate of patterns: it needs neither NA nor wavelength, and
no torch. With the frames D_j of one orientation, s0 = sum_j D_j is the specimen; s1 = sum_j D_j exp(2 pi i j / P) holds
the first order of the stripes. Their product s0 s1 has a peak at +k0 and none at -k0 if the phase steps through the
frames; frames of several directions or of several specimens, put together wrongly, give peaks on both sides, near zero
frequency, or in another place in each series.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SIDE = 256
"""Pixels each way that are looked at, in the middle of the frame."""
LEAST_SIDE = 32
"""Pixels each way without which nothing can be said."""
_NEAR_ZERO = 0.07
"""Frequencies [cycles/pixel] below this belong to the specimen: stripes of 14 pixels and more are not looked for."""
_STANDS_OUT = 5.5
"""Of a peak, in medians of what is around it; the highest of 256 x 256 points of noise is 3.9."""
_SAME_DIRECTION = 0.25
"""Of the angle between neighbouring orientations: those closer than this are one orientation read twice."""
_RING = 8
"""Pixels of radius that share one background."""
_BLOCK = 8
"""Pixels each way that are averaged where stripes should not count."""
_SPREAD = 1
"""Pixels around the common peak in which the one of a single series is looked for."""

Complexes = npt.NDArray[np.complex64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class StripeEvidence:
    """How well an arrangement of frames is borne out by stripes in them."""

    share: float
    """Of all orientations of all series, those whose stripes stand out, in one place and direction of their own."""
    strength: float
    """Median height of the peaks, in medians of what is around them."""
    mixed: float
    """Of the variance of coarse structure, the part within series: near 0 where each series shows one specimen and the
    series differ, as planes do; near 1 where frames of several planes are put into one series, or all are alike."""


def stripe_evidence(series: npt.NDArray[np.generic]) -> StripeEvidence:
    """Look for stripes in some series.

    Args:
        series: (series, angle, phase, y, x) of any real values; a few are enough.

    Returns:
        Evidence; (1, large) for a right arrangement in good light, (0, about 1) for a wrong one or noise.
    """
    frames = _bounded(series)
    angles = frames.shape[1]
    maps = np.stack([_one_sided(frames[:, angle]) for angle in range(angles)], axis=1)  # (s, a, y, x)
    places = [_common_peak(maps[:, angle]) for angle in range(angles)]
    heights = np.array(
        [[_height(one, place) for one, place in zip(maps[s], places, strict=True)] for s in range(len(maps))]
    )
    found = heights >= _STANDS_OUT
    for angle in _doubles(places, heights.mean(axis=0), maps.shape[-2:]):
        found[:, angle] = False
    return StripeEvidence(float(found.mean()), float(np.median(heights)), _mixed(frames))


def middle(frames: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Return a copy of the middle of frames (..., y, x), SIDE pixels each way at most."""
    rows, columns = frames.shape[-2:]
    height, width = min(rows, SIDE), min(columns, SIDE)
    top, left = (rows - height) // 2, (columns - width) // 2
    return frames[..., top : top + height, left : left + width].copy()


def _bounded(series: npt.NDArray[np.generic]) -> Floats:
    """Return the middle of frames, brightest and darkest pixels bounded: a hot one has all frequencies."""
    cut = middle(series).astype(np.float32)
    low, high = np.percentile(cut[:, :, :, ::3, ::3], (0.5, 99.9))
    bounded: Floats = np.clip(cut, low, high) - low
    return bounded


def _mixed(frames: Floats) -> float:
    """Return the share of variance within series (and orientation) of blocks in which the stripes are averaged away."""
    rows, columns = (side // _BLOCK * _BLOCK for side in frames.shape[-2:])
    if not rows or not columns:
        return 1.0
    cut = frames[..., :rows, :columns]
    blocks = cut.reshape(*frames.shape[:3], rows // _BLOCK, _BLOCK, columns // _BLOCK, _BLOCK).mean(axis=(4, 6))
    within = float(blocks.var(axis=2).mean())
    between = float(blocks.mean(axis=2).var(axis=0).mean())
    return within / (within + between) if within + between > 0 else 1.0


def _one_sided(frames: Floats) -> Floats:
    """Return |C(k)| - |C(-k)| in medians of its surroundings, (series, y, x), zero near zero frequency.

    Args:
        frames: (series, phase, y, x) of one orientation.
    """
    phases, rows, columns = frames.shape[1:]
    level = frames.mean(axis=(2, 3), keepdims=True)
    steady = frames * (level.mean(axis=1, keepdims=True) / np.maximum(level, 1e-6))
    turn = np.exp(2j * np.pi * np.arange(phases) / phases).astype(np.complex64)
    first = np.einsum("spyx,p->syx", steady, turn)
    window = np.outer(np.hanning(rows + 2)[1:-1], np.hanning(columns + 2)[1:-1]).astype(np.float32)
    whole = steady.mean(axis=1)
    spectrum = np.abs(np.fft.fft2(whole * (first - first.mean(axis=(1, 2), keepdims=True)) * window)).astype(np.float32)
    ring, near = _rings(rows, columns)
    scaled = np.stack([_in_medians(one, ring) for one in spectrum])
    mirrored = np.roll(scaled[:, ::-1, ::-1], (1, 1), axis=(1, 2))  # C(-k) on the grid of the transform
    sided: Floats = np.where(near, 0, np.maximum(scaled - _fattest(mirrored), 0))
    return sided


def _fattest(maps: Floats) -> Floats:
    """Return the largest of each pixel and its neighbours: a peak between pixels is mirrored to others."""
    shifts = [np.roll(maps, (dy, dx), axis=(1, 2)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    largest: Floats = np.maximum.reduce(shifts)
    return largest


def _rings(rows: int, columns: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return the number of each frequency's ring, and which belong to the specimen."""
    radius = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns)[None])
    return (radius * max(rows, columns) / _RING).astype(np.intp), radius < _NEAR_ZERO


def _in_medians(values: Floats, ring: npt.NDArray[np.intp]) -> Floats:
    order = np.argsort(ring, axis=None)
    edges = np.searchsorted(ring.ravel()[order], np.arange(ring.max() + 2))
    sorted_values = values.ravel()[order]
    medians = np.array([np.median(sorted_values[a:b]) if b > a else 1.0 for a, b in itertools.pairwise(edges)])
    scaled: Floats = (values / np.maximum(medians[ring], 1e-12)).astype(np.float32)
    return scaled


def _common_peak(maps: Floats) -> tuple[int, int]:
    """Return where all series (s, y, x) together have their peak; one strong series does not outvote the others."""
    total = np.log1p(maps).sum(axis=0)
    y, x = np.unravel_index(int(np.argmax(total)), total.shape)
    return int(y), int(x)


def _height(one: Floats, place: tuple[int, int]) -> float:
    rows = np.arange(place[0] - _SPREAD, place[0] + _SPREAD + 1) % one.shape[0]
    columns = np.arange(place[1] - _SPREAD, place[1] + _SPREAD + 1) % one.shape[1]
    return float(one[np.ix_(rows, columns)].max())


def _doubles(places: list[tuple[int, int]], strength: npt.NDArray[np.floating], shape: tuple[int, int]) -> list[int]:
    """Return the orientations whose direction a stronger one has already."""
    y, x = np.fft.fftfreq(shape[0]), np.fft.fftfreq(shape[1])
    directions = np.array([np.arctan2(y[row], x[column]) % np.pi for row, column in places])
    least = _SAME_DIRECTION * np.pi / max(len(places), 2)
    doubles: list[int] = []
    kept: list[float] = []
    for angle in np.argsort(-strength).tolist():
        apart = [abs((directions[angle] - other + np.pi / 2) % np.pi - np.pi / 2) for other in kept]
        if apart and min(apart) < least:
            doubles.append(angle)
        else:
            kept.append(float(directions[angle]))
    return doubles
