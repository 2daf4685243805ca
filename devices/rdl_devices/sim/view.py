"""What the objective makes of the scene: expected photons of every camera pixel.

A little more than the region of interest is computed, so that its edges do not see their opposite ones.
About 1 ms for 256 x 256 on one CPU thread, the drawing of the scene aside.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_devices.sim.grating import Fringe
from rdl_devices.sim.scene import HAZE, Scene, Window
from rdl_devices.sim.settings import WorldSettings
from rdl_live.optics.forward import Imaging
from rdl_live.optics.fourier import good_size
from rdl_live.optics.incidence import Incidence
from rdl_live.optics.otf import Otf
from rdl_live.specimen.specimen import DEFOCUS_BLUR

UPSAMPLE = 2
"""Fine pixels per raw pixel; enough, since fringes and OTF both end below the raw sampling frequency."""
MARGIN_PX = 8
"""Least margin around the region [raw pixels], about two widths of the PSF."""
FOCUS_STEP_UM = 0.02
"""Focus positions closer than this share an OTF [um]."""


@dataclass(frozen=True)
class Region:
    """A region of the camera chip, unbinned pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class DefocusedOtf(Otf):
    """The OTF at some distance from focus, as if the PSF were blurred by a Gaussian."""

    blur_um: float = 0.0
    """Standard deviation [um]."""

    def __call__(self, kx: Tensor, ky: Tensor) -> Tensor:
        """Return the transfer at the frequencies (kx, ky) [cycles/um]."""
        fall = 2 * math.pi**2 * self.blur_um**2
        return super().__call__(kx, ky) * torch.exp(-fall * (kx * kx + ky * ky))


