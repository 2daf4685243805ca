"""How much light arrives at each depth of the sample, by how it enters."""

import torch
from torch import Tensor

from rdl_live.optics.incidence import Incidence, Mode
from rdl_live.specimen.depth import Falls, mean_share


def falls_of(light: Incidence | None) -> Falls | None:
    """Return the share of the light at the coverslip that arrives at depths [um]; None where all of it does.

    Evanescent light falls exponentially, a sheet along the coverslip as a Gaussian. Two s-polarised beams keep their
    contrast at every depth.
    """
    if light is None or light.depth_um is None:
        return None
    depth_um, sheet = light.depth_um, light.mode is Mode.GRAZING

    def falls(z_um: Tensor) -> Tensor:
        far = z_um / depth_um
        return torch.exp(-far * far) if sheet else torch.exp(-far)

    return falls


def share_of(light: Incidence | None, depth_um: float) -> float:
    """Return the share of the light of a specimen of some depth [um] that is left where it is lit so."""
    return mean_share(falls_of(light), depth_um)
