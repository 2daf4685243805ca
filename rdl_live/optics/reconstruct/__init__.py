"""Wiener reconstruction with the fewest transforms: plan, full and rolling."""

from rdl_live.optics.reconstruct.apodization import Apodization
from rdl_live.optics.reconstruct.plan import Attenuation
from rdl_live.optics.reconstruct.reconstructor import Reconstructor

__all__ = ["Apodization", "Attenuation", "Reconstructor"]
