"""How much of what changes from phase to phase is the pattern's, and not the specimen's that moves.

The first harmonic of the phases, F_1, holds the sideband of the pattern. In its overlap with the widefield W it is
known but for its contrast (Gustafsson 2000, 10.1046/j.1365-2818.2000.00710.x):

    F_1(k) ~ m/2 exp(i phase) W(k -+ k0) H(k) / H(k -+ k0).

What moves is in F_1 as well, but follows neither. So the share of F_1's power, less its noise, that these two templates
explain is the pattern's. The templates are fitted in strips of |k -+ k0|, so that an OTF that is not quite as assumed,
or a specimen out of focus, takes nothing away.
"""

import math

import torch
from torch import Tensor

from rdl_live.optics.fourier import frequencies
from rdl_live.optics.noise_floor import power_beyond, window2d
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import PatternSet

_STRIPS = 6
"""In which the templates are fitted, from 0 to `_REACH`."""
_REACH = 0.85
"""Of the cut-off: beyond, the widefield is noise."""
_CORE = 0.03
"""Of the cut-off: nearer to frequency zero, light that flickers counts."""
_LEAST_CLEAN = 0.3
"""Of a template's power, that is taken for free of noise at least."""
_CERTAIN = 5.0
"""Standard errors by which F_1 must exceed its noise for a share to be known."""


def explained_share(photons: Tensor, otf: Otf, patterns: PatternSet, read_noise_e: float = 0.0) -> tuple[float, ...]:
    """Return, for each orientation, which share of the power of F_1 above its noise is that of a pattern: 0 to 1.

    Args:
        photons: series (angle, phase, y, x).
        otf: detection OTF.
        patterns: wave vectors; neither phases nor contrast count.
        read_noise_e: of the camera [electrons], where the OTF leaves no noise to measure.

    Returns:
        1 where nothing stands above the noise.
    """
    shape = (photons.shape[-2], photons.shape[-1])
    device = photons.device
    light = photons.to(torch.float32)
    levels = light.mean(dim=(-2, -1), keepdim=True)
    # Flicker is no motion: all frames are brought to equal light.
    light = light * torch.where(levels > 0, levels.mean() / levels.clamp(min=1e-9), torch.ones_like(levels))
    window = window2d(shape, device)
    frames = (light - light.mean()) * window
    means, (angles, phases) = frames.mean(dim=1), photons.shape[:2]
    turns = torch.exp(-2j * math.pi * torch.arange(phases, device=device) / phases)
    first: Tensor = torch.fft.fft2((turns[None, :, None, None] * frames).mean(dim=1))
    kx, ky = (one.to(torch.float32) for one in frequencies(shape, otf.pixel_um, device=device))
    here = otf(kx, ky).to(torch.float32)
    power = _squared(first)
    floor = power_beyond(power, otf)
    if floor is None:
        level = (float(light.mean()) + read_noise_e**2) / phases * float(window.double().square().sum())
        floor = torch.full((len(power),), level, dtype=torch.float64)
    y, x = ((torch.arange(n, device=device, dtype=torch.float64) + 0.5) * otf.pixel_um for n in shape)
    shares = []
    for index, (one, pattern, noise) in enumerate(zip(first, patterns, floor.tolist(), strict=True)):
        # Its own frames would not do: while the specimen moves their mean holds stripes.
        others = [angle for angle in range(angles) if angle != index] or [index]
        wide, powers = means[others].mean(dim=0), (noise, noise / len(others))
        shares.append(_share(one, wide, (pattern.kx, pattern.ky), otf, (kx, ky, here), (y, x), powers))
    return tuple(shares)


def _share(
    first: Tensor,
    wide: Tensor,
    k0: tuple[float, float],
    otf: Otf,
    plane: tuple[Tensor, Tensor, Tensor],
    place: tuple[Tensor, Tensor],
    level: tuple[float, float],
) -> float:
    """Return the share of one orientation, given the noise powers of F_1 and of the widefield."""
    kx, ky, here = plane
    noise, wide_noise = level
    y, x = place
    k = torch.hypot(kx, ky)
    band = (k > _CORE * otf.cutoff) & (k < otf.cutoff)
    count = int(band.sum())
    total = float(_squared(first[band]).sum()) - noise * count
    if total <= _CERTAIN * noise * math.sqrt(max(count, 1)):
        return 1.0
    found, seen = 0.0, torch.zeros_like(band)
    for sign in (1, -1):
        qx, qy = sign * k0[0], sign * k0[1]
        wave = torch.exp(2j * math.pi * (qx * x[None, :] + qy * y[:, None])).to(torch.complex64)
        moved: Tensor = torch.fft.fft2(wide * wave)
        side = torch.hypot(kx - qx, ky - qy)
        lens = band & (side < _REACH * otf.cutoff) & ~seen
        seen |= lens
        ratio = here / otf(kx - qx, ky - qy).clamp(min=1e-3).to(torch.float32)
        strips = (side / (_REACH * otf.cutoff) * _STRIPS).long()
        for strip in range(_STRIPS):
            inside = lens & (strips == strip)
            if bool(inside.any()):
                found += _fitted(first[inside], moved[inside], ratio[inside], wide_noise)
    return min(max(found / total, 0.0), 1.0)


def _fitted(data: Tensor, moved: Tensor, ratio: Tensor, wide_noise: float) -> float:
    """Return the power of the data that a multiple of the template, moved * ratio, explains, without its noise.

    What agrees by chance, sample by sample, is taken off: it is all that noise and motion give.
    """
    template = moved * ratio
    powers, found = _squared(template).double(), _squared(data).double()
    strength = float(powers.sum())
    # The widefield's noise weakens the fit.
    clean = max(strength - wide_noise * float(ratio.square().sum()), _LEAST_CLEAN * strength)
    pairs = strength**2 - float(powers.square().sum())
    if not clean > 0 or pairs < _LEAST_CLEAN * strength**2:
        return 0.0
    overlap = complex((data * template.conj()).sum())
    together = abs(overlap) ** 2 - float((powers * found).sum())
    return together / pairs * strength**2 / clean


def _squared(values: Tensor) -> Tensor:
    return values.real.square() + values.imag.square()
