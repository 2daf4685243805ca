"""How far can stripes alone change the light of a frame? So far no change of its mean is flicker.

Stripes m cos(k x + phase) over a specimen S make the mean of a frame S(0) + m |S(k)| cos(...): nothing on a dense
specimen, a good part of it on a few beads. Where the wave vector is not known, the largest |S(k)| / S(0) that the
widefield shows at any of those that the objective passes is the bound, at full contrast.
"""

import torch
from torch import Tensor

from rdl_live.optics.fourier import frequencies
from rdl_live.optics.otf import Otf

_LOWEST, _FAINTEST = 0.3, 0.05
"""Share of the cut-off from which patterns are looked for, and transfer down to which the specimen can be seen."""


def pattern_level_bound(photons: Tensor, otf: Otf, read_noise_e: float = 0.0) -> float:
    """Return the largest relative change of a frame's mean that stripes could make; 0 in the dark.

    Args:
        photons: series (angle, phase, y, x).
        otf: detection OTF.
        read_noise_e: of the camera [electrons].
    """
    wide = photons.to(torch.float32).mean(dim=(0, 1)).double()
    total = float(wide.sum())
    if not total > 0:
        return 0.0
    kx, ky = frequencies((wide.shape[0], wide.shape[1]), otf.pixel_um, half=True, device=wide.device)
    transfer = otf(kx, ky)
    seen = (torch.hypot(kx, ky) > _LOWEST * otf.cutoff) & (transfer > _FAINTEST)
    if not bool(seen.any()):
        return 0.0
    spectrum: Tensor = torch.fft.rfft2(wide)
    noise = (total + wide.numel() * read_noise_e**2) / (photons.shape[0] * photons.shape[1])
    power = (spectrum.real**2 + spectrum.imag**2 - noise).clamp(min=0)
    return float((power[seen].sqrt() / transfer[seen]).max()) / total
