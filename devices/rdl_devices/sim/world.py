"""The world behind the devices: one sample, one light path, one clock. It knows no Micro-Manager.

A 256 x 256 frame at 90 frames/s costs 3 ms on one CPU thread (median; 3.7 ms with the drawing of living
specimens), 512 x 512 about 15 ms; half of it is the optics, a third the noise.
"""

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rdl_devices.sim.clock import Clock
from rdl_devices.sim.display import Display, Shown
from rdl_devices.sim.dose import Dose, Field
from rdl_devices.sim.faults import Faults
from rdl_devices.sim.grating import Fringe, SlmGeometry, fringe
from rdl_devices.sim.light import LightPath
from rdl_devices.sim.sensor import Sensor
from rdl_devices.sim.settings import WorldSettings
from rdl_devices.sim.view import Region, View
from rdl_live.optics.incidence import Incidence, na_of_period

log = logging.getLogger(__name__)

SEEN = 1000
"""Exposures of which the truth is kept."""
SAME_S = 2e-6
"""Cameras say to the microsecond when an exposure began [s]."""
REPLAYED = 200
"""Frames that are kept for replay."""
Counts = NDArray[np.uint16]
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Exposure:
    """The truth about one exposure, for tests."""

    start_s: float
    exposure_ms: float
    pattern_index: int
    """Place of the displayed pattern in the SLM's sequence; -1 for a single picture."""
    light: dict[int, Fringe]
    """Fringes on the sample of each laser line that shone."""
    irradiance: dict[int, float]
    """Mean light on the sample of each of them [W/cm2]."""
    photons_per_pixel: float
    """Mean expected photo-electrons per unbinned pixel of the region."""
    field: Field
    brightness: dict[int, float]
    """Photo-electrons per unbinned pixel of a sample of density 1, each line."""
    stage_um: tuple[float, float, float]
    """Stage x and y, and distance from focus [um]."""


@dataclass(frozen=True)
class _Shot:
    """What one exposure is taken under."""

    start_s: float
    exposure_ms: float
    shown: Shown
    light: dict[int, Fringe]
    irradiance: dict[int, float]
    brightness: dict[int, float]
    """Photo-electrons per pixel of a sample of density 1 under full fringes, each line."""
    stage_um: tuple[float, float, float]
    field: Field

    @property
    def key(self) -> object:
        """What makes two exposures the same, time and bleaching aside."""
        lines = tuple((nm, self.irradiance[nm]) for nm in self.light)
        return self.exposure_ms, self.shown.grating, lines, self.stage_um


