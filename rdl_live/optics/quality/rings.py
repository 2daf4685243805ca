"""Spectra and rings: what FRC, decorrelation and motion have in common.

All sums over rings are taken from the half-plane of rfft2 in one pass, with the mirrored half counted.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.optics.fourier import frequencies


def taper(shape: tuple[int, int], fraction: float = 0.125, *, device: torch.device | str = "cpu") -> Tensor:
    """Return a window (y, x), float32: 1 inside, falling like a cosine over `fraction` of each edge.

    The image is not periodic; without it the jump from edge to edge would put a cross into every spectrum.
    """

    def axis(n: int) -> Tensor:
        depth = (torch.arange(n, dtype=torch.float64, device=device) + 0.5) / max(n * fraction, 1.0)
        depth = torch.minimum(depth, depth.flip(0)).clamp(max=1)
        return (0.5 - 0.5 * torch.cos(torch.pi * depth)).to(torch.float32)

    return axis(shape[0])[:, None] * axis(shape[1])[None, :]


def effective_fraction(window: Tensor) -> float:
    """Return the share of Fourier samples that are independent once an image is multiplied by `window`."""
    power = window.double().square()
    return float(power.sum().square() / power.square().sum() / power.numel())


def tapered_spectrum(image: Tensor, window: Tensor) -> Tensor:
    """Return rfft2 of (..., y, x) without its mean, brought to unit rms and windowed: (..., y, x // 2 + 1).

    Unit rms keeps squares of spectra within float32 whatever the image's unit; flat images give zero.
    """
    image = image.to(torch.float32)
    residue = image - image.mean(dim=(-2, -1), keepdim=True)
    rms = residue.square().mean(dim=(-2, -1), keepdim=True).sqrt()
    # A flat image differs from its mean by rounding alone, which must not be blown up to unit rms.
    rounding = 1e-6 * image.abs().amax(dim=(-2, -1), keepdim=True)
    scale = torch.where(rms > rounding, 1 / rms, 0.0)
    spectrum: Tensor = torch.fft.rfft2(residue * scale * window)
    return spectrum


@dataclass(frozen=True, eq=False)
class Rings:
    """The rings of an rfft2 half-plane, all of one width, from 0 to the Nyquist frequency."""

    number: int
    width: float
    """Width of a ring [cycles/um]; ring i holds the frequencies nearest to i * width."""
    index: Tensor
    """Ring of every sample, (y, x // 2 + 1), int64; `number` for the corners beyond the Nyquist frequency."""
    copies: Tensor
    """How often a column occurs in the full plane, (x // 2 + 1,), float64: 1 or 2."""
    count: Tensor
    """Samples of the full plane in each ring, (number + 1,), float64; the last one is the corners."""

    @property
    def frequency(self) -> Tensor:
        """Radius of every ring [cycles/um], (number,), float64."""
        return torch.arange(self.number, dtype=torch.float64, device=self.index.device) * self.width

    def sum(self, values: Tensor) -> Tensor:
        """Add up real `values` (y, x // 2 + 1) over each full ring: (number + 1,), float64."""
        weighted = values.to(torch.float64) * self.copies
        return torch.bincount(self.index.flatten(), weighted.flatten(), minlength=self.number + 1)

    def mean(self, values: Tensor) -> Tensor:
        """Average real `values` (y, x // 2 + 1) over each full ring: (number + 1,), float64."""
        return self.sum(values) / self.count.clamp(min=1)


def rings(shape: tuple[int, int], pixel_um: float, *, finer: int = 1, device: torch.device | str = "cpu") -> Rings:
    """Return the rings for images of `shape` (y, x), `finer` of them to a sample of the coarser axis."""
    kx, ky = frequencies(shape, pixel_um, half=True, device=device)
    width = 1 / (min(shape) * pixel_um * finer)
    number = int(0.5 / pixel_um / width * (1 + 1e-9)) + 1
    index = torch.hypot(kx, ky).div_(width).round_().long().clamp_(max=number)
    copies = torch.full((shape[1] // 2 + 1,), 2.0, dtype=torch.float64, device=device)
    copies[0] = 1
    if shape[1] % 2 == 0:
        copies[-1] = 1
    weights = copies.expand(shape[0], -1).flatten()
    count = torch.bincount(index.flatten(), weights, minlength=number + 1)
    return Rings(number, width, index, copies, count)


def check_image(image: Tensor, pixel_um: float, smallest: int = 8) -> None:
    """Raise ValueError unless `image` is one real picture (y, x) of at least `smallest` pixels a side."""
    if image.ndim != 2 or min(image.shape) < smallest or image.is_complex():
        raise ValueError(
            f"needs one real image (y, x), {smallest} x {smallest} pixels or more, got {tuple(image.shape)}"
        )
    if not pixel_um > 0:
        raise ValueError(f"pixel_um must be positive, got {pixel_um}")
