"""CARE in a live run: single frames at once, with how sure it is of each pixel; z-stacks when they are complete.

An image of a stack is not there before its last plane. So with weights for stacks the recorded image is what the camera
gave, and beside it stands the restored plane of the last whole stack: with the last plane of a stack that stack, from
the second one on, as the first one tells which plane is the last.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rdl_live.errors import ConfigError
from rdl_live.optics.microscope import Microscope
from rdl_live.restore.ranges import check_microscope
from rdl_live.restore.restored import SIGMA, WIDEFIELD, Restored
from rdl_live.restore.stage import Context, StageKind, Unit
from rdl_live.restore.warn_once import WarnOnce
from rdl_models import Card, Care, Task, Weights
from rdl_models.care import parts_of
from rdl_models.care_tiles import by_blocks, tile_for

RESTORED, LAST_STACK = "restored", "last stack restored"
FREE_BYTES = 2**30
"""Memory for features; larger fields are computed in blocks."""
MOST_PLANES = 256


class Restoration:
    """See `rdl_live.restore.stage.Stage`, which it fulfils."""

    has_deferred = False

    def __init__(self, weights: Weights, context: Context) -> None:
        """Take the networks.

        Raises:
            ConfigError: the microscope gives series of several frames, or is not the one of the weights.
        """
        self._network: Care = weights.network
        self._card, self._camera, self._warn = weights.card, context.scope.camera, WarnOnce(context.warn)
        if context.scope.pattern.frames != 1:
            raise ConfigError(
                f"weights {self.name!r} restore single frames, the microscope {context.scope.name!r} gives "
                f"{context.scope.pattern.frames} a series (modality {context.scope.modality}); use --denoise rdl, "
                "or a microscope file with modality: widefield"
            )
        for channel in context.channels:
            self._warn(check_microscope(self._card, context.scope, channel))
        if not self._network.config.relative:
            self._warn([f"weights {self.name!r} give values in the unit of their pairs, which need not be photons"])
        self._stacks: dict[tuple[str, int], dict[int, Tensor]] = {}
        self._whole: dict[tuple[str, int], dict[int, Tensor]] = {}
        self._last: dict[tuple[str, int], int] = {}
        """Number of the last plane of a stack, as far as it is known."""

    @property
    def name(self) -> str:
        """Name of the weights."""
        return self._card.name

    def restore(self, unit: Unit) -> Restored:
        """Return what the camera gave, and that restored."""
        frame = unit.photons.flatten(0, 1).mean(dim=0)
        shown = unit.sim()
        images = {unit.image if shown is not None else WIDEFIELD: frame if shown is None else shown}
        main = next(iter(images))
        if self._network.config.dims == 3:
            return Restored({**images, **self._of_stack(unit, frame)}, main)
        return Restored({**images, **self._of_frame(frame)}, RESTORED)

    def run_deferred(self) -> None:
        """Nothing is put off."""

    def _of_frame(self, frame: Tensor) -> Mapping[str, Tensor]:
        parts = dict(zip(parts_of(self._network.config), self._said(frame), strict=True))
        # Elsewhere sigma is a standard error, and that of a Laplace distribution is sqrt(2) of its scale.
        return {name: math.sqrt(2) * part if name == SIGMA else part for name, part in parts.items()}

    def _of_stack(self, unit: Unit, frame: Tensor) -> Mapping[str, Tensor]:
        """Collect planes; a stack is whole with its last plane, or when an earlier plane comes again."""
        position, plane = unit.place
        key = (unit.channel.name, position)
        planes = self._stacks.setdefault(key, {})
        if planes and plane <= max(planes):
            self._ends(key)
        if len(planes) < MOST_PLANES:
            planes[plane] = frame.clone()
        if plane == self._last.get(key):
            self._ends(key)
        image = self._whole.get(key, {}).get(plane)
        return {} if image is None else {LAST_STACK: image}

    def _ends(self, key: tuple[str, int]) -> None:
        """Restore a stack; a plane that was lost counts as what lies between its neighbours, and is not shown."""
        planes = self._stacks[key]
        first, last = min(planes), max(planes)
        self._last[key] = max(last, self._last.get(key, 0))
        if last > first:
            there = sorted(planes)
            numbers = range(first, last + 1)
            said = self._said(torch.stack([_between(planes, there, number) for number in numbers]))[0]
            self._whole[key] = {number: said[number - first] for number in there}
        planes.clear()

    @torch.no_grad()
    def _said(self, photons: Tensor) -> Tensor:
        """Return what the networks say of photons (z,) y, x: (parts, ...)."""
        config, camera = self._network.config, self._camera
        values = photons.float()
        if not config.relative:
            # Their pairs were values of files: counts of the camera.
            values = values / (camera.gain_e_per_adu or 1.0) + camera.offset_adu
        tile = tile_for(config, tuple(values.shape), FREE_BYTES)
        return by_blocks(self._network, values[None, None], tile)[0]


def _between(planes: Mapping[int, Tensor], there: Sequence[int], number: int) -> Tensor:
    """Return a plane, or the line between its nearest neighbours on both sides."""
    if number in planes:
        return planes[number]
    after = bisect_left(there, number)
    low, high = there[after - 1], there[after]
    return torch.lerp(planes[low], planes[high], (number - low) / (high - low))


def _make(weights: Weights | None, context: Context) -> Restoration:
    if weights is None:
        raise ConfigError("content-aware restoration needs weights")
    return Restoration(weights, context)


def _as_the_camera(_card: Card | None, _scope: Microscope) -> int:
    return 1


KIND = StageKind("restoration", _make, Task.RESTORATION, _as_the_camera)
