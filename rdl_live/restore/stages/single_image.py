"""Super-resolution by a network alone, from the widefield image or the frames of a series: DFCAN and its like.

Nothing holds such an image to the data: what it shows beyond the diffraction limit the network has guessed. The
classical image is given beside it, to compare.
"""

import torch
from torch import Tensor

from rdl_live.errors import ConfigError
from rdl_live.optics.microscope import Microscope
from rdl_live.restore.live import quick_half
from rdl_live.restore.ranges import check_microscope, check_photons
from rdl_live.restore.restored import SIGMA, SR, Restored
from rdl_live.restore.stage import Context, StageKind, Unit
from rdl_live.restore.warn_once import WarnOnce
from rdl_models import Card, Network, Task, Weights
from rdl_models.sr.network import SrNetwork
from rdl_models.sr.tiles import by_tiles, tile_for

FREE_BYTES = 2 * 2**30
"""Memory for features on a CPU; larger fields are computed in tiles, exactly as in one piece."""
_GPU_SHARE = 0.7
LEAST_MEAN = 0.01
"""Photons a pixel that count as the mean of the dimmest image."""


class SingleImage:
    """See `rdl_live.restore.stage.Stage`, which it fulfils."""

    has_deferred = False

    def __init__(self, weights: Weights, context: Context) -> None:
        """Take the network.

        Raises:
            ConfigError: the network is not made for this microscope.
        """
        self._network, self._card, self._warn = weights.network, weights.card, WarnOnce(context.warn)
        self._half = quick_half(context.device)
        frames, factor = context.scope.pattern.frames, context.scope.pattern.sr_factor
        config = self._network.config
        if config.channels not in (1, frames):
            raise ConfigError(
                f"weights {self.name!r} take {config.channels} frames, the microscope {context.scope.name!r} gives "
                f"{frames} a series; use others, or weights that take the widefield image (1 frame)"
            )
        if factor > 1 and config.scale != factor:
            raise ConfigError(
                f"weights {self.name!r} make images {config.scale} times as fine as the camera's, the images of "
                f"{context.scope.name!r} are {factor} times as fine; use others"
            )
        for channel in context.channels:
            self._warn(check_microscope(self._card, context.scope, channel))

    @property
    def name(self) -> str:
        """Name of the weights."""
        return self._card.name

    def restore(self, unit: Unit) -> Restored:
        """Return the network's image, and that of the physics."""
        frames = unit.photons.flatten(0, 1)
        one = self._network.config.channels == 1
        # An average of frames is as free of noise as an image of their sum.
        self._warn(check_photons(self._card, float(frames.mean()) * (len(frames) if one else 1)))
        shown = frames.mean(dim=0, keepdim=True) if one else frames
        image, sigma = with_error(self._network, shown, half=self._half)
        images = {SR: image} if sigma is None else {SR: image, SIGMA: sigma}
        sim = unit.sim()
        return Restored(images if sim is None else {unit.image: sim, **images}, SR)

    def run_deferred(self) -> None:
        """Nothing is put off."""


def super_resolved(network: Network, frames: Tensor, *, half: bool = False) -> Tensor:
    """Return frames (channels, y, x) of photons as one image (scale y, scale x) of photons a raw pixel area.

    The network is given them in units of their mean, as it was trained.
    """
    return with_error(network, frames, half=half)[0]


@torch.no_grad()
def with_error(network: Network, frames: Tensor, *, half: bool = False) -> tuple[Tensor, Tensor | None]:
    """Return what `super_resolved` does, and the standard error that is expected of it; None where that is not known.

    The error is what is usual for images like those that the network has learnt from.
    """
    mean = frames.mean().clamp(min=LEAST_MEAN)
    x = frames[None] / mean
    with torch.autocast(frames.device.type, torch.bfloat16, enabled=half):
        image = _image(network, x).float()
        sigma = network.spread_of(x, image[None]) if isinstance(network, SrNetwork) else None
    return image * mean, None if sigma is None else sigma[0].float() * mean


def _image(network: Network, x: Tensor) -> Tensor:
    """Return the network's image of (1, channels, y, x), in tiles where the memory does not hold all at once."""
    if not isinstance(network, SrNetwork):  # another package's
        whole: Tensor = network(x)[0]
        return whole
    free = FREE_BYTES if x.device.type == "cpu" else _GPU_SHARE * torch.cuda.mem_get_info(x.device)[0]
    return by_tiles(network, x, tile_for(network, (x.shape[-2], x.shape[-1]), free))[0]


def _make(weights: Weights | None, context: Context) -> SingleImage:
    if weights is None:
        raise ConfigError("super-resolution needs weights")
    return SingleImage(weights, context)


def _as_the_network(card: Card | None, scope: Microscope) -> int:
    """Single frames have no grid of their own that the network's image would have to lie on."""
    factor = scope.pattern.sr_factor
    return factor if card is None or factor > 1 else int(card.config["scale"])


KIND = StageKind("super-resolution", _make, Task.SUPER_RESOLUTION, _as_the_network)
