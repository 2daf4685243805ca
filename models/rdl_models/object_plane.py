"""Our own fast denoiser: a light residual network in the object plane, between two steps of physics.

It never sees raw frames, orientations or phases. The physics before it has projected the series into the object
plane, as Wiener images of different damping on the 2x grid; the physics after it weighs its answer against the data
(see `rdl_live.restore`). So one network serves any number of orientations and phases, any pattern and any pixel.

Pixel-unshuffle by 4, then dense 3x3 convolutions: memory traffic, not arithmetic, decides on a CPU, and this shape
moves the least. The body works on two scales or more, like a U-Net (Ronneberger et al. 2015, arXiv:1505.04597) but with
sums for concatenations: far neighbours of a filament tell more of it than near noise does. There are no norms and no
biases, so f(a x) = a f(x): intensities scale exactly, and noise levels that were not trained are met more gracefully
(Mohan et al. 2020, arXiv:1906.05478).

A second, small head says how wrong the result may be. It reads the body's features and does not change them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdl_models.architecture import Architecture, Image, Scenes, Task, later
from rdl_models.sample import Light, Sample

UNSHUFFLE = 4
"""Pixels (each way) that go into the channels."""
BORDER = 2 * UNSHUFFLE
"""Pixels by which the image is continued periodically: the convolutions see zeros beyond (a third of the time that
periodic convolutions take)."""
LEAST_SPREAD = 0.05
"""Smallest standard error that is given, relative to the expected noise of the Wiener image."""


@dataclass(frozen=True)
class ObjectPlaneConfig:
    """Size of the network."""

    images: int = 3
    """Wiener images in the input, from the sharpest to the smoothest."""
    maps: int = 1
    """Further input channels (noise map)."""
    width: int = 64
    """Channels of the body at its finest scale; each coarser one has twice as many, up to `widest`."""
    widest: int = 0
    """Channels at most; 0 sets no bound."""
    blocks: int = 5
    """Residual blocks of two convolutions at the coarsest scale."""
    levels: int = 1
    """Scales; each is half as fine as the one before."""
    before: int = 1
    """Residual blocks before the coarser scales, at each of the finer ones."""
    after: int = 2
    """Residual blocks after them."""
    spread: int = 0
    """Channels of the head that estimates the error; 0 leaves it out."""
    sampling: float = 0.0
    """Cut-off of its images as a share of their Nyquist frequency: whoever shows them resamples them to it, so that
    structures look the same under all optics; 0 takes them as they come. A little above 1 is a saving: the ideal OTF
    lets next to nothing pass near the cut-off, and what the network does not say there the data do."""

    def __post_init__(self) -> None:
        bounds = {
            "images": (1, 8),
            "maps": (0, 8),
            "width": (1, 512),
            "widest": (0, 1024),
            "blocks": (1, 64),
            "levels": (1, 4),
            "before": (0, 16),
            "after": (0, 16),
            "spread": (0, 256),
        }
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value!r}")
        if not isinstance(self.sampling, int | float) or not (self.sampling == 0 or 0.3 <= self.sampling <= 1.2):
            raise ValueError(f"sampling must be 0 or a number from 0.3 to 1.2, got {self.sampling!r}")
        if 0 < self.widest < self.width:
            raise ValueError(f"widest must be 0 or at least width ({self.width}), got {self.widest}")
        if self.spread and not self.maps:
            raise ValueError("the error is given relative to the noise map, so spread needs maps of at least 1")

    def coarser(self, width: int) -> int:
        """Return the channels of the scale after one of `width` channels."""
        return min(2 * width, self.widest) if self.widest else 2 * width


SHIPPED = ObjectPlaneConfig(width=64, widest=128, blocks=2, levels=3, before=1, after=1, spread=16, sampling=1.1)
"""What is trained by default: parameters at the coarser scales, where they cost little."""
LARGE = ObjectPlaneConfig(width=128, widest=128, blocks=1, levels=3, before=1, after=2, spread=16, sampling=1.1)
"""`rdl-large`: three times the multiplications of `rdl`."""


def _sizes(config: ObjectPlaneConfig) -> str:
    """Name what decides whether networks fit, for a message."""
    names = ("images", "maps", "width", "blocks", "levels")
    return ", ".join(f"{name} {getattr(config, name)}" for name in names)


class Heads(Protocol):
    """Computes what the heads say of cells by other means than torch, where it can; see `rdl_models.quick`."""

    def takes(self, network: "ObjectPlane", cells: Tensor) -> bool:
        """Whether it can compute these cells (n, channels, rows, columns) with the network's present parameters."""

    def __call__(self, cells: Tensor, *, spread: bool) -> tuple[Tensor, Tensor | None]:
        """Return what both heads say, each (n, 16, rows, columns)."""

    def give_back(self) -> None:
        """Free the memory that is kept from one image to the next."""


