"""The training of CARE, as the engine wants it: whatever the pairs come from."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rdl_live.train.care.settings import CareLoss, CareSettings
from rdl_live.train.care.source import PairSource
from rdl_live.train.loop.processes import Processes
from rdl_live.train.loop.task import MAIN, Judged, Pictures, TrainingTask
from rdl_models import Care, Network
from rdl_models.laplace import negative_log_likelihood

_MOST_PICTURES = 4


@dataclass(frozen=True)
class CareBatch:
    """What is shown and the targets, (n, 1, [z,] y, x)."""

    low: Tensor
    high: Tensor

    def to(self, device: torch.device | str) -> "CareBatch":
        """Return the batch on another device."""
        return CareBatch(self.low.to(device), self.high.to(device))

    def part(self, index: int, count: int) -> "CareBatch":
        """Return one of `count` equal parts."""
        size = len(self.low) // count
        return CareBatch(self.low[index * size : (index + 1) * size], self.high[index * size : (index + 1) * size])


@dataclass(frozen=True)
class JudgedCare:
    """A batch restored and compared."""

    loss: Tensor
    gain: float
    """Root mean square error relative to that of what was shown, brought to the unit of the target."""


class CareTask(TrainingTask[CareBatch]):
    """Trains all networks of an ensemble at once, each on patches of its own."""

    def __init__(self, network: Callable[[], Care], source: PairSource, settings: CareSettings) -> None:
        """Prepare.

        Args:
            network: makes the networks; is called after the seed is set.
            source: of the pairs.
            settings: how.
        """
        self.settings: CareSettings = settings
        self._network, self._source = network, source
        self._tiles = [_batch([pair]) for pair in source.held]

    def networks(self) -> Mapping[str, Network]:
        """See `TrainingTask`."""
        return {MAIN: self._network()}

    @contextmanager
    def batches(self, processes: Processes) -> Iterator[Callable[[int], CareBatch]]:
        """See `TrainingTask`."""

        def draw(step: int) -> CareBatch:
            rng = np.random.default_rng([self.settings.seed, step, processes.rank])
            count = self.settings.batch * self.settings.members
            return _batch([self._source.turned(self._source.patch(rng), rng) for _ in range(count)])

        yield draw

    def judge(self, turn: str, networks: Mapping[str, Network], batch: CareBatch) -> Judged:
        """See `TrainingTask`."""
        network: Care = networks[turn]
        count, gains = len(network.members), []
        loss = torch.zeros((), device=batch.low.device)
        for index in range(count):
            part = batch.part(index, count)
            found, target = self._found(network, part, index)
            loss = loss + self._learnt(network, part, *found, target)
            gains.append(float(_ratio(found[0].detach(), target, part).sqrt().mean()))
        return JudgedCare(loss / count, float(np.mean(gains)))

    def errors(self, network: Network) -> Tensor:
        """Return the loss of every held-out patch, relative to that of what was shown; a likelihood as it is."""
        return torch.stack([self._error(network, tile) for tile in self._on(network)]).cpu()

    def ratios(self, network: Network) -> Tensor:
        """Return the mean square error of every held-out patch relative to that of what was shown, (tiles,)."""
        found = []
        for tile in self._on(network):
            said, target = self._said(network, tile)
            found.append(_ratio(said[0].mean(dim=0), target, tile))
        return torch.cat(found).cpu()

    def identity(self) -> dict[str, Any]:
        """See `TrainingTask`."""
        return dict(self._source.identity())

    def pictures(self, started: Network, present: Network, judged: Any) -> Pictures:
        """What was shown, restored and wanted, for some held-out patches; the middle planes of stacks."""
        rows = []
        for tile in self._on(present)[:_MOST_PICTURES]:
            with torch.no_grad():
                made = present(tile.low)[:, :1]
            shown = _brought(tile.low, tile.high)
            rows.append([_plane(one) for one in (shown, made, tile.high)])
        # Held-out patches of small fields differ in size; a picture has one.
        sides = [min(row[0].shape[axis] for row in rows) for axis in (0, 1)] if rows else [0, 0]
        return [[one[: sides[0], : sides[1]] for one in row] for row in rows]

    def held_out(self, network: Network) -> Iterator[tuple[Tensor, Tensor]]:
        """Give what the networks say of each held-out patch (parts, ...), and the target (...), in its normalised unit.

        Scales and distances are then in units of the span of the targets.
        """
        for tile in self._on(network):
            with torch.no_grad():
                made = network(tile.low)[0]
            span = network.unit_of(tile.low).flatten()[0] * network.config.output_scale
            yield torch.cat([made[:2] / span, made[2:]]).cpu(), (tile.high[0, 0] / span).cpu()

    def _on(self, network: Network) -> list[CareBatch]:
        device = next(network.parameters()).device
        return [tile.to(device) for tile in self._tiles]

    def _error(self, network: Network, tile: CareBatch) -> Tensor:
        (means, scales), target = self._said(network, tile)
        if self.settings.loss is CareLoss.LAPLACE:
            return torch.stack(
                [self._distance(mean, scale, target) for mean, scale in zip(means, scales, strict=True)]
            ).mean()
        return _ratio(means.mean(dim=0), target, tile).mean()

    def _said(self, network: Care, tile: CareBatch) -> tuple[tuple[Tensor, Tensor], Tensor]:
        shown, target = _normalised(network, tile)
        with torch.no_grad():
            return network.normalised(shown), target

    def _found(self, network: Care, part: CareBatch, index: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
        shown, target = _normalised(network, part)
        return network.said(network.members[index], shown), target

    def _learnt(self, network: Care, part: CareBatch, mean: Tensor, scale: Tensor, target: Tensor) -> Tensor:
        """Return what is minimised.

        A likelihood is weighed with each pixel's own scale (Seitzer et al. 2022, arXiv:2203.09168, beta = 1): its
        optimum stays where it is, and the mean learns as from absolute errors; unweighed, the surest pixels of the
        background outvote all others. Where pairs are of any amount of light, errors count relative to those of what
        was shown, so that all of them count alike.
        """
        if self.settings.loss is CareLoss.MSE:
            each = (mean - target).square()
        elif self.settings.loss is CareLoss.MAE:
            each = (mean - target).abs()
        else:
            each = negative_log_likelihood(mean, scale, target) * scale.detach()
        if not network.config.relative:
            return each.mean()
        shown = (_brought(part.low, target) - target).abs()
        axes = tuple(range(1, target.ndim))
        reference = shown.square() if self.settings.loss is CareLoss.MSE else shown
        least = 1e-3 * target.abs().mean(dim=axes) + 1e-9
        return (each.mean(dim=axes) / (reference.mean(dim=axes) + least)).mean()

    def _distance(self, mean: Tensor, scale: Tensor, target: Tensor) -> Tensor:
        if self.settings.loss is CareLoss.LAPLACE:
            return negative_log_likelihood(mean, scale, target).mean()
        if self.settings.loss is CareLoss.MSE:
            return (mean - target).square().mean()
        return (mean - target).abs().mean()


def _normalised(network: Care, batch: CareBatch) -> tuple[Tensor, Tensor]:
    """Return what is shown and the targets as the networks see them."""
    config = network.config
    factor = network.unit_of(batch.low)
    shown = (batch.low / factor - config.input_offset) / config.input_scale
    return shown, (batch.high / factor - config.output_offset) / config.output_scale


def _ratio(found: Tensor, target: Tensor, batch: CareBatch) -> Tensor:
    """Return the mean square error relative to that of what was shown, both (n,)."""
    shown = _brought(batch.low, target)
    axes = tuple(range(1, target.ndim))
    least = 1e-6 * target.square().mean(dim=axes) + 1e-12
    return ((found - target).square().mean(dim=axes) + least) / ((shown - target).square().mean(dim=axes) + least)


def _brought(low: Tensor, high: Tensor) -> Tensor:
    """Return images brought to the unit of their targets: a low + b by least squares, each by itself."""
    axes = tuple(range(1, low.ndim))
    mean_low, mean_high = low.mean(dim=axes, keepdim=True), high.mean(dim=axes, keepdim=True)
    both = ((low - mean_low) * (high - mean_high)).mean(dim=axes, keepdim=True)
    slope = both / (low - mean_low).square().mean(dim=axes, keepdim=True).clamp(min=1e-12)
    return slope * (low - mean_low) + mean_high


def _plane(images: Tensor) -> Tensor:
    """Return the (middle) plane of the first of them, (y, x)."""
    image = images[0, 0]
    return (image[len(image) // 2] if image.ndim == 3 else image).cpu()


def _batch(pairs: list[tuple[Tensor, Tensor]]) -> CareBatch:
    return CareBatch(torch.stack([low for low, _ in pairs])[:, None], torch.stack([high for _, high in pairs])[:, None])
