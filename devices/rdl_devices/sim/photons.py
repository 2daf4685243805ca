"""Poisson numbers, quickly: what makes a simulated camera slow is its shot noise.

Exact by two facts: a Poisson number of mean a + b is the sum of two of means a and b, and inverting the
distribution function of a known mean is a look-up. The mean is split into a multiple of `STEP`, whose
distribution is tabulated, and a small rest. Cells of the table that hold more than one number are resolved
with more random bits, so the table adds no error. Above `LARGEST` numpy's own generator takes over.

256 x 256 pixels of 5 photons: 0.8 ms on one CPU thread, numpy's 2.3 ms.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

STEP = 0.25
"""Distance of the tabulated means."""
LARGEST = 64.0
"""Largest tabulated mean."""
CELLS = 4096
"""Cells of each tabulated quantile function."""
COUNTS = 160
"""Numbers in the tables; the chance of more, at the largest mean, is below 1e-20."""
MIXED = 255
"""Marks a cell that holds more than one number."""


def poisson(mean: Floats, rng: np.random.Generator) -> Floats:
    """Return Poisson numbers of the given means (at least 0), any shape, as float32."""
    flat = mean.ravel()
    low = flat < LARGEST
    if low.all():
        return _tabulated(flat, rng).reshape(mean.shape)
    numbers = np.empty_like(flat)
    numbers[low] = _tabulated(flat[low], rng)
    numbers[~low] = rng.poisson(flat[~low])
    return numbers.reshape(mean.shape)


def _tabulated(mean: Floats, rng: np.random.Generator) -> Floats:
    """Return Poisson numbers of means (n,) below `LARGEST`."""
    quantiles, cumulative = _tables()
    level = (mean * np.float32(1 / STEP)).astype(np.intp)
    # A full range of integers is the quickest to draw.
    cell = rng.integers(0, 1 << 16, mean.size, dtype=np.uint16) & np.uint16(CELLS - 1)
    numbers = quantiles.ravel().take(level * CELLS + cell)
    mixed = np.flatnonzero(numbers == MIXED)
    if mixed.size:
        chance = (cell[mixed] + rng.random(mixed.size)) / CELLS
        numbers[mixed] = (chance[:, None] >= cumulative[level[mixed]]).sum(axis=1)
    total = numbers.astype(np.float32)
    _add_rest(total, mean - level.astype(np.float32) * np.float32(STEP), rng)
    return total


def _add_rest(total: Floats, mean: Floats, rng: np.random.Generator) -> None:
    """Add Poisson numbers of small means (n,), most of which are 0."""
    chance = rng.random(mean.size, np.float32)
    term = np.exp(-mean)
    index = np.flatnonzero(chance >= term)
    chance, term, mean = chance[index], term[index], mean[index]
    below, number = term.copy(), 1
    while index.size and number < COUNTS:
        total[index] += 1
        term *= mean / np.float32(number)
        below += term
        more = chance >= below
        index, chance, term, mean, below = index[more], chance[more], term[more], mean[more], below[more]
        number += 1


@cache
def _tables() -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return the quantile functions (level, cell) and distribution functions (level, number)."""
    means = STEP * np.arange(round(LARGEST / STEP))
    logs = np.array([math.lgamma(k + 1) for k in range(COUNTS)])
    with np.errstate(divide="ignore"):
        log_mean = np.log(means)[:, None]
    log_mean[0] = -1e6  # a mean of 0 gives 0 for sure
    cumulative = np.exp(np.arange(COUNTS) * log_mean - means[:, None] - logs).cumsum(axis=1)
    edges = np.arange(CELLS + 1) / CELLS
    quantiles = np.empty((means.size, CELLS), np.uint8)
    for level, steps in enumerate(cumulative):
        first = np.searchsorted(steps, edges[:-1], side="right")
        last = np.searchsorted(steps, edges[1:], side="left")
        quantiles[level] = np.where(first == last, first, MIXED)
    return quantiles, cumulative
