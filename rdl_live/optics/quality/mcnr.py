"""Modulation contrast to noise ratio: how far the modulation stands above the noise, pixel by pixel.

    MCNR = 4 |F_1| / sqrt(F_0 + read_noise^2)          F_h = 1/P sum_j D_j exp(-2 pi i h j / P)

4 |F_1| is the peak-to-peak modulation in photons, sqrt(F_0 + read_noise^2) the noise of ONE raw frame.
Idea and verdicts: SIMcheck (Ball et al., Sci. Rep. 5, 15915, 2015), thresholds as in Demmerle et al., Nat.
Protoc. 12, 988 (2017). SIMcheck's program divides by a noise that it measures after an Anscombe transform;
this form takes the noise from the photon count, as Stallinga's group does (the 1/P in F is theirs too:
without it everything would be sqrt(P) larger). Harmonics add as squares. Light without modulation does not
give 0 but `noise_floor(P)`, 2.05 for three phases, because |F_1| cannot be negative.

A specimen that moves changes from phase to phase as well. Where the patterns are known only the part of F_1 counts
that they explain (see `explained`); its noise stays, so that the scale is the same.

MCNR is a property of single pixels of raw frames. Low values say that the stripes cannot be seen by eye there; the
reconstruction compares whole frames, and may well be right.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor
from torch.nn import functional

from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.quality.explained import explained_share


class Grade(StrEnum):
    """SIMcheck's verdict on an MCNR."""

    INADEQUATE = "inadequate"
    LOW = "low"
    GOOD = "good"
    VERY_GOOD = "very good"


def grade(mcnr: float) -> Grade:
    """Return the verdict: below 4 inadequate, 4 to 8 low, 8 to 12 good, above 12 very good."""
    if mcnr < 4:
        return Grade.INADEQUATE
    if mcnr < 8:
        return Grade.LOW
    return Grade.GOOD if mcnr <= 12 else Grade.VERY_GOOD


@dataclass(frozen=True)
class ModulationContrast:
    """MCNR averaged over the foreground."""

    per_orientation: tuple[float, ...]
    """Mean MCNR of each orientation."""
    overall: float
    """Mean over the orientations."""
    grade: Grade
    """Verdict on the overall value."""
    foreground_fraction: float
    """Share of the pixels that count as foreground."""
    noise_floor: float
    """What the mean would be without any modulation (bright, unmodulated light)."""


def noise_floor(phases: int, harmonics: int = 1) -> float:
    """Return the expected MCNR of bright unmodulated light, 3.54 / sqrt(P) for one harmonic."""
    # |F| of H harmonics is chi-distributed with 2 H degrees of freedom and sigma = sqrt(noise / 2 P).
    return 4 / math.sqrt(phases) * math.exp(math.lgamma(harmonics + 0.5) - math.lgamma(harmonics))


def mcnr_map(photons: Tensor, *, read_noise_e: float | Tensor = 0.0, harmonics: int = 1) -> Tensor:
    """Return the MCNR of every pixel and orientation.

    Args:
        photons: series (..., angle, phase, y, x) in photons, offset subtracted.
        read_noise_e: root-mean-square read noise [electrons], one figure or a map (y, x).
        harmonics: pattern harmonics to add up.

    Returns:
        (..., angle, y, x), float32, never negative; 0 where there is no light and no read noise.

    Raises:
        ValueError: fewer axes than four, or too few phases for the harmonics.
    """
    if photons.ndim < 4:
        raise ValueError(f"needs a series (..., angle, phase, y, x), got {tuple(photons.shape)}")
    phases = photons.shape[-3]
    if harmonics < 1 or phases < 2 * harmonics + 1:
        raise ValueError(f"{phases} phases cannot show {harmonics} harmonic(s)")
    bands = _phase_bands(photons.to(torch.float32), harmonics)
    variance = bands[..., 0, :, :].clamp(min=0) + torch.as_tensor(read_noise_e, device=photons.device) ** 2
    peak_to_peak = 4 * bands[..., 1:, :, :].square().sum(dim=-3).sqrt()
    return torch.where(variance > 0, peak_to_peak / variance.sqrt(), 0.0).to(torch.float32)


