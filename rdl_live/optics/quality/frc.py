"""Fourier ring correlation: up to which frequency two independent images of one object agree.

    FRC(r) = Re sum_ring F_1 F_2* / sqrt( sum_ring |F_1|^2  sum_ring |F_2|^2 )

(Saxton and Baumeister, J. Microsc. 127, 127, 1982; Nieuwenhuizen et al., Nat. Methods 10, 557, 2013). The
images must not share noise: take two exposures, or `thin` one series, and restore or reconstruct each half by
itself. Thresholds: van Heel and Schatz, J. Struct. Biol. 151, 250 (2005).
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from rdl_live.optics.quality.rings import check_image, effective_fraction, rings, taper, tapered_spectrum

_FIRST_RING = 2  # rings 0 and 1 hold the mean and the window's own leakage
_SIGNIFICANCE = 4.0


class Criterion(StrEnum):
    """Where the curve is held to end."""

    ONE_SEVENTH = "1/7"
    """Fixed at 1/7 = 0.143, the custom of light microscopy."""
    HALF_BIT = "half-bit"
    """Half a bit of information per sample, which needs a higher correlation in small rings."""
    ONE_BIT = "one-bit"
    """One bit per sample, stricter."""
    TWO_SIGMA = "2-sigma"
    """Twice the scatter that pure noise would have, the most lenient."""


@dataclass(frozen=True, eq=False)
class RingCorrelation:
    """An FRC curve and what it says."""

    frequency_per_um: Tensor
    """Radius of every ring [cycles/um], (ring,), float64, up to the end that was asked for."""
    correlation: Tensor
    """FRC of every ring, (ring,), float64, -1 to 1."""
    smoothed: Tensor
    """The same, smoothed along the radius; the crossing is looked for on it."""
    threshold: Tensor
    """The criterion at every ring, (ring,), float64."""
    criterion: Criterion
    resolution_um: float | None
    """1 / frequency of the first crossing [um]; None if there is no common signal, or no crossing."""
    agrees_to_end: bool
    """Whether the curve stays above the threshold to its end: the images are sampled too coarsely to tell, or are as
    fine as their transfer allows."""


def fourier_ring_correlation(
    first: Tensor,
    second: Tensor,
    pixel_um: float,
    *,
    criterion: Criterion = Criterion.ONE_SEVENTH,
    end_per_um: float | None = None,
) -> RingCorrelation:
    """Correlate two independent images ring by ring.

    Args:
        first: image (y, x), any unit.
        second: image of the same shape; its scale and offset may differ.
        pixel_um: pixel of these images [um].
        criterion: threshold that gives the resolution.
        end_per_um: where the images' transfer ends [cycles/um]; the curve is not looked at beyond, where a window's
            leakage is all there is, on which the halves agree. The Nyquist frequency where left out.

    Raises:
        ValueError: not two real images of one shape.
    """
    check_image(first, pixel_um)
    if second.shape != first.shape:
        raise ValueError(f"images differ in shape: {tuple(first.shape)} and {tuple(second.shape)}")
    shape = (first.shape[0], first.shape[1])
    window = taper(shape, device=first.device)
    one, other = tapered_spectrum(torch.stack([first, second.to(first)]), window)
    grid = rings(shape, pixel_um, device=first.device)
    product = grid.sum((one * other.conj()).real)[: grid.number].cpu()
    power = (grid.sum(one.abs().square()) * grid.sum(other.abs().square()))[: grid.number].cpu()
    curve = torch.where(power > 0, product / power.clamp(min=1e-300).sqrt(), 0.0).clamp(-1, 1)
    # A window ties neighbouring samples together, so a ring holds fewer independent ones than it counts.
    samples = grid.count[: grid.number].cpu() * effective_fraction(window)
    frequency = grid.frequency.cpu()
    if end_per_um is not None:
        inside = frequency <= end_per_um
        frequency, curve, samples = frequency[inside], curve[inside], samples[inside]
    smoothed = _smooth(curve, samples)
    threshold = _threshold(criterion, samples)
    crossing = _crossing(frequency, smoothed, threshold)
    found = crossing is not None and _is_signal(curve, samples, frequency, crossing)
    ended = crossing is not None and crossing > float(frequency[-1])
    resolution = 1 / crossing if crossing is not None and found and not ended else None
    return RingCorrelation(frequency, curve, smoothed, threshold, criterion, resolution, found and ended)


def _threshold(criterion: Criterion, samples: Tensor) -> Tensor:
    """Return the criterion at every ring of `samples` independent Fourier samples (both halves counted)."""
    root = samples.clamp(min=1).sqrt()
    if criterion is Criterion.HALF_BIT:
        return (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)
    if criterion is Criterion.ONE_BIT:
        return (0.5 + 2.4142 / root) / (1.5 + 1.4142 / root)
    if criterion is Criterion.TWO_SIGMA:
        return (2 * math.sqrt(2) / root).clamp(max=1)
    return torch.full_like(root, 1 / 7)


def _smooth(curve: Tensor, samples: Tensor) -> Tensor:
    """Average along the radius with a Gaussian of 1.5 rings (1 % of the curve if more)."""
    sigma = max(1.5, 0.01 * curve.numel())
    reach = math.ceil(3 * sigma)
    offset = torch.arange(-reach, reach + 1, dtype=curve.dtype)
    kernel = torch.exp(-0.5 * (offset / sigma).square())[None, None]
    total = torch.nn.functional.conv1d((curve * samples)[None, None], kernel, padding=reach)
    return (total / torch.nn.functional.conv1d(samples[None, None], kernel, padding=reach))[0, 0]


def _crossing(frequency: Tensor, smoothed: Tensor, threshold: Tensor) -> float | None:
    """Return where the curve first falls below the threshold [cycles/um].

    None if it starts below; infinity if it never falls below.
    """
    margin = smoothed - threshold
    above = margin > 0
    start = _FIRST_RING
    # The half-bit and 2-sigma criteria exceed what any curve can reach in the smallest rings.
    while start < margin.numel() // 8 and not bool(above[start]):
        start += 1
    if start >= margin.numel() or not bool(above[start]):
        return None
    below = torch.nonzero(~above[start:])
    if below.numel() == 0:
        return math.inf
    ring = start + int(below[0])
    before, after = float(margin[ring - 1]), float(margin[ring])
    share = before / (before - after)
    return float(frequency[ring - 1] + share * (frequency[ring] - frequency[ring - 1]))


def _is_signal(curve: Tensor, samples: Tensor, frequency: Tensor, crossing: float) -> bool:
    """Whether the correlation up to the crossing is more than chance, which scatters by 1 / sqrt(samples)."""
    inside = frequency <= crossing
    inside[:_FIRST_RING] = False
    number = float(samples[inside].sum())
    return number > 0 and float((curve * samples)[inside].sum()) > _SIGNIFICANCE * math.sqrt(number)


def thin(
    photons: Tensor,
    fraction: float = 0.5,
    *,
    read_noise_e: float | Tensor = 0.0,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Split photon counts into two independent series that add up to the original exactly.

    Each photon goes to the first one with probability `fraction`. For Poisson counts the two are
    independent, with means `fraction` and 1 - `fraction` times the original's. Camera counts are Poisson plus
    read noise, and their conversion to photons is not whole. So counts plus read_noise^2 are divided, which have
    the mean and the variance of a Poisson count (Huang et al. 2013, 10.1038/nmeth.2488): the noise of the division
    then has just the variance that undoes the correlation of shared noise. What is not a whole photon is shared in
    proportion. It is exact where counts plus read_noise^2 stay positive; darkness with 1.5 electrons of read noise
    keeps a correlation of -2 %. A wrong gain or read noise leaves more; denoised or reconstructed images must never
    be split.

    Args:
        photons: any shape, photons; offset subtracted.
        fraction: share of the first series, between 0 and 1.
        read_noise_e: root-mean-square read noise [electrons], one figure or a map that broadcasts.
        generator: source of randomness on the device of `photons`.

    Returns:
        Two tensors of the shape of `photons`, float32.

    Raises:
        ValueError: fraction outside (0, 1).
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie between 0 and 1, got {fraction}")
    photons = photons.to(torch.float32)
    # Rounding at random keeps the mean of the whole photons at the mean of the count.
    dither = torch.rand(photons.shape, generator=generator, device=photons.device)
    whole = (photons + torch.as_tensor(read_noise_e).to(photons) ** 2 + dither).floor().clamp(min=0)
    first = torch.binomial(whole, torch.full_like(whole, fraction), generator=generator)
    first = first + fraction * (photons - whole)
    return first, photons - first
