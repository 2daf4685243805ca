"""What a super-resolved image is meant to show: the object through an ideal OTF of extended cut-off."""

import torch
from torch import Tensor

from rdl_live.optics.forward import Imaging
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import PatternSet


def extended_cutoff(cutoff: float, patterns: PatternSet) -> float:
    """Return the cut-off of the SR image, detection cut-off + harmonics x mean |k0| [cycles/um]."""
    reach = sum(patterns.harmonics / pattern.period_um for pattern in patterns) / max(len(patterns), 1)
    return cutoff + reach


def sr_target(image: Tensor, otf: Otf, patterns: PatternSet, *, upsample: int, sr_factor: int) -> Tensor:
    """Return the object as a perfect, noise-free SR image would show it.

    Args:
        image: object (..., fine y, fine x), photons per raw pixel area, `upsample` x finer than raw.
        otf: detection OTF; only its cut-off and raw pixel count here.
        patterns: illumination, which sets the extended cut-off.
        upsample: fine pixels per raw pixel, a multiple of `sr_factor`.
        sr_factor: SR pixels per raw pixel.

    Returns:
        (..., sr_factor y, sr_factor x), photons per raw pixel area, corners coincide.
    """
    if upsample % sr_factor:
        raise ValueError(f"upsample {upsample} must be a multiple of the SR factor {sr_factor}")
    ratio = upsample // sr_factor
    shape = (image.shape[-2] // ratio, image.shape[-1] // ratio)
    ideal = Otf(extended_cutoff(otf.cutoff, patterns), otf.pixel_um / sr_factor, integrates=False)
    return Imaging(ideal, shape, upsample=ratio, device=image.device).forward(image.to(torch.float32))
