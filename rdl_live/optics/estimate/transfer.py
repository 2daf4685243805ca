"""Does the light that reached the camera fit the OTF that the microscope file implies?

Two questions, neither of which needs to know the specimen:

Where widefield and sideband overlap, sideband / widefield = m / 2 x [H(k) / H(k - k0)] of the real objective. On the
line where |k| = |k - k0| that is m / 2 whatever H is; on its two sides it is m / 2 only if the assumed H is the real
one. So the contrast, read strip by strip, shows an OTF that is too wide, too narrow, or out of focus (low or inverted
in between).

Beyond the cut-off there is nothing but noise, and noise of different frames has nothing in common: the power of the
mean of n frames is 1 / n of theirs. If it is more, and more than at the edge of the spectrum (where the offset's fixed
pattern shows as well), the specimen is seen finer than this objective could.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from rdl_live.optics.estimate.bands import Bands, over_time, power
from rdl_live.optics.estimate.refine import Overlap
from rdl_live.optics.fourier import frequencies
from rdl_live.optics.otf import Otf

_EDGES = (-1.0, -0.3, -0.1, 0.1, 0.3, 1.0)
"""Strips by (|k - k0| - |k|) / cut-off."""
_SIGMAS = 3.0
_LOW_WIDE, _LOW_SIDE, _LOW_INNER = 0.8, 0.7, 0.5
_NOT_WIDER = 1.15
_STEEP_INNER, _STEEP_OUTER = 1.15, 2.5
"""Logarithms of the contrasts' ratio on both sides. Real objectives, a little worse than ideal, reach 0.8 and 1.9."""
_LEFT_INNER, _LEFT_OUTER = 0.25, 0.9
"""The same once the damping is corrected. Of real recordings at most 0.05 and 0.7 are left."""
_OUTER = (0.8, 0.93)
"""Where the OTF ends, relative to the cut-off: a real one passes less there than an ideal one, and yet something."""
_OUTER_LEAST, _OUTER_SURE = 0.25, 0.45
"""Transfer there relative to the OTF that was measured farther in, and its upper bound, below which none is left. Of
real recordings and simulated bad objectives 0.45 to 1.1 is left; of pixels 15 to 25 % too large 0.25 to 0."""
_BEYOND, _FRAME = (1.08, 1.35), 0.9
"""Where nothing should be, relative to the cut-off; and the edge of the spectrum, relative to Nyquist's frequency."""
_LEAST_SAMPLES = 200
_EXCESS, _SHARE = 0.3, 0.01
"""Power of the mean of all frames beyond the cut-off that is not noise, relative to the noise in it; and relative to
the power in the middle of the support, for the window lets a little of bright structure leak."""
_WIDER, _WIDER_BEYOND = 1.6, 0.65


@dataclass(frozen=True)
class Profile:
    """Contrast of one orientation, strip by strip, from the widefield's side to the sideband's."""

    depths: tuple[float, ...]
    sigmas: tuple[float, ...]
    outer: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Near the cut-off: sums of what was found, of what the OTF passes at this contrast, and of the error squared."""

    def below(self, strip: int, share: float) -> bool:
        """Whether a strip's contrast is certainly below a share of that in the middle."""
        middle = self.depths[2]
        error = math.hypot(self.sigmas[strip], share * self.sigmas[2])
        return middle > _SIGMAS * self.sigmas[2] and share * middle - self.depths[strip] > _SIGMAS * error

    @property
    def defocused(self) -> bool:
        """Whether detail is lacking or inverted on both sides of the middle, as it is out of focus."""
        both = self.below(0, _LOW_WIDE) and self.below(4, _LOW_SIDE)
        return both or (self.below(3, _LOW_INNER) and self.below(0, _NOT_WIDER))

    @property
    def wide(self) -> bool:
        """Whether the real OTF is far wider than the assumed one."""
        middle, low = self.depths[2], self.depths[0]
        error = math.hypot(self.sigmas[0], _WIDER * self.sigmas[2])
        return low - _WIDER * middle > _SIGMAS * error and self.below(4, _WIDER_BEYOND)

    @property
    def narrow(self) -> bool:
        """Whether the real OTF is far narrower than the assumed one."""
        return self._falls(1, 3, _STEEP_INNER) or self._falls(0, 4, _STEEP_OUTER)

    @property
    def unexplained(self) -> bool:
        """Whether the contrast still falls far towards the widefield's side, though the OTF is one that was measured.

        Haze and aberrations damp an OTF, and are then corrected; a pixel size or NA that is wrong ends it elsewhere.
        """
        return self._falls(1, 3, _LEFT_INNER) and self._falls(0, 4, _LEFT_OUTER)

    def _falls(self, low: int, high: int, steep: float) -> bool:
        first, last = self.depths[low], self.depths[high]
        if last <= _SIGMAS * self.sigmas[high]:
            return False
        return last * math.exp(-steep) - first > _SIGMAS * math.hypot(
            self.sigmas[low], math.exp(-steep) * self.sigmas[high]
        )