def _phase_bands(photons: Tensor, harmonics: int) -> Tensor:
    """Return F_0 and the real and imaginary parts of F_1 ... F_H of the phases, (..., 1 + 2 H, y, x)."""
    phases = photons.shape[-3]
    step = 2 * math.pi / phases * torch.arange(phases, dtype=torch.float64)
    rows = [torch.ones_like(step)]
    for harmonic in range(1, harmonics + 1):
        rows += [torch.cos(harmonic * step), torch.sin(harmonic * step)]
    matrix = (torch.stack(rows) / phases).to(photons)  # (1 + 2 H, phase)
    bands = matrix @ photons.flatten(start_dim=-2)
    return bands.reshape(*photons.shape[:-3], len(rows), *photons.shape[-2:])


def otsu_threshold(values: Tensor, bins: int = 256) -> float:
    """Return Otsu's threshold: the one that parts the values into two classes farthest apart.

    Otsu, IEEE Trans. Syst. Man Cybern. 9, 62 (1979). For values that are all alike, that value.
    """
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return low
    count = torch.histc(values.to(torch.float32), bins, low, high).to(torch.float64)
    centre = low + (torch.arange(bins, dtype=torch.float64, device=values.device) + 0.5) * (high - low) / bins
    below, above = count.cumsum(0), count.sum() - count.cumsum(0)
    sum_below = (count * centre).cumsum(0)
    sum_above = (count * centre).sum() - sum_below
    apart = sum_below / below.clamp(min=1) - sum_above / above.clamp(min=1)
    best = int((below * above * apart.square())[:-1].argmax())
    return low + (best + 1) * (high - low) / bins


def foreground(photons: Tensor) -> Tensor:
    """Return where the specimen is: (..., y, x), bool, from the widefield image of each series.

    The widefield image is averaged over 3 x 3 pixels first: at low light Otsu would otherwise pick the pixels
    that noise made bright.
    """
    widefield = photons.to(torch.float32).mean(dim=(-4, -3))
    pictures = widefield.reshape(-1, 1, *widefield.shape[-2:])
    smooth = functional.avg_pool2d(pictures, 3, stride=1, padding=1, count_include_pad=False)
    masks = torch.stack([picture >= otsu_threshold(picture) for picture in smooth])
    return masks.reshape(widefield.shape)


def modulation_contrast(
    photons: Tensor,
    *,
    read_noise_e: float | Tensor = 0.0,
    harmonics: int = 1,
    otf: Otf | None = None,
    patterns: PatternSet | None = None,
) -> ModulationContrast:
    """Return the MCNR of a series, averaged over its foreground as SIMcheck does.

    Unlike SIMcheck, which applies Otsu's threshold to the MCNR map itself, the foreground is taken from the
    widefield image: selecting by the measured value would flatter it.

    Args:
        photons: (..., angle, phase, y, x); several time points are averaged over.
        read_noise_e: root-mean-square read noise [electrons], one figure or a map (y, x).
        harmonics: pattern harmonics to add up.
        otf: detection OTF; needed with `patterns`.
        patterns: of a single series; motion then does not count as modulation. Not used for several harmonics.

    Raises:
        ValueError: fewer axes than four, or too few phases for the harmonics.
    """
    contrast = mcnr_map(photons, read_noise_e=read_noise_e, harmonics=harmonics)
    mask = foreground(photons)
    chosen = contrast.movedim(-3, 0)[:, mask]  # (angle, foreground pixel)
    if patterns is not None and otf is not None and photons.ndim == 4 and harmonics == 1:
        read = float(torch.as_tensor(read_noise_e).square().mean().sqrt())
        shares = torch.tensor(explained_share(photons, otf, patterns, read)).to(chosen)
        chosen = _without_motion(chosen, shares[:, None], photons.shape[-3])
    means = tuple(float(mean) for mean in chosen.mean(dim=1))
    overall = sum(means) / len(means)
    share = float(mask.double().mean())
    return ModulationContrast(means, overall, grade(overall), share, noise_floor(photons.shape[-3], harmonics))


def _without_motion(contrast: Tensor, shares: Tensor, phases: int) -> Tensor:
    """Return MCNR (angle, pixel) of which only a share of the signal's power is the pattern's (angle, 1)."""
    # In each pixel 16 |F_1|^2 / noise is signal + 16 / P on average.
    noise = 16 / phases
    power = contrast.square().mean(dim=1, keepdim=True)
    signal = (power - noise).clamp(min=0)
    kept = (power - (1 - shares) * signal) / power.clamp(min=1e-12)
    return contrast * kept.clamp(0, 1).sqrt()
