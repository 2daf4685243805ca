"""Resolution of a single image by decorrelation analysis (Descloux et al., Nat. Methods 16, 918, 2019).

The image is correlated with its own phases, kept up to the radius r:

    d(r) = sum_{k<r} |I_k| / sqrt( sum |I_k|^2  *  number of k < r )

d has a maximum where adding rings starts to add more noise than signal. High-pass filtering moves it
outwards; the outermost maximum over a range of filters is the cut-off frequency, resolution = 1 / cut-off.

All that d needs of the image are the sums of |I| and |I|^2 over each ring, since mask and filter depend on
the radius alone. So one FFT and two ring sums serve every radius and every filter (30 ms for 1024 x 1024
on two CPU threads).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.optics.quality.rings import check_image, rings, taper, tapered_spectrum

_RADII = 50
_FILTERS = 10
_LEAST_HEIGHT = 0.05
"""A maximum below this is not considered, as in the authors' program."""
_LEAST_DROP = 0.001
"""How far d must fall behind a maximum; the authors' program rounds d to three digits."""


@dataclass(frozen=True)
class Decorrelation:
    """Result of a decorrelation analysis."""

    resolution_um: float | None
    """1 / cut-off [um]; None where no maximum was found (noise, flat image)."""
    cutoff_per_um: float | None
    """Cut-off frequency [cycles/um]."""
    height: float
    """d at the maximum that gave the cut-off; 0 where none was found."""
    contrast: float
    """d at the maximum before any filter (the authors' A0): near 1 for a noise-free image."""


NOT_FOUND = Decorrelation(None, None, 0.0, 0.0)
"""What is reported where no maximum was found."""


def decorrelation(image: Tensor, pixel_um: float) -> Decorrelation:
    """Estimate the resolution of one image.

    The image must be sampled finer than its resolution and hold noise of its own; hard thresholds, clipping
    and interpolation beforehand falsify the result (as the paper warns).

    Args:
        image: (y, x), any unit; at least 32 pixels a side.
        pixel_um: pixel of THIS image [um] (half the raw one for an SR image).

    Raises:
        ValueError: not one real image, or too small.
    """
    check_image(image, pixel_um, smallest=32)
    return Profile.of(image, pixel_um).analyse()


@dataclass(frozen=True, eq=False)
class Profile:
    """Ring sums of an image's spectrum: all that the analysis needs."""

    radius: Tensor
    """Radius of every ring over the Nyquist frequency, (rings,), float64."""
    amplitude: Tensor
    """Sum of |I| in every ring, (rings,), float64."""
    power: Tensor
    """Sum of |I|^2 in every ring, (rings,), float64."""
    count: Tensor
    """Number of samples in every ring, (rings,), float64."""
    nyquist: float
    """Nyquist frequency [cycles/um]."""

    @classmethod
    def of(cls, image: Tensor, pixel_um: float) -> "Profile":
        """Sum up the spectrum of `image` (y, x) in rings two to a sample."""
        shape = (image.shape[0], image.shape[1])
        window = taper(shape, fraction=min(20 / min(shape), 0.125), device=image.device)
        magnitude = tapered_spectrum(image, window).abs()
        grid = rings(shape, pixel_um, finer=2, device=image.device)
        sums = (grid.sum(magnitude), grid.sum(magnitude.square()), grid.count)
        amplitude, power, count = (total[: grid.number].cpu() for total in sums)
        nyquist = 0.5 / pixel_um
        return cls(grid.frequency.cpu() / nyquist, amplitude, power, count, nyquist)

    def analyse(self) -> Decorrelation:
        """Search the outermost maximum of d, coarsely, then around what was found."""
        if not float(self.power.sum()) > 0:
            return NOT_FOUND
        radii = torch.linspace(0, 1, _RADII, dtype=torch.float64)
        plain = _highest(self.curves(radii, torch.tensor([math.inf], dtype=torch.float64))[0], radii)
        weakest = 2 / plain[0] if plain[0] > 0 else 0.5 / float(self.radius[2])
        widest = 0.25 / float(self.radius[2])
        filters = torch.cat([torch.tensor([widest], dtype=torch.float64), _geometric(weakest, 0.15)])
        maxima = self._maxima(radii, filters)
        chosen, outermost = _outermost(maxima)
        low, high = _neighbours(filters, chosen)
        step = 1 / (_RADII - 1)
        fine = torch.linspace(max(outermost - step, 0), min(outermost + 0.3, 1), _RADII, dtype=torch.float64)
        maxima += self._maxima(fine, _geometric(low, high))
        kept = [maximum for maximum in [plain, *maxima] if maximum[1] >= _LEAST_HEIGHT and maximum[0] > 0]
        if not kept:
            return NOT_FOUND
        radius, height = max(kept)
        cutoff = radius * self.nyquist
        return Decorrelation(1 / cutoff, cutoff, height, plain[1])

    def curves(self, radii: Tensor, filters: Tensor) -> Tensor:
        """Return d at `radii` (over Nyquist) for each high-pass 1 - exp(-2 g^2 r^2): (filter, radius)."""
        high_pass = -torch.expm1(-2 * filters[:, None].square() * self.radius.square())  # (filter, ring)
        high_pass = torch.where(self.radius > 0, high_pass, 0.0)
        signal = (high_pass * self.amplitude).cumsum(dim=1)
        energy = (high_pass.square() * self.power).sum(dim=1, keepdim=True)
        d = signal / (energy * self.count.cumsum(dim=0)).clamp(min=1e-300).sqrt()
        last = torch.searchsorted(self.radius, radii, right=True) - 1
        return d[:, last]

    def _maxima(self, radii: Tensor, filters: Tensor) -> list[tuple[float, float]]:
        return [_highest(curve, radii) for curve in self.curves(radii, filters)]


def _highest(curve: Tensor, radii: Tensor) -> tuple[float, float]:
    """Return (radius, height) of the highest true maximum of d; radius 0 if there is none.

    The end of the curve is cut off for as long as the highest value lies there or d hardly falls behind it:
    noise alone makes d rise to the very end.
    """
    end = curve.numel()
    while end > 2:
        best = int(curve[:end].argmax())
        if best == 0:
            break
        if best < end - 1 and float(curve[best] - curve[best:].min()) >= _LEAST_DROP:
            return float(radii[best]), float(curve[best])
        end = best
    return 0.0, 0.0


def _outermost(maxima: list[tuple[float, float]]) -> tuple[int, float]:
    """Return the index and radius of the outermost maximum; the last one of equals."""
    index = max(range(len(maxima)), key=lambda position: (maxima[position][0], position))
    return index, maxima[index][0]


def _neighbours(filters: Tensor, chosen: int) -> tuple[float, float]:
    """Return the filters between which to look closer: the chosen one and the one before it."""
    upper = min(max(chosen, 1), filters.numel() - 1)
    return float(filters[upper - 1]), float(filters[upper])


def _geometric(first: float, last: float) -> Tensor:
    return torch.exp(torch.linspace(math.log(first), math.log(last), _FILTERS, dtype=torch.float64))