def profile(bands: Bands, orientation: int, k0: tuple[float, float], overlap: Overlap, sideband: Tensor) -> Profile:
    """Read the contrast of one orientation in strips of its overlap.

    Args:
        bands: separated bands.
        orientation: which.
        k0: its wave vector [cycles/um].
        overlap: of this k0, or one some tenths of an FFT pixel off.
        sideband: the orientation's order 1 in the overlap, (T, rows, columns).
    """
    side = overlap.side(bands.otf.cutoff)
    moved = overlap.moved(bands.widefield, k0).mul_(overlap.weighted_here)
    data = sideband * overlap.weighted_there
    strength = over_time(power(moved)) - _mean_floor(bands) * power(overlap.weighted_here)
    product = over_time(data * moved.conj())
    spread = over_time(power(moved * overlap.weighted_there)) * (float(bands.floor[orientation]) / bands.phases)
    strips = torch.bucketize(side, side.new_tensor(_EDGES), right=True) - 1
    # What lies outside is counted as one more strip.
    strips = strips.where((overlap.weight > 0) & (strips >= 0), len(_EDGES) - 1).flatten()
    totals, real, imaginary, noise = (
        torch.bincount(strips, values.flatten().double(), len(_EDGES)).tolist()
        for values in (strength, product.real, product.imag, spread)
    )
    rows, near = [], overlap.distances()[1]
    outer = (overlap.weight > 0) & (near > _OUTER[0] * bands.otf.cutoff) & (near < _OUTER[1] * bands.otf.cutoff)
    for total, found, error in zip(totals[:-1], map(complex, real, imaginary), noise, strict=False):
        depth_error = 2 * math.sqrt(max(error, 0.0) / 2)
        rows.append((2 * found / total, depth_error / total) if total > 0 else (0j, math.inf))
    middle = rows[2][0]
    turn = middle.conjugate() / abs(middle) if middle else 1
    found_outer = complex(product[outer].sum(dtype=torch.complex128))
    expected = abs(middle) / 2 * float(strength[outer].sum(dtype=torch.float64))
    error = float(spread[outer].sum(dtype=torch.float64)) / 2
    depths = tuple((z * turn).real for z, _ in rows)
    return Profile(depths, tuple(sigma for _, sigma in rows), ((found_outer * turn).real, expected, error))


def ends_early(profiles: Sequence[Profile]) -> bool:
    """Whether nothing is left near the cut-off, whatever damps the OTF farther in: the real one ends before.

    Told of profiles under the OTF that was measured, from all orientations together; an OTF that ends ends for all of
    them, so that one in which detail certainly arrives there disproves it.
    """
    if any(f - _SIGMAS * math.sqrt(max(e, 0.0)) > _OUTER_SURE * x > 0 for f, x, e in (one.outer for one in profiles)):
        return False
    found, expected, error = (sum(one.outer[i] for one in profiles) for i in range(3))
    if expected <= 0:
        return False
    return found < _OUTER_LEAST * expected and found + _SIGMAS * math.sqrt(error) < _OUTER_SURE * expected


def _mean_floor(bands: Bands) -> float:
    return bands.wide_floor * bands.times


@dataclass(frozen=True)
class _Regions:
    """Places in a spectrum (y, x), counted row by row, and in its half-plane (y, x // 2 + 1)."""

    inner: Tensor
    outer: Tensor
    """Beyond the cut-off, and at the edge of the spectrum."""
    half_inner: Tensor
    half_outer: Tensor
    half_middle: Tensor
    """The same in the half-plane, and the middle of the support."""


@lru_cache(maxsize=4)
def _regions(otf: Otf, shape: tuple[int, int], device: torch.device) -> _Regions:
    kx, ky = frequencies(shape, otf.pixel_um, device=device)
    k, nyquist = torch.hypot(kx, ky), 0.5 / otf.pixel_um
    edge = torch.maximum(kx.abs().expand_as(k), ky.abs().expand_as(k)) / nyquist
    inner = (k > _BEYOND[0] * otf.cutoff) & (k < _BEYOND[1] * otf.cutoff) & (edge < _FRAME - 0.05)
    outer = (edge > _FRAME) & (k > _BEYOND[0] * otf.cutoff)
    middle = (k > 0.3 * otf.cutoff) & (k < 0.6 * otf.cutoff)
    half = shape[1] // 2 + 1
    places = (mask.flatten().nonzero().squeeze(1) for mask in (inner, outer))
    halves = (mask[:, :half].flatten().nonzero().squeeze(1) for mask in (inner, outer, middle))
    return _Regions(*places, *halves)


def structure_beyond(bands: Bands) -> bool:
    """Whether the frames hold detail beyond the cut-off, which no lens of this NA could have imaged."""
    regions = _regions(bands.otf, bands.shape, bands.widefield.device)
    samples = len(regions.inner)
    if min(samples, len(regions.outer)) < _LEAST_SAMPLES:
        return False
    wide = over_time(power(bands.wide_spectrum)).flatten()
    side = bands.side_power.flatten(1)
    noise, edge_noise = (
        float(side.index_select(1, place).mean()) / bands.groups for place in (regions.inner, regions.outer)
    )
    beyond, elsewhere, middle = (
        float(wide.index_select(0, place).mean()) / bands.times
        for place in (regions.half_inner, regions.half_outer, regions.half_middle)
    )
    if not (noise > 0 and edge_noise > 0):
        return False
    common = beyond / noise - elsewhere / edge_noise
    share = common * noise / middle
    return common > _EXCESS + 5 / math.sqrt(samples * bands.times) and share > _SHARE