class World:
    """Everything that the devices of one core have in common. Safe to use from several threads."""

    def __init__(self, settings: WorldSettings | None = None, *, realtime: bool = False) -> None:
        self.settings = settings or WorldSettings()
        self.id = f"world-{next(_numbers)}"
        self.clock = Clock(realtime=realtime)
        self.faults = Faults()
        self.light = LightPath(self.settings.lines, self.settings.laser_mw)
        self.display = Display(self.faults, self.clock.now)
        self.stage_um = (0.0, 0.0, 0.0)
        """Stage x and y, and distance from focus [um]."""
        self.closed_to_newcomers = False
        """Whether devices can no longer join (see registry.py)."""
        self.closed = False
        """Whether the world has ended: its devices answer no more."""
        self.exposures: deque[Exposure] = deque(maxlen=SEEN)
        self.triggered: list[Callable[[], None]] = []
        """Called at the start of each exposure: what the camera's exposure-out line is wired to."""
        self.replay = False
        """Whether an exposure that was taken before is repeated to the last count: for tests of speed alone."""
        self._replayed: dict[object, tuple[Counts, float]] = {}
        self._lock = threading.RLock()
        self._settled_s = 0.0
        self._fringes: dict[object, Fringe] = {}
        self._view: View | None = None
        self._sensor: Sensor | None = None
        self._field_um = 0.0
        self._furnish()

    def change(self, **fields: object) -> None:
        """Change settings; sample, camera chip and dose are begun anew where they depend on them.

        Laser lines and their largest power are fixed when the world is made.

        Raises:
            pydantic.ValidationError: an unknown field, or a value out of range.
        """
        with self._lock:
            self._replayed.clear()
            before, self.settings = self.settings, self.settings.replace(**fields)
            changed = {name for name in fields if getattr(before, name) != getattr(self.settings, name)}
            if changed & {"optics", "refresh_ms", "sensor_px"} or _seen(before) != _seen(self.settings):
                self._view = None
            if changed & {"camera", "chip", "full_well_e", "hot_pixels", "pixel_maps", "seed", "sensor_px"}:
                self._sensor = None
            if changed & {"modulation", "optics", "sensor_px", "slm_px", "slm_pixel_um"}:
                self._furnish()

    def change_dye(self, nm: int, **fields: object) -> None:
        """Change the dye of one laser line; see `change`."""
        self.change(dyes=self.settings.with_dye(nm, **fields).dyes)

    def _furnish(self) -> None:
        """Lay out SLM, camera chip and fields of view on the sample."""
        side_um = self.settings.sensor_px * self.settings.optics.pixel_size_um
        self.geometry = SlmGeometry(
            shape=(self.settings.slm_px, self.settings.slm_px),
            pixel_um=self.settings.slm_pixel_um,
            sensor_um=(side_um, side_um),
        )
        if side_um != self._field_um:
            self._field_um, self.dose = side_um, Dose(side_um)
        self._fringes.clear()

    @property
    def view(self) -> View:
        """The detection path and the scene before it."""
        with self._lock:
            if self._view is None:
                self._view = View(self.settings)
            return self._view

    @property
    def sensor(self) -> Sensor:
        """The camera chip."""
        with self._lock:
            if self._sensor is None:
                self._sensor = Sensor(self.settings)
            return self._sensor

    @property
    def field(self) -> Field:
        """The field of view that the stage is at."""
        return self.dose.field(self.stage_um[0], self.stage_um[1])

    def fringe(self, nm: int, shown: Shown | None = None) -> Fringe:
        """Return the light that a laser line puts on the sample through what the SLM shows (now)."""
        grating = (shown or self.display.shown()).grating
        key = (nm, grating)
        if key not in self._fringes:
            if len(self._fringes) > 1000:
                self._fringes.clear()
            found = fringe(
                grating,
                self.geometry,
                modulation=self.settings.modulation,
                # Both orders must enter through the objective: k0 <= 2 NA / excitation wavelength.
                largest_k=2 * self.settings.optics.na / (nm * 1e-3),
            )
            self._fringes[key] = replace(found, incidence=self._incidence(nm, found))
        return self._fringes[key]

    def _incidence(self, nm: int, light: Fringe) -> Incidence | None:
        """Return how the two beams of stripes enter the sample; None in even light, which goes straight through it."""
        if not light.k:
            return None
        # Rounded: what is drawn for one orientation serves the others, whose gratings are a little finer or coarser.
        na = round(na_of_period(nm, light.period_um), 2)
        return Incidence(na, nm, self.settings.optics.sample_index)

    def irradiance(self, nm: int, *, exposing: bool = True) -> float:
        """Return the mean light of a line on the sample [W/cm2], by default as if the camera exposed."""
        share = self.light.share(nm, exposing=exposing)
        return share * self.settings.full_irradiance * self.fringe(nm).brightness if share else 0.0

    def full_photons_per_ms(self, nm: int) -> float:
        """Return mean photo-electrons per raw pixel and ms at full power."""
        return self.settings.dye(nm).photons_per_pixel_ms

    def settle(self, until_s: float | None = None) -> None:
        """Count the light that fell on the sample between exposures; devices call it before they change.

        Args:
            until_s: world time [s]; now by default.
        """
        with self._lock:
            until_s = self.clock.now() if until_s is None else until_s
            seconds = until_s - self._settled_s
            if seconds > 0:
                for nm in self.light.lines:
                    self.dose.add(self.field, nm, self.irradiance(nm, exposing=False) * seconds)
                self._settled_s = until_s

    def bleaching(self, nm: int) -> float:
        """Return what the light so far has left of a dye in this field, 0 to 1."""
        lifetime = self.settings.bleach_dose_j_cm2
        return float(np.exp(-self.dose.of(self.field, nm) / lifetime)) if lifetime else 1.0

    def prepare(self, region: Region) -> None:
        """Grow what the next exposure will see, so that it does not wait for that."""
        with self._lock:
            lines = [nm for nm, line in self.light.lines.items() if line.enabled]
            view, stage_um, now, _ = self.view, self.stage_um, self.clock.now(), self.sensor
            lights = [self.fringe(nm).incidence for nm in lines]
        for nm, light in zip(lines, lights, strict=True):
            view.prepare(nm, region, stage_um, now, light)

    def expose(
        self, region: Region, exposure_ms: float, binning: int, *, start_s: float | None = None
    ) -> tuple[Counts, Exposure]:
        """Take one exposure; whoever calls lets the time pass.

        Args:
            region: part of the chip, unbinned pixels.
            exposure_ms: exposure time.
            binning: pixels summed along each axis.
            start_s: when it begins, by the camera's own clock; now by default.

        Returns:
            (height // binning, width // binning) ADU, and the truth about it.
        """
        with self._lock:
            shot = self._shoot(exposure_ms, self.clock.now() if start_s is None else start_s)
            key = (region, binning, shot.key)
            if self.replay and key in self._replayed:
                frame, photons = self._replayed[key]
                return frame, self._note(shot, photons)
            view, sensor = self.view, self.sensor
        expected = self._expected(shot, view, region)
        frame = sensor.read(expected, region, exposure_ms, binning)
        photons = float(expected.mean())
        if self.replay and len(self._replayed) < REPLAYED:
            self._replayed[key] = frame, photons
        return frame, self._note(shot, photons)

    def _shoot(self, exposure_ms: float, start_s: float) -> "_Shot":
        """Fire the triggers, let the light fall on the sample, and return what the exposure is taken under."""
        self.settle(start_s)
        for fire in self.triggered:
            fire()
        shown = self.display.trigger(start_s)
        shares = {nm: self.light.share(nm, exposing=True) for nm in self.light.lines}
        light = {nm: self.fringe(nm, shown) for nm, share in shares.items() if share > 0}
        brightness = {
            nm: shares[nm] * self.settings.dye(nm).photons_per_pixel_ms * exposure_ms * self.bleaching(nm)
            for nm in light
        }
        irradiance = {
            nm: shares[nm] * self.settings.full_irradiance * fringes.brightness for nm, fringes in light.items()
        }
        for nm, w_cm2 in irradiance.items():
            self.dose.add(self.field, nm, w_cm2 * exposure_ms * 1e-3)
        self._settled_s = max(self._settled_s, start_s + exposure_ms * 1e-3)
        return _Shot(start_s, exposure_ms, shown, light, irradiance, brightness, self.stage_um, self.field)

    def _expected(self, shot: "_Shot", view: View, region: Region) -> NDArray[np.float32]:
        """Return the expected photo-electrons of every pixel of the region, (height, width)."""
        photons = np.zeros((region.height, region.width), np.float32)
        middle_s = shot.start_s + 0.5e-3 * shot.exposure_ms
        for nm, fringes in shot.light.items():
            if fringes.brightness > 0:
                seen = view.expected(nm, region, fringes, shot.stage_um, middle_s)
                photons += (seen * shot.brightness[nm]).numpy()
        return photons

    def _note(self, shot: "_Shot", photons_per_pixel: float) -> Exposure:
        """Keep the truth about an exposure."""
        truth = Exposure(
            start_s=shot.start_s,
            exposure_ms=shot.exposure_ms,
            pattern_index=shot.shown.index,
            light=shot.light,
            irradiance=shot.irradiance,
            photons_per_pixel=photons_per_pixel,
            field=shot.field,
            brightness={nm: shot.brightness[nm] * shot.light[nm].brightness for nm in shot.light},
            stage_um=shot.stage_um,
        )
        self.exposures.append(truth)
        return truth

    def truth(self, region: Region, start_s: float, cutoff: float) -> NDArray[np.float32] | None:
        """Return what a perfect super-resolved image of one exposure's light would show; see `View.truth`.

        Draws nothing anew and does not hold the camera up; for one thread at a time.

        Args:
            region: part of the chip, unbinned pixels.
            start_s: when the exposure began [s].
            cutoff: of the image's transfer [cycles/um].

        Returns:
            (2 height, 2 width) photo-electrons per raw pixel area and frame; None if the exposure is forgotten.
        """
        found = next((one for one in reversed(list(self.exposures)) if abs(one.start_s - start_s) < SAME_S), None)
        if found is None or not found.light:
            return None
        middle_s, image = found.start_s + 0.5e-3 * found.exposure_ms, None
        for nm, photons in found.brightness.items():
            one = self.view.truth(nm, region, found.stage_um, middle_s, cutoff, found.light[nm].incidence)
            if one is None:
                return None
            image = one * photons if image is None else image.add_(one, alpha=photons)
        return None if image is None else image.numpy()

    def epoch(self, start_s: float, exposure_ms: float = 0.0) -> int:
        """Return the number of the drawing that an exposure which began then has seen."""
        return self.view.scene.epoch(start_s + 0.5e-3 * exposure_ms)

    def readout_ms(self, rows: int) -> float:
        """Return the time to read so many rows of the chip [ms]."""
        return rows * self.settings.row_time_us * 1e-3

    def close(self) -> None:
        """End the world: what hangs is let go, all light is off."""
        self.closed_to_newcomers = self.closed = True
        self.settle()
        self.light.shutter_open = False
        for line in self.light.lines.values():
            line.enabled, line.aotf_percent = False, 0.0
        self.faults.clear()
        log.debug("%s closed", self.id)


def _seen(settings: WorldSettings) -> list[object]:
    """Return what the view of the sample depends on, dye by dye."""
    return [(dye.excitation_nm, dye.emission_nm, dye.specimen) for dye in settings.dyes]
