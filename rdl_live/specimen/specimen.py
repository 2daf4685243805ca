"""A living specimen: structures, their haze and the dye around them, at any moment, on a fine grid.

A frame of 1024 x 1024 fine pixels takes 4 to 20 ms on one CPU thread, by kind, at the usual density.
"""

import math
import zlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from rdl_live.specimen.aggregates import aggregates
from rdl_live.specimen.cloud import Cloud
from rdl_live.specimen.depth import Falls, heights, mean_share, slabs
from rdl_live.specimen.domain import Domain
from rdl_live.specimen.motion import Trajectories
from rdl_live.specimen.registry import builder
from rdl_live.specimen.settings import SpecimenSettings
from rdl_live.specimen.splat import blur_matrix, splat

Draw = Callable[[Tensor, Tensor], Tensor]
"""(n, 2) positions [um] and (n,) weights -> image of the view."""

MARGIN_UM = 1.0
"""How far the domain reaches beyond the view on every side [um]."""
DEFOCUS_UM = ((0.5, 0.45), (1.5, 0.55))
"""Blur of the planes out of focus (standard deviation [um]) and their shares of the haze."""
DYE_BLUR_UM = 1.2
GLOW_BLUR_UM = 2.5
CELL_BLUR_UM = 2.0
CELL_EDGE = 0.08
"""Steepness of a cell's edge, in deviations of the noise whose level it is: some tenths of a um."""
DEFOCUS_BLUR = 0.35
"""Growth of the blur with distance from focus [um standard deviation per um]: the ray cone's, softened."""
BEYOND = 0.01
"""What is left beyond the edge, relative to the cell."""
COARSE_UM = 0.1
"""Grid on which what is blurred is drawn [um]."""


