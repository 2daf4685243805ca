"""The world behind the devices: one sample, one light path, one clock. It knows no Micro-Manager.

A 256 x 256 frame costs about 4 ms on one CPU thread, of which 2.5 ms are the photons' Poisson noise.
"""

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

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

log = logging.getLogger(__name__)

SEEN = 1000
"""Exposures of which the truth is kept."""
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
        self.exposures: deque[Exposure] = deque(maxlen=SEEN)
        self.triggered: list[Callable[[], None]] = []
        """Called at the start of each exposure: what the camera's exposure-out line is wired to."""
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
            before, self.settings = self.settings, self.settings.replace(**fields)
            changed = {name for name in fields if getattr(before, name) != getattr(self.settings, name)}
            if changed & {"optics", "refresh_ms", "sensor_px"} or _seen(before) != _seen(self.settings):
                self._view = None
            if changed & {"camera", "full_well_e", "hot_pixels", "pixel_maps", "seed", "sensor_px"}:
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
            self._fringes[key] = fringe(
                grating,
                self.geometry,
                modulation=self.settings.modulation,
                # Both orders must enter through the objective: k0 <= 2 NA / excitation wavelength.
                largest_k=2 * self.settings.optics.na / (nm * 1e-3),
            )
        return self._fringes[key]

    def irradiance(self, nm: int, *, exposing: bool = True) -> float:
        """Return the mean light of a line on the sample [W/cm2], by default as if the camera exposed."""
        share = self.light.share(nm, exposing=exposing)
        return share * self.settings.full_irradiance * self.fringe(nm).brightness if share else 0.0

    def full_photons_per_ms(self, nm: int) -> float:
        """Return mean photo-electrons per raw pixel and ms at full power."""
        return self.settings.dye(nm).photons_per_pixel_ms

    def settle(self) -> None:
        """Count the light that fell on the sample since the last call; devices call it before they change."""
        with self._lock:
            now = self.clock.now()
            if now > self._settled_s:
                self._expose_sample(now - self._settled_s, exposing=False)
                self._settled_s = now

    def _expose_sample(self, seconds: float, *, exposing: bool) -> None:
        for nm in self.settings.lines:
            self.dose.add(self.field, nm, self.irradiance(nm, exposing=exposing) * seconds)

    def bleaching(self, nm: int) -> float:
        """Return what the light so far has left of a dye in this field, 0 to 1."""
        lifetime = self.settings.bleach_dose_j_cm2
        return float(np.exp(-self.dose.of(self.field, nm) / lifetime)) if lifetime else 1.0

    def prepare(self, region: Region) -> None:
        """Grow what the next exposure will see, so that it does not wait for that."""
        with self._lock:
            lines = [nm for nm, line in self.light.lines.items() if line.enabled]
            view, stage_um, now, _ = self.view, self.stage_um, self.clock.now(), self.sensor
        for nm in lines:
            view.prepare(nm, region, stage_um, now)

    def expose(self, region: Region, exposure_ms: float, binning: int) -> tuple[NDArray[np.uint16], Exposure]:
        """Take one exposure that begins now; whoever calls lets the time pass.

        Args:
            region: part of the chip, unbinned pixels.
            exposure_ms: exposure time.
            binning: pixels summed along each axis.

        Returns:
            (height // binning, width // binning) ADU, and the truth about it.
        """
        with self._lock:
            self.settle()
            for fire in self.triggered:
                fire()
            shown = self.display.trigger()
            start_s, field, stage_um = self.clock.now(), self.field, self.stage_um
            shares = {nm: self.light.share(nm, exposing=True) for nm in self.light.lines}
            light = {nm: self.fringe(nm, shown) for nm, share in shares.items() if share > 0}
            left = {nm: self.bleaching(nm) for nm in light}
            self._expose_sample(exposure_ms * 1e-3, exposing=True)
            self._settled_s = max(self._settled_s, start_s + exposure_ms * 1e-3)
            settings, view, sensor = self.settings, self.view, self.sensor
        photons = np.zeros((region.height, region.width), np.float32)
        middle_s = start_s + 0.5e-3 * exposure_ms
        for nm, fringes in light.items():
            if fringes.brightness == 0:
                continue
            bright = shares[nm] * exposure_ms * left[nm] * settings.dye(nm).photons_per_pixel_ms
            seen = view.expected(nm, region, fringes, stage_um, middle_s)
            photons += (seen * bright).numpy()
        truth = Exposure(
            start_s=start_s,
            exposure_ms=exposure_ms,
            pattern_index=shown.index,
            light=light,
            irradiance={
                nm: shares[nm] * settings.full_irradiance * fringes.brightness for nm, fringes in light.items()
            },
            photons_per_pixel=float(photons.mean()),
            field=field,
        )
        self.exposures.append(truth)
        return sensor.read(photons, region, exposure_ms, binning), truth

    def readout_ms(self, rows: int) -> float:
        """Return the time to read so many rows of the chip [ms]."""
        return rows * self.settings.row_time_us * 1e-3

    def close(self) -> None:
        """End the world: what hangs is let go, all light is off."""
        self.closed_to_newcomers = True
        self.settle()
        self.light.shutter_open = False
        for line in self.light.lines.values():
            line.enabled, line.aotf_percent = False, 0.0
        self.faults.clear()
        log.debug("%s closed", self.id)


def _seen(settings: WorldSettings) -> list[object]:
    """Return what the view of the sample depends on, dye by dye."""
    return [(dye.excitation_nm, dye.emission_nm, dye.specimen) for dye in settings.dyes]
