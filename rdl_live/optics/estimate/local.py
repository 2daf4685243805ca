"""Where in the field an orientation's stripes are, and where they are not, or out of step.

Where bands overlap, the sideband is z times the widefield moved by k0, at every place of the field. Its product with
that, brought to real space and summed over surroundings, gives z place by place. Beams that do not overlap everywhere,
a drift within the series or an aberration make z smaller there, or turn it; combined with the z of the whole field, the
sideband then adds ghosts. A field whose parts agree is left alone: only what noise cannot explain, in a good part of
what the field shows, counts as disagreement. A steady turn across the field is not seen: k0 takes it up.
"""

import torch
from torch import Tensor
from torch.nn import functional

from rdl_live.optics.estimate.bands import Bands, over_time, power
from rdl_live.optics.estimate.refine import Overlap

SIDE = 16
"""Parts of the field each way."""
_SURROUNDINGS = 2.0
"""Standard deviation of the surroundings of a part, in parts."""
_WEAK = 0.5
"""Share of the whole field's z, in its phase, below which a part does not carry the pattern."""
_SIGMAS = 4.0
_LEAST_PART = 0.1
"""Share of the field, weighed by the widefield's structure, from which disagreement counts."""
_SPREAD = 0.3
"""Spread of the shares beforehand: uncertain parts are like all."""

Shares = tuple[tuple[float, ...], ...]


def local_shares(bands: Bands, orientation: int, overlap: Overlap, relative: float = 1.0) -> Shares:
    """Return which share of an orientation's modulation the parts of the field carry, in its phase.

    Args:
        bands: separated bands.
        orientation: which.
        overlap: of the refined wave vector.
        relative: modulation of the whole field relative to the one that is assumed.

    Returns:
        (rows, columns) from 0 to 1, relative to the assumed modulation; empty where the parts agree.
    """
    there = overlap.weighted_there
    side = torch.fft.ifft2(overlap.cut(bands.spectra[1][:, orientation]) * there)
    wide = torch.fft.ifft2(overlap.moved(bands.widefield, overlap.k0).mul_(overlap.weighted_here))
    product, strength = over_time(side * wide.conj()), over_time(power(wide))
    total = complex(product.sum())
    if total == 0 or min(product.shape) < SIDE:
        return ()
    along = _parts((product * complex(total.conjugate() / abs(total))).real)
    known = _parts(strength)
    # White noise of this density in the band, as far as it has the pattern's phase.
    noise = power(there) * (float(bands.floor[orientation]) / bands.phases)
    density = float(noise.square().sum() / noise.sum()) / noise.numel() / 2
    known = known.clamp(min=1e-6 * float(known.max()))
    whole = abs(total) / float(strength.sum())
    share = relative * along / known / whole
    # The surroundings' weights, squared, add up to that of this many parts.
    sigma = (density / known / (4 * torch.pi * _SURROUNDINGS**2)).sqrt() / whole * relative
    lacking = (share < _WEAK) & (1 - share > _SIGMAS * sigma)
    if float(known[lacking].sum()) < _LEAST_PART * float(known.sum()):
        return ()
    believed = (share / sigma**2 + 1 / _SPREAD**2) / (1 / sigma**2 + 1 / _SPREAD**2)
    return tuple(tuple(float(one) for one in row) for row in believed.clamp(0, 1))


def _parts(image: Tensor) -> Tensor:
    """Return the sums of an image (y, x) over the parts of the field, with their surroundings, (SIDE, SIDE) float64."""
    sums = functional.adaptive_avg_pool2d(image[None, None].double(), SIDE) * (image.numel() / SIDE**2)
    reach = round(3 * _SURROUNDINGS)
    steps = torch.arange(-reach, reach + 1, dtype=torch.float64, device=image.device)
    kernel = torch.exp(-0.5 * (steps / _SURROUNDINGS) ** 2)
    kernel /= kernel.sum()
    lines = functional.conv2d(sums, kernel[None, None, None, :], padding=(0, reach))
    found: Tensor = functional.conv2d(lines, kernel[None, None, :, None], padding=(reach, 0))[0, 0]
    return found