class Specimen:
    """Relative fluorophore density in a view; `density` and `haze` together have the mean 1 at time 0."""

    def __init__(self, settings: SpecimenSettings, shape: tuple[int, int], pixel_um: float, beyond_px: int = 0) -> None:
        """Grow the specimen.

        Args:
            settings: what to grow. The same settings, shape and pixel give the same specimen.
            shape: (y, x) of the view, fine pixels.
            pixel_um: fine pixel [um], about a quarter of the raw one.
            beyond_px: fine pixels beyond the view, on every side, that are drawn as well, at most `MARGIN_UM` of them:
                for whoever joins views. The specimen is the same.

        Raises:
            ValueError: an empty view, a pixel that is not positive, or more beyond the view than there is.
        """
        if min(shape) < 1 or not pixel_um > 0:
            raise ValueError(f"a specimen needs a view and a pixel above 0, got {shape} pixels of {pixel_um} um")
        margin = math.ceil(MARGIN_UM / pixel_um)
        if not 0 <= beyond_px <= margin:
            raise ValueError(f"0 to {margin} pixels lie beyond the view, got {beyond_px}")
        self.settings = settings
        self.shape = (shape[0] + 2 * beyond_px, shape[1] + 2 * beyond_px)
        """(y, x) of what is drawn."""
        self.pixel_um = pixel_um
        self._margin = margin - beyond_px
        self._grid = (shape[0] + 2 * margin, shape[1] + 2 * margin)
        self._size_um = (self._grid[0] * pixel_um, self._grid[1] * pixel_um)
        self._coarse = (math.ceil(self._size_um[0] / COARSE_UM), math.ceil(self._size_um[1] / COARSE_UM))
        self._focus = self._structures()
        self._planes = [
            (share, _Layer(self._grow(f"plane {sigma_um}"), self._drawer(sigma_um)))
            for sigma_um, share in DEFOCUS_UM
            if settings.haze > 0
        ]
        self._dye = self._grow_dye() if settings.background > 0 else None
        self._cell = self._grow_cell() if settings.cell < 1 else None
        self._glow = self._grow_glow() if settings.glow > 0 else None

    def density(self, time_s: float = 0.0) -> Tensor:
        """Return what is in focus at a time [s], (y, x) float32, at least 0.

        Mean at time 0: (1 - haze) (1 - glow), or less where a cell covers only part of the field.
        """
        return self._in_focus([layer.at(time_s) for _, layer in self._focus], time_s)

    @property
    def slabs_um(self) -> list[tuple[float, float]]:
        """Lower and upper edge of the slabs that are drawn apart [um]; one where there is no depth."""
        return slabs(self.settings.depth_um)

    def slab(self, number: int, time_s: float = 0.0, falls: Falls | None = None) -> Tensor:
        """Return what of structures and dye lies in a slab, as it is lit there, (y, x) float32.

        In even light all slabs together are what `density` gives.

        Args:
            number: of the slab, from the coverslip.
            time_s: time [s].
            falls: how the light falls with depth; None: it does not.
        """
        if self.settings.depth_um == 0:
            return self.density(time_s)
        low, high = self.slabs_um[number]
        images = [layer.at(time_s, (low, high), falls) for _, layer in self._focus]
        return self._in_focus(images, time_s, self._dye_share(low, high, falls))

    def _dye_share(self, low: float, high: float, falls: Falls | None) -> float:
        """Return the share of the dye in the cytosol that lies in a slab, as it is lit there."""
        thick = (high - low) / self.settings.depth_um
        return thick * mean_share(None if falls is None else lambda z: falls(low + z), high - low)

    def _in_focus(self, layers: list[Tensor], time_s: float, dye: float = 1.0) -> Tensor:
        """Return layers as one image, with their shares, the dye and the cell."""
        image = layers[0] * self._focus[0][0]
        for (share, _), layer in zip(self._focus[1:], layers[1:], strict=True):
            image = image.add(layer, alpha=share)
        if self._dye is not None:
            image = torch.lerp(image, self._dye * dye, self.settings.background)
        if self._cell is not None:
            image = image * self._cell
        return image * ((1 - self.settings.haze) * (1 - self.settings.glow) * self._bleaching(time_s))

    def haze(self, time_s: float = 0.0, falls: Falls | None = None) -> Tensor:
        """Return the light without detail at a time [s], (y, x) float32: what is out of focus, and the glow.

        Defocus leaves nothing of a fine pattern, so this is to be imaged without one. Mean at time 0: what `density`
        leaves of 1, or less where a cell covers only part of the field. Where the specimen has depth, the planes out
        of focus are lit as the light falls with it.
        """
        image = torch.zeros(self.shape)
        for (share, plane), (sigma_um, _) in zip(self._planes, DEFOCUS_UM, strict=False):
            lit = 1.0
            if falls is not None and self.settings.depth_um > 0:
                lit = float(falls(torch.tensor(sigma_um / DEFOCUS_BLUR)))
            image += share * lit * plane.at(time_s)
        if self._cell is not None:
            image *= self._cell
        image *= self.settings.haze * (1 - self.settings.glow) * self._bleaching(time_s)
        if self._glow is not None:
            image += self.settings.glow * self._glow
        return image

    def _bleaching(self, time_s: float) -> float:
        lifetime = self.settings.bleach_time_s
        return 1.0 if lifetime is None else math.exp(-time_s / lifetime)

    def _rng(self, part: str) -> np.random.Generator:
        """Return the randomness of one part, independent of that of the other parts and kinds."""
        names = [zlib.crc32(name.encode()) for name in (self.settings.kind, part)]
        return np.random.default_rng([self.settings.seed, *names])

    def _structures(self) -> list[tuple[float, "_Layer"]]:
        """Return what is in focus: layers of mean 1, and their shares."""
        settings = self.settings
        layers = [(1.0, _Layer(self._grow("focus"), self._draw_sharp))]
        if settings.also is not None:
            layers = _diluted(layers, settings.also_share, self._grow("also", settings.also), self._draw_sharp)
        if settings.aggregates > 0:
            domain = Domain(self._size_um, self._rng("aggregates"))
            clumps = [self._trajectories(aggregates(domain), domain, "aggregates")]
            layers = _diluted(layers, settings.aggregates, clumps, self._draw_sharp)
        return layers

    def _grow(self, part: str, kind: str | None = None) -> list[Trajectories]:
        domain = Domain(self._size_um, self._rng(part), self.settings.density)
        clouds = builder(kind or self.settings.kind)(domain)
        return [self._trajectories(cloud, domain, part) for cloud in clouds]

    def _trajectories(self, cloud: Cloud, domain: Domain, part: str) -> Trajectories:
        depth, grown = self.settings.depth_um, Trajectories(cloud, domain, self.settings.speed_um_s)
        if depth > 0:
            grown.height_um = heights(cloud, domain, depth, self._rng(f"{part} heights"))
        return grown

    def _draw_sharp(self, position_um: Tensor, weight: Tensor) -> Tensor:
        """Draw fluorophores on the whole domain and return the view of it."""
        image = splat(position_um, weight, self._grid, self._size_um)
        margin = self._margin
        return image[margin : margin + self.shape[0], margin : margin + self.shape[1]]

    def _drawer(self, sigma_um: float) -> Draw:
        """Return how to draw fluorophores that are out of focus by a blur of `sigma_um`."""
        down, across = self._blurs(sigma_um)

        def draw(position_um: Tensor, weight: Tensor) -> Tensor:
            return down @ splat(position_um, weight, self._coarse, self._size_um) @ across.T

        return draw

    def _blurs(self, sigma_um: float) -> list[Tensor]:
        """Return the blur from the coarse domain to the view along y and along x."""
        first_um = self._margin * self.pixel_um
        return [
            blur_matrix(self.shape[axis], self.pixel_um, first_um, self._coarse[axis], self._size_um[axis], sigma_um)
            for axis in (0, 1)
        ]

    def _uneven(self, part: str, blur_um: float) -> Tensor:
        """Return smooth noise of deviation 1, (y, x) float32."""
        down, across = self._blurs(blur_um)
        noise = torch.from_numpy(self._rng(part).standard_normal(self._coarse)).to(torch.float32)
        # A blur of sigma takes white noise of pixel c to the deviation c / (2 sigma sqrt(pi)).
        return (down @ noise @ across.T) * (2 * math.sqrt(math.pi) * blur_um / COARSE_UM)

    def _grow_dye(self) -> Tensor:
        """Return the dye in the cytosol: smooth, positive, uneven by about a third, with the mean 1."""
        dye = torch.exp(0.3 * self._uneven("dye", DYE_BLUR_UM))
        return dye / dye.mean()

    def _grow_glow(self) -> Tensor:
        """Return light without detail: nearly even, with the mean 1."""
        glow = torch.exp(0.15 * self._uneven("glow", GLOW_BLUR_UM))
        return glow / glow.mean()

    def _grow_cell(self) -> Tensor:
        """Return where the cell is: 1 in it, `BEYOND` outside, with an edge as thin as a lamella's."""
        height = self._uneven("cell", CELL_BLUR_UM)
        sample = height[:: max(1, self.shape[0] // 64), :: max(1, self.shape[1] // 64)]
        edge = torch.quantile(sample.flatten(), 1 - self.settings.cell)
        return BEYOND + (1 - BEYOND) * torch.sigmoid((height - edge) / CELL_EDGE)


def _diluted(
    layers: list[tuple[float, "_Layer"]], share: float, parts: list[Trajectories], draw: Draw
) -> list[tuple[float, "_Layer"]]:
    """Return the layers with another one that takes this share of the light."""
    return [*((one * (1 - share), layer) for one, layer in layers), (share, _Layer(parts, draw))]


class _Layer:
    """Structures of one depth, drawn in one way, with the mean 1 in the view at time 0."""

    def __init__(self, parts: list[Trajectories], draw: Draw) -> None:
        self._parts, self._draw, self._scale = parts, draw, 1.0
        self._still: Tensor | None = None
        first = self.at(0.0)
        # A view that is almost empty by chance is not blown up beyond measure.
        usual = sum(float(part.weight.sum()) for part in parts)
        self._scale = 1 / max(float(first.mean()), 0.02 * usual / first.numel(), 1e-30)
        if not any(part.moves for part in parts):
            self._still = first * self._scale

    def at(self, time_s: float, slab: tuple[float, float] | None = None, falls: Falls | None = None) -> Tensor:
        """Return the layer at a time, (y, x); or what of it lies in a slab [um], as it is lit there."""
        if self._still is not None and slab is None:
            return self._still
        images = [self._draw(*self._of(part, time_s, slab, falls)) for part in self._parts]
        return torch.stack(images).sum(0) * self._scale if len(images) > 1 else images[0] * self._scale

    def _of(
        self, part: Trajectories, time_s: float, slab: tuple[float, float] | None, falls: Falls | None
    ) -> tuple[Tensor, Tensor]:
        """Return positions and weights of what is to be drawn of a part."""
        positions, height = part.positions(time_s), part.height_um
        if slab is None or height is None:
            return positions, part.weight
        inside = (height >= slab[0]) & (height <= slab[1]) if slab[0] == 0 else (height > slab[0]) & (height <= slab[1])
        weight = part.weight[inside]
        return positions[inside], weight if falls is None else weight * falls(height[inside])
