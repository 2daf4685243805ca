"""Data consistency: the network's image weighed against the data, frequency by frequency.

An image X0 whose error has the power E (in the SR image) and the data M = D O + n, var n = N D, together say

    X = (T M + v X0) / (D + max(v, w^2)),   v = N T^2 / E

(the maximum a posteriori estimate; T is the SR image's transfer, X = T O). v < w^2 = N / S means that the image is
more wrong than no image at all would be; the Wiener estimate's damping then takes over. E is not believed but measured,
from the misfit R = T M - D X0, whose power is N T^2 D + D^2 E where X0 is independent of the noise. As light grows N
falls, v with it, and X becomes the Wiener image: where the network is wrong by more than the noise, the data win.

A network that has copied noise fits the data too well, and its error looks smaller than it is. So E is taken to be at
least `LEAST_ERROR` of the error variance that the Wiener estimate has left, N T^2 / (D + w^2).
"""

import math

import torch
from torch import Tensor

from rdl_live.restore.evidence import Evidence

LEAST_ERROR = 0.05
"""Smallest error power that the network is believed to have, relative to that of the Wiener estimate."""
_SUPPORT = 1e-7
"""Least D of the data's support. Beyond it nothing was measured, and nothing that the network believes is shown."""
_MOST = 1e5
"""Bound of v, for the sake of float32."""
_CERTAIN = 1.0
"""Standard deviations by which a misfit must exceed what noise alone gives: chance is no evidence."""
_SMOOTH = 2.0
"""Rings over which the error's spectrum is smoothed (standard deviation)."""


def rings_of(rows: int, columns: int, device: torch.device | str = "cpu") -> Tensor:
    """Return the ring number of every sample of a half-plane, (rows, columns) int64; one sample wide each."""
    y, x = rows, 2 * (columns - 1)
    least = min(y, x)
    ky = torch.fft.fftfreq(y, device=device)[:, None] * least
    kx = torch.fft.rfftfreq(x, device=device)[None, :] * least
    return torch.hypot(ky, kx).round().long()


def ring_count(rows: int, columns: int) -> int:
    """Return a number above all of `rings_of` this half-plane, without asking the device for them."""
    y, x = rows, 2 * (columns - 1)
    least = min(y, x)
    return math.ceil(math.hypot(least * (y // 2) / y, least * 0.5)) + 1


def fused_spectrum(
    evidence: Evidence,
    spectrum: Tensor,
    rings: Tensor,
    least_error: float = LEAST_ERROR,
    *,
    weight: Tensor | None = None,
) -> Tensor:
    """Weigh the spectrum of an image against the data.

    Args:
        evidence: the data.
        spectrum: X0, (n, rows, columns) complex64, in the unit of the evidence.
        rings: `rings_of` this half-plane.
        least_error: share of the Wiener estimate's error below which E is not believed.
        weight: v, where it is known; measured by default (`trust`).

    Returns:
        X, (n, rows, columns) complex64; its mean is exactly that of the data. Gradients flow through X0, not through
        the weights.
    """
    if weight is None:
        weight = trust(evidence, spectrum.detach(), rings, least_error)
    damped = (evidence.power + torch.maximum(weight, evidence.damping)).clamp(min=1e-12)
    shown = torch.where((evidence.power > _SUPPORT) & (evidence.target > 0), 1 / damped, 0.0)
    fused = (evidence.target * evidence.matched + weight * spectrum) * shown
    fused[:, 0, 0] = evidence.matched[:, 0, 0] / evidence.power[:, 0, 0]
    return fused


def trust(evidence: Evidence, spectrum: Tensor, rings: Tensor, least_error: float = LEAST_ERROR) -> Tensor:
    """Return v, the weight of an image's `spectrum` relative to the data's D, (n, rows, columns) float32."""
    power, target = evidence.power, evidence.target
    noise = evidence.noise[:, None, None]
    misfit = target * evidence.matched - power * spectrum
    wiener_error = noise * target**2 / (power + evidence.damping)
    count = ring_count(*power.shape[-2:])
    error = _ring_excess(misfit, noise * target**2 * power, power, rings, count)
    floor = _ring_sums(wiener_error, rings, count) / _ring_sums(torch.ones_like(power), rings, count)
    error = torch.maximum(error, least_error * floor).clamp(min=1e-30)
    return (noise * target**2 / error[:, rings]).clamp(max=_MOST)


def _ring_excess(misfit: Tensor, expected: Tensor, power: Tensor, rings: Tensor, count: int) -> Tensor:
    excess = misfit.real**2 + misfit.imag**2 - expected
    # The sum over a ring scatters by the root of the sum of squares: noise has an exponential distribution of power.
    scatter = _ring_sums(expected**2, rings, count).sqrt()
    measured = (_ring_sums(excess, rings, count) - _CERTAIN * scatter).clamp(min=0)
    return measured / _ring_sums(power**2, rings, count).clamp(min=1e-20)


def _ring_sums(values: Tensor, rings: Tensor, count: int) -> Tensor:
    """Sum (n, rows, columns) over rings and smooth from ring to ring: (n, count)."""
    sums = values.new_zeros(len(values), count).index_add_(1, rings.flatten(), values.flatten(1))
    reach = round(3 * _SMOOTH)
    steps = torch.arange(-reach, reach + 1, dtype=values.dtype, device=values.device)
    kernel = torch.exp(-0.5 * (steps / _SMOOTH) ** 2)[None, None]
    return torch.nn.functional.conv1d(sums[:, None], kernel, padding=reach)[:, 0]