class ObjectPlane(nn.Module):
    """(n, images + maps, y, x) -> (n, y, x), any y and x; taken as periodic, like the grid that it works on."""

    def __init__(self, config: ObjectPlaneConfig | None = None) -> None:
        """Make a network (`SHIPPED` by default) that at first returns the middle one of its input images."""
        super().__init__()
        self.config = config = config or SHIPPED
        cells = UNSHUFFLE**2
        self.stem = _conv((config.images + config.maps) * cells, config.width)
        self.body = _body(config.width, config)
        self.head = _conv(config.width, cells)
        self.blend = nn.Parameter(torch.eye(config.images)[config.images // 2].clone())
        self.spread = _SpreadHead(config.width, config.spread) if config.spread else None
        self.quick: Heads | None = None
        """Computes in place of torch what it can; `load_weights` sets it."""
        nn.init.zeros_(self.head.weight)
        # Channels last is what CPUs and tensor cores convolve quickest.
        for parameter in self.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    @property
    def sampling(self) -> float:
        """See `ObjectPlaneConfig`."""
        return self.config.sampling

    @property
    def multiple(self) -> int:
        """Sizes [pixels] that are multiples of this fill whole cells on every scale."""
        return UNSHUFFLE << (self.config.levels - 1)

    @property
    def reach(self) -> int:
        """How far the convolutions see, in cells of 4 pixels, rounded up to what the coarsest scale divides by."""
        config, across = self.config, 2 * self.config.blocks
        for _ in range(config.levels - 1):
            # Two cells are one of the coarser scale; the stride itself sees one cell more.
            across = 2 * (config.before + config.after) + 2 * across + 1
        coarsest = 1 << (config.levels - 1)
        return -(-(across + 3) // coarsest) * coarsest

    def forward(self, x: Tensor, strips: int = 1) -> Tensor:
        """Denoise.

        Args:
            x: (n, images + maps, y, x) float32; all channels in the same unit.
            strips: compute so many strips of rows one after the other, each with all that it sees of its neighbours:
                the same image with less memory.

        Returns:
            (n, y, x) float32 in that unit.
        """
        residual, _ = self._stripwise(x, strips, spread=False)
        return self._image(x, residual)

    def with_spread(self, x: Tensor, strips: int = 1) -> tuple[Tensor, Tensor | None]:
        """Denoise, and tell how wrong the result may be.

        Args:
            x: as in `forward`; the first map is the expected noise.
            strips: as in `forward`.

        Returns:
            The image and its standard error, each (n, y, x) float32; None for the error without that head.
        """
        residual, told = self._stripwise(x, strips, spread=True)
        image = self._image(x, residual)
        if self.spread is None or told is None:
            return image, None
        noise = x[:, self.config.images]
        return image, self.spread.combined(_cropped(functional.pixel_shuffle(told.float(), UNSHUFFLE), noise), noise)

    def grown(self, config: ObjectPlaneConfig = SHIPPED) -> "ObjectPlane":
        """Return a network of more scales that has learnt what this one, of one scale, has.

        Its `before` and `after` blocks are the first and the last ones of this network; what the coarser scales say
        counts for nothing yet. Where no block is left over, it gives the same image at first.

        Raises:
            ValueError: this network does not fit into the finest scale of that one.
        """
        mine = self.config
        fits = mine.levels == 1 < config.levels and mine.blocks >= config.before + config.after
        if not fits or (mine.images, mine.maps, mine.width) != (config.images, config.maps, config.width):
            raise ValueError(
                f"a network of {_sizes(mine)} does not grow into one of {_sizes(config)}: it needs the same images, "
                f"maps and width, one level, and at least {config.before + config.after} blocks"
            )
        larger = ObjectPlane(config)
        scale, blocks = larger.body, list(self.body.children())
        if not isinstance(scale, _Scale):
            raise ValueError(f"a network of {_sizes(config)} has one scale only")
        scale.before, scale.after = (
            nn.Sequential(*blocks[: config.before]),
            nn.Sequential(*blocks[mine.blocks - config.after :]),
        )
        nn.init.zeros_(scale.up.weight)
        larger.stem, larger.head, larger.blend = self.stem, self.head, self.blend
        return larger

    def new_spread(self, hidden: int) -> None:
        """Put a new head of so many channels, which knows nothing yet, in place of the one that estimates the error.

        Raises:
            ValueError: so many channels make no head.
        """
        self.config = replace(self.config, spread=hidden)
        self.spread = _SpreadHead(self.config.width, hidden) if hidden else None

    def scale_error(self, factor: float) -> None:
        """Give errors so many times as large from now on; nothing where none are estimated."""
        if self.spread is not None:
            with torch.no_grad():
                self.spread.share.mul_(factor)
                self.spread.second.weight.mul_(factor)

    def _stripwise(self, x: Tensor, strips: int, *, spread: bool) -> tuple[Tensor, Tensor | None]:
        """Return what both heads say, (n, 16, rows, columns) cells of the bordered image."""
        coarsest = 1 << (self.config.levels - 1)
        kind = x.device.type
        if torch.is_autocast_enabled(kind):
            x = x.to(torch.get_autocast_dtype(kind))  # what the first convolution would do, to half the bytes
        bordered = _bordered(x, UNSHUFFLE * coarsest)
        cells = functional.pixel_unshuffle(bordered, UNSHUFFLE)
        rows = cells.shape[-2]
        step = -(-rows // (max(1, strips) * coarsest)) * coarsest
        if step >= rows:
            return self._heads(cells, spread=spread)
        images, errors = [], []
        for first in range(0, rows, step):
            low, high = max(0, first - self.reach), min(rows, first + step + self.reach)
            image, told = self._heads(cells[..., low:high, :], spread=spread)
            own = slice(first - low, min(first + step, rows) - low)
            images.append(image[..., own, :])
            if told is not None:
                errors.append(told[..., own, :])
        return torch.cat(images, dim=-2), torch.cat(errors, dim=-2) if errors else None

    def _heads(self, cells: Tensor, *, spread: bool) -> tuple[Tensor, Tensor | None]:
        if self.quick is not None and self.quick.takes(self, cells):
            return self.quick(cells, spread=spread and self.spread is not None)
        return self.by_torch(cells, spread=spread)

    def by_torch(self, cells: Tensor, *, spread: bool) -> tuple[Tensor, Tensor | None]:
        """Return what both heads say of cells (n, channels, rows, columns), each (n, 16, rows, columns)."""
        cells = cells.contiguous(memory_format=torch.channels_last)
        features: Tensor = self.body(functional.relu(self.stem(cells), inplace=True))
        told = self.spread(features.detach()) if spread and self.spread is not None else None
        return self.head(features), told

    def _image(self, x: Tensor, residual: Tensor) -> Tensor:
        """Add the residual of the cells to the input's images."""
        shuffled = _cropped(functional.pixel_shuffle(residual.float(), UNSHUFFLE), x)
        return torch.einsum("nixy,i->nxy", x[:, : self.config.images], self.blend) + shuffled


class _Scale(nn.Module):
    """Blocks at one scale around all that is coarser."""

    def __init__(self, width: int, config: ObjectPlaneConfig, levels: int) -> None:
        super().__init__()
        self.before = nn.Sequential(*(_Block(width) for _ in range(config.before)))
        coarse = config.coarser(width)
        self.down = nn.Conv2d(width, coarse, 2, stride=2, bias=False)
        self.inner = _body(coarse, config, levels - 1)
        self.up = nn.Conv2d(coarse, 4 * width, 1, bias=False)
        self.after = nn.Sequential(*(_Block(width) for _ in range(config.after)))
        nn.init.kaiming_normal_(self.down.weight, nonlinearity="linear")
        nn.init.normal_(self.up.weight, std=0.3 / math.sqrt(coarse))

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (n, width, rows, columns)."""
        fine = self.before(x)
        coarse = self.inner(self.down(fine))
        result: Tensor = self.after(functional.pixel_shuffle(self.up(coarse), 2).add_(fine))
        return result


class _SpreadHead(nn.Module):
    """Features to standard errors; positive, and of the first degree like everything here."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.first, self.second = _conv(width, hidden), _conv(hidden, UNSHUFFLE**2)
        self.share = nn.Parameter(torch.tensor(0.7))
        with torch.no_grad():
            self.second.weight *= 0.1

    def forward(self, features: Tensor) -> Tensor:
        """(n, width, rows, columns) -> (n, 16, rows, columns)."""
        told: Tensor = self.second(functional.relu(self.first(features)))
        return told

    def combined(self, told: Tensor, noise: Tensor) -> Tensor:
        """Return the error (n, y, x): a share of the expected noise and what the features tell, never quite zero."""
        return torch.hypot(self.share * noise + told, LEAST_SPREAD * noise)


def _body(width: int, config: ObjectPlaneConfig, levels: int | None = None) -> nn.Module:
    """Return all scales from this one on."""
    levels = config.levels if levels is None else levels
    if levels == 1:
        return nn.Sequential(*(_Block(width) for _ in range(config.blocks)))
    return _Scale(width, config, levels)


class _Block(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _conv(width, width), _conv(width, width)
        # Starts as a small change to the identity, so that depth does not hurt the first steps.
        with torch.no_grad():
            self.second.weight *= 0.1

    def forward(self, x: Tensor) -> Tensor:
        # In place, also with gradients: a convolution does not look at its result again, and new memory costs more
        # than the sum.
        changed: Tensor = self.second(functional.relu(self.first(x), inplace=True))
        return changed.add_(x)


def _conv(channels_in: int, channels_out: int) -> nn.Conv2d:
    conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return conv


def _bordered(x: Tensor, multiple: int) -> Tensor:
    """Mirror the last rows and columns until both sizes are multiples, and add the periodic border."""
    rows, columns = x.shape[-2:]
    more = (-columns % multiple, -rows % multiple)
    if any(more):
        mode = "reflect" if min(rows, columns) > multiple else "replicate"
        x = functional.pad(x, (0, more[0], 0, more[1]), mode=mode)
    mode = "circular" if min(x.shape[-2:]) >= BORDER else "replicate"
    return functional.pad(x, (BORDER,) * 4, mode=mode)


def _cropped(image: Tensor, like: Tensor) -> Tensor:
    """Return the inside of a bordered image (n, 1, rows, columns), in the rows and columns of `like`."""
    rows, columns = like.shape[-2:]
    return image[:, 0, BORDER : BORDER + rows, BORDER : BORDER + columns]


def _sample(config: ObjectPlaneConfig) -> tuple[Sample, ...]:
    return (Light().images("images", config.images + config.maps),)


def _fields(wanted: Mapping[str, Any], _scenes: Scenes) -> dict[str, Any]:
    """Other sizes keep the shipped network's other settings."""
    return {**vars(SHIPPED), **wanted}


ARCHITECTURE = Architecture(
    name="object-plane",
    config=ObjectPlaneConfig,
    network=ObjectPlane,
    takes=Image.OBJECT_PLANE,
    gives=Image.OBJECT_PLANE,
    task=Task.OBJECT_PLANE,
    words="denoises SIM series in the object plane: Wiener images and a noise map in, a denoised image out",
    sample=_sample,
    fields=_fields,
    prepare=later("rdl_models.quick", "quicken"),
    learning_rate=1.5e-3,
    sees_patterns=False,
)
