"""Where the frequencies of a band lie: in the tables of its OTF, and in the finer image's spectrum."""

import torch

from rdl_live.optics.stack.bands import Lateral, StackGrid, signed
from rdl_live.optics.stack.transfer import StackOtf


def lateral(otf: StackOtf, grid: StackGrid, carrier: tuple[float, float]) -> Lateral:
    """Return where a band of a carrier (kx, ky) lies: the object's frequency k is seen at k + carrier."""
    (_, rows, columns), pixel = grid.padded, grid.pixel_um
    u = signed(rows, -round(carrier[1] * rows * pixel))
    v = signed(columns, -round(carrier[0] * columns * pixel))
    ky = u.double()[:, None] / (rows * pixel) + carrier[1]
    kx = v.double()[None, :] / (columns * pixel) + carrier[0]
    position = torch.hypot(kx, ky) / otf.spacing
    factor = otf.damping(kx, ky)
    last = round(otf.lateral.cutoff / otf.spacing) - 1
    low = position.floor().clamp(max=last).long()
    share = (position - low).clamp(0, 1)
    return Lateral(low, share.float(), factor.float(), u, v)
