"""Frequency grids and the half-pixel bookkeeping between grids of pixel areas."""

import math

import torch
from torch import Tensor


def frequencies(
    shape: tuple[int, int], pixel_um: float, *, half: bool = False, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Return (kx, ky) of an FFT grid [cycles/um], float64, broadcastable: (1, X) and (Y, 1).

    Args:
        shape: (y, x) samples.
        pixel_um: sample distance [um].
        half: the layout of rfft2 (x from 0 to Nyquist) in place of fft2.
        device: where to put them.
    """
    y, x = shape
    axis = torch.fft.rfftfreq if half else torch.fft.fftfreq
    kx = axis(x, d=pixel_um, dtype=torch.float64, device=device)[None, :]
    ky = torch.fft.fftfreq(y, d=pixel_um, dtype=torch.float64, device=device)[:, None]
    return kx, ky


def shift_phase(kx: Tensor, ky: Tensor, shift_um: float) -> Tensor:
    """Return exp(2 pi i (kx + ky) shift): multiplied to a spectrum it evaluates f at x + shift, y + shift."""
    return torch.polar(torch.ones((), dtype=kx.dtype, device=kx.device), 2 * math.pi * shift_um * (kx + ky))


def good_size(n: int) -> int:
    """Return the smallest even size >= n whose only prime factors are 2, 3 and 5 (quick to transform)."""
    size = n + n % 2
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 2
