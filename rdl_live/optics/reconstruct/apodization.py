"""How the SR image's spectrum ends: the transfer of a reconstruction of perfect data."""

from enum import StrEnum

import torch
from torch import Tensor

from rdl_live.optics.otf import ideal_otf


class Apodization(StrEnum):
    """Shapes; all are 1 at zero frequency, so intensities are kept."""

    OTF = "otf"
    """Ideal OTF of the extended cut-off: the image is the object seen through that OTF. Least ringing."""
    TRIANGLE = "triangle"
    """1 - |k| / cut-off."""
    COSINE = "cosine"
    """cos(pi/2 |k| / cut-off): crisper, with slight ringing."""
    NONE = "none"
    """1 up to the cut-off: for measurements only, rings."""


def apodization(kind: Apodization, k: Tensor, cutoff: float) -> Tensor:
    """Return the target transfer at |k| [cycles/um]; 0 beyond the cut-off."""
    s = (k / cutoff).clamp(max=1)
    if kind is Apodization.OTF:
        return ideal_otf(k, cutoff)
    if kind is Apodization.TRIANGLE:
        return 1 - s
    if kind is Apodization.COSINE:
        return torch.cos(0.5 * torch.pi * s)
    return (s < 1).to(k.dtype)