class View:
    """The detection path of one world."""

    def __init__(self, settings: WorldSettings) -> None:
        self._settings = settings
        self._pixel_um = settings.optics.pixel_size_um
        self._fine_um = self._pixel_um / UPSAMPLE
        padded = good_size(settings.sensor_px + 2 * MARGIN_PX)
        self._origin = (padded - settings.sensor_px) // 2
        self.scene = Scene(settings, padded * UPSAMPLE, self._fine_um)
        self._imaging: dict[tuple[int, tuple[int, int], int], Imaging] = {}
        self._hazes: dict[int, tuple[object, Tensor]] = {}
        self._ideal: dict[tuple[float, tuple[int, int], float], Imaging] = {}

    def expected(
        self, nm: int, region: Region, light: Fringe, stage_um: tuple[float, float, float], time_s: float
    ) -> Tensor:
        """Return relative photons (height, width), mean about `light.brightness` in a full field.

        Args:
            nm: laser line.
            region: part of the chip.
            light: what shines on the sample.
            stage_um: stage x, y and distance from focus [um].
            time_s: world time [s].
        """
        top, left, shape = self._padded(region)
        window = self._window(region, stage_um)
        fringes = self._fringes(light, top, left, window.shape)
        seen, parts = None, self.scene.slabs_um(nm)
        for slab, z_um in enumerate(parts):
            structures = self.scene.density(nm, window, time_s, slab, light.incidence)
            # In place where the fringes are not needed again: memory for a product costs more than the product.
            lit = fringes.mul_(structures) if slab == len(parts) - 1 else fringes * structures
            image = self._imager(nm, shape, stage_um[2] - z_um).forward(lit)
            seen = image if seen is None else seen + image
        assert seen is not None  # a dye has one slab at least
        haze = self._haze(nm, window, self._imager(nm, shape, stage_um[2]), time_s, light.incidence)
        if haze is not None:
            seen = seen + light.brightness * haze
        first_y, first_x = region.top - top, region.left - left
        return seen[first_y : first_y + region.height, first_x : first_x + region.width]

    def truth(
        self,
        nm: int,
        region: Region,
        stage_um: tuple[float, float, float],
        time_s: float,
        cutoff: float,
        light: Incidence | None = None,
    ) -> Tensor | None:
        """Return what a perfect image would show of a region as it was seen at a time; one thread beside the camera's.

        Args:
            nm: laser line.
            region: part of the chip.
            stage_um: stage x, y and distance from focus [um].
            time_s: world time of an exposure of late [s].
            cutoff: of the image's transfer, an ideal OTF without pixels [cycles/um]; light from out of focus has its
                place in it.
            light: how that exposure's light entered the sample: what it did not reach is dark.

        Returns:
            (2 height, 2 width) float32 on the pixel areas of a super-resolved image, mean about 1; None if it was not
            exposed then, or that is forgotten.
        """
        top, left, _ = self._padded(region)
        window = self._window(region, stage_um)
        parts = list(enumerate(self.scene.slabs_um(nm)))
        planes: dict[float, Tensor] = {}
        for slab, z_um in [*parts, (HAZE, 0.0)] if self.scene.has_haze(nm) else parts:
            seen = self.scene.seen(nm, window, time_s, slab, light)
            if seen is None:
                return None
            # A specimen without depth is what it is, wherever the focus.
            out_um = 0.0 if len(parts) == 1 or slab == HAZE else stage_um[2] - z_um
            planes[out_um] = seen + planes[out_um] if out_um in planes else seen
        images = [self._perfect(cutoff, window.shape, out_um).forward(seen) for out_um, seen in planes.items()]
        image = images[0] if len(images) == 1 else torch.stack(images).sum(0)
        first_y, first_x = UPSAMPLE * (region.top - top), UPSAMPLE * (region.left - left)
        rows, columns = UPSAMPLE * region.height, UPSAMPLE * region.width
        return image[first_y : first_y + rows, first_x : first_x + columns]

    def _perfect(self, cutoff: float, shape: tuple[int, int], out_um: float) -> Imaging:
        """Return the ideal image of what lies some way out of focus [um]."""
        blur_um = DEFOCUS_BLUR * round(abs(out_um) / FOCUS_STEP_UM) * FOCUS_STEP_UM
        key = (cutoff, shape, blur_um)
        imaging = self._ideal.get(key)
        if imaging is None:
            if len(self._ideal) >= 48:
                self._ideal.clear()
            ideal = DefocusedOtf(cutoff=cutoff, pixel_um=self._fine_um, integrates=False, blur_um=blur_um)
            self._ideal[key] = imaging = Imaging(ideal, shape, upsample=1)
        return imaging

    def prepare(
        self,
        nm: int,
        region: Region,
        stage_um: tuple[float, float, float],
        time_s: float,
        light: Incidence | None = None,
    ) -> None:
        """Grow and draw what the next exposure will see; the first time takes up to a second."""
        window = self._window(region, stage_um)
        for slab, _ in enumerate(self.scene.slabs_um(nm)):
            self.scene.density(nm, window, time_s, slab, light)
        self.scene.haze(nm, window, time_s, light)

    def _window(self, region: Region, stage_um: tuple[float, float, float]) -> Window:
        """Return the part of the sample that is computed for a region."""
        top, left, shape = self._padded(region)
        return Window(
            top=UPSAMPLE * (top + self._origin) + round(stage_um[1] / self._fine_um),
            left=UPSAMPLE * (left + self._origin) + round(stage_um[0] / self._fine_um),
            shape=(UPSAMPLE * shape[0], UPSAMPLE * shape[1]),
        )

    def _padded(self, region: Region) -> tuple[int, int, tuple[int, int]]:
        """Return first row, first column and shape of what is computed for a region."""
        height, width = (good_size(n + 2 * MARGIN_PX) for n in (region.height, region.width))
        return (
            region.top - (height - region.height) // 2,
            region.left - (width - region.width) // 2,
            (
                height,
                width,
            ),
        )

    def _imager(self, nm: int, shape: tuple[int, int], z_um: float) -> Imaging:
        steps = round(abs(z_um) / FOCUS_STEP_UM)
        key = (nm, shape, steps)
        if key not in self._imaging:
            if len(self._imaging) >= 48:
                self._imaging.clear()
            optics, dye = self._settings.optics, self._settings.dye(nm)
            otf = DefocusedOtf(
                cutoff=2 * optics.na / (dye.emission_nm * 1e-3),
                pixel_um=self._pixel_um,
                blur_um=DEFOCUS_BLUR * steps * FOCUS_STEP_UM,
            )
            self._imaging[key] = Imaging(otf, shape, upsample=UPSAMPLE)
        return self._imaging[key]

    def _haze(self, nm: int, window: Window, imaging: Imaging, time_s: float, light: Incidence | None) -> Tensor | None:
        """Return the imaged light from out of focus, no pattern in it; computed when it is drawn anew."""
        key = (window, imaging, self.scene.epoch(time_s, haze=True), light)
        kept = self._hazes.get(nm)
        if kept is not None and kept[0] == key:
            return kept[1]
        haze = self.scene.haze(nm, window, time_s, light)
        if haze is None:
            return None
        image = imaging.forward(haze)
        self._hazes[nm] = (key, image)
        return image

    def _fringes(self, light: Fringe, top: int, left: int, shape: tuple[int, int]) -> Tensor:
        """Return the light at the fine pixels' centres, (y, x): cos(a + b) from outer products."""
        y = (torch.arange(shape[0], dtype=torch.float64) + 0.5) * self._fine_um + top * self._pixel_um
        x = (torch.arange(shape[1], dtype=torch.float64) + 0.5) * self._fine_um + left * self._pixel_um
        along_y, along_x = 2 * math.pi * light.ky * y, 2 * math.pi * light.kx * x + light.phase_rad
        depth = light.brightness * light.modulation
        fringes = torch.outer((depth * along_y.cos()).float(), along_x.cos().float())
        fringes.addr_((-depth * along_y.sin()).float(), along_x.sin().float())
        return fringes.add_(light.brightness)
