"""A microscope's recording of a specimen, with the truth: specimen -> patterned light -> OTF -> camera.

The field that is simulated is larger than the view, so nothing wraps around the edges of the frames. One
256 x 256 series of 3 x 3 takes 0.1 to 0.2 s on two CPU threads.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, PositiveFloat
from torch import Tensor

from rdl_live.errors import ConfigError
from rdl_live.optics._base import Description
from rdl_live.optics.aberration import AberrationSettings, aberrated
from rdl_live.optics.forward import Imaging
from rdl_live.optics.fourier import frequencies, good_size
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.modality import modality_of
from rdl_live.optics.noise import CameraMaps, expose
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.sensor import Sensor, SensorSettings
from rdl_live.optics.target import sr_target
from rdl_live.specimen.light import LightSettings, fading, shine, turns_of, weakened
from rdl_live.specimen.response import ResponseSettings, sinusoidal
from rdl_live.specimen.settings import SpecimenSettings
from rdl_live.specimen.specimen import Specimen

_LIGHT_SEED = 0x11647
MARGIN_PX = 16
"""Raw pixels simulated beyond the view on every side, at least."""

Share = Annotated[float, Field(ge=0, le=1)]


class SimulationSettings(Description):
    """How a specimen is recorded."""

    photons: PositiveFloat = 100.0
    """Mean photons per raw pixel and frame at time 0, haze and background included."""
    shape: tuple[Annotated[int, Field(ge=8)], Annotated[int, Field(ge=8)]] = (256, 256)
    """(y, x) of the raw frames."""
    time_points: Annotated[int, Field(ge=1)] = 1
    interval_s: Annotated[float, Field(ge=0)] = 1.0
    """From the start of one series to that of the next [s]."""
    frame_time_s: Annotated[float, Field(ge=0)] = 0.0
    """From one frame of a series to the next [s]; with 0 nothing moves within a series."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the noise, the flicker and the nominal patterns (the specimen has its own)."""
    upsample: Annotated[int, Field(ge=2, le=16, multiple_of=2)] = 4
    """Fine pixels per raw pixel; the next multiple of the modality's SR factor is taken."""
    sr_factor: Annotated[int, Field(ge=1, le=3)] | None = None
    """Pixels of the truth per raw pixel; None: as the microscope's modality has it."""
    modulation: Share = 0.8
    """Modulation depth of the nominal patterns."""
    phase_jitter_deg: Annotated[float, Field(ge=0, le=120)] = 0.0
    """Standard deviation of the phase errors of the nominal patterns [degrees]; the same in every series."""
    flicker: Annotated[float, Field(ge=0, le=0.3)] = 0.0
    """Standard deviation of the light from frame to frame, relative to its mean."""
    response: ResponseSettings = ResponseSettings()
    """How the dye answers to the light: what makes harmonics."""
    light: LightSettings = LightSettings()
    """How the illumination differs from the nominal one."""
    optics: AberrationSettings = AberrationSettings()
    """How the light's way differs from that of the microscope file."""
    sensor: SensorSettings = SensorSettings()
    """How the chip's pixels differ."""


@dataclass(frozen=True)
class SimulatedSeries:
    """One time point."""

    time_s: float
    """Start of the series [s]."""
    adu: Tensor
    """What the camera gave, (angle, phase, y, x) uint16 [ADU]."""
    expected: Tensor
    """The same without noise, (angle, phase, y, x) float32 [photons]."""
    truth: Tensor
    """What is in focus as a perfect image of the modality shows it, on its grid (SR factor y, SR factor x), float32
    [photons per raw pixel area]."""
    haze: Tensor
    """What is out of focus on the same terms, float32; a faithful image shows truth + haze."""
    patterns: PatternSet
    """The true light, with the brightness of each frame."""

    @property
    def total(self) -> Tensor:
        """In focus and haze: it has the mean of the raw frames."""
        return self.truth + self.haze


class Simulation:
    """A recording that is computed series by series, on demand. Iterable; any time point can be asked for."""

    def __init__(
        self,
        microscope: Microscope,
        specimen: SpecimenSettings,
        settings: SimulationSettings | None = None,
        *,
        patterns: PatternSet | None = None,
        channel: Channel | None = None,
        maps: CameraMaps | None = None,
    ) -> None:
        """Grow the specimen and set up the microscope.

        Args:
            microscope: optics, camera and pattern geometry.
            specimen: what is seen.
            settings: how it is recorded.
            patterns: true illumination, its phases at the corner of the raw image; nominal ones by default.
            channel: colour; the first one by default.
            maps: camera calibration of every pixel of the view.

        Raises:
            ConfigError: the patterns are not those of the microscope's geometry.
        """
        self.settings = settings = settings or SimulationSettings()
        self.microscope, self._maps = microscope, maps
        self.geometry, modality = microscope.pattern, modality_of(microscope)
        self.sr_factor = settings.sr_factor or self.geometry.sr_factor
        self._upsample = upsample = _next_multiple(settings, self.sr_factor)
        nominal = patterns
        if nominal is None:
            nominal = modality.nominal(
                microscope,
                channel,
                seed=settings.seed,
                modulation=settings.modulation,
                phase_jitter_deg=settings.phase_jitter_deg,
            )
        rng = np.random.default_rng([settings.seed, _LIGHT_SEED])
        if self.geometry.shared and settings.light.second_harmonic > 0:
            raise ConfigError(
                f"modality {modality.name}: a second harmonic of its light is not simulated; take another light"
            )
        excitation, response = weakened(nominal, settings.light, rng), settings.response
        if not response.linear:
            if self.geometry.shared:
                raise ConfigError(f"modality {modality.name}: a dye that is saturated or switched is not simulated")
            excitation = sinusoidal(excitation)
        self.patterns = response.answered(excitation, self.geometry.harmonics)
        self._fading = fading(self.geometry.frames, settings.light, rng)
        self.patterns.check(*self.geometry.pattern_counts)
        self._otf = Otf.of(microscope, channel)
        field = (good_size(settings.shape[0] + 2 * MARGIN_PX), good_size(settings.shape[1] + 2 * MARGIN_PX))
        fine = (field[0] * upsample, field[1] * upsample)
        self.specimen = Specimen(specimen, fine, self._otf.pixel_um / upsample)
        seen_from_margin = _seen_from_margin(excitation, MARGIN_PX * self._otf.pixel_um)
        fine_um = self._otf.pixel_um / upsample
        self._turns = turns_of(self.geometry)
        self._light = shine(
            seen_from_margin,
            settings.light,
            fine,
            fine_um,
            rng,
            self._turns,
            lambda patterns: response.under(modality.light(patterns, self.geometry, fine, fine_um), patterns),
        )
        true_otf = aberrated(self._otf, settings.optics, microscope, channel)
        self._imaging = Imaging(true_otf, field, upsample=upsample)
        self._sensor = self._chip(settings.sensor)
        seen = self._imaging.forward(self._lit(self.specimen.density() + self.specimen.haze()))
        # A view that is empty by chance is not blown up to the photons of a full one.
        self._photons = settings.photons / max(float(self._view(seen).mean()), 0.02)

    def __len__(self) -> int:
        return self.settings.time_points

    def __iter__(self) -> Iterator[SimulatedSeries]:
        """Go through the time points."""
        return (self.series(index) for index in range(len(self)))

    def _chip(self, settings: SensorSettings) -> Sensor | None:
        """Return the chip; None for one of equal pixels, or of pixels whose calibration is given."""
        if settings.ideal:
            return None
        if self._maps is not None:
            raise ConfigError(
                "the microscope file gives maps of its camera's pixels, and another chip is to be simulated: "
                "leave out offset_file, gain_file and variance_file, or take the ideal chip"
            )
        return Sensor(settings, self.microscope.camera, self.settings.shape, self.settings.seed)

    def exposed(self, expected: Tensor, generator: torch.Generator) -> Tensor:
        """Return what the camera makes of frames (..., y, x) of expected photons, uint16 ADU."""
        if self._sensor is not None:
            return self._sensor.expose(expected, generator)
        return expose(expected, self.microscope.camera, generator=generator, maps=self._maps)

    def series(self, index: int) -> SimulatedSeries:
        """Return one time point; the same each time it is asked for."""
        start = index * self.settings.interval_s
        state = np.random.SeedSequence([self.settings.seed, index]).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))
        flicker = self._flicker(generator)
        expected = self._expected(start, flicker)
        middle = start + 0.5 * (self.geometry.frames - 1) * self.settings.frame_time_s
        return SimulatedSeries(
            time_s=start,
            adu=self.exposed(expected, generator),
            expected=expected,
            truth=self._target(self.specimen.density(middle)),
            haze=self._target(self.specimen.haze(middle)),
            patterns=_flickering(self.patterns, flicker),
        )

    def _flicker(self, generator: torch.Generator) -> Tensor:
        """Return the brightness of every frame relative to their mean, (angle, phase)."""
        noise = torch.randn(self.geometry.counts, generator=generator)
        gains = (1 + self.settings.flicker * noise).clamp(min=0.1)
        gains *= torch.from_numpy(self._fading[self._turns]).to(gains)
        return gains / gains.mean()

    def _expected(self, start_s: float, flicker: Tensor) -> Tensor:
        """Return the series without noise, (angle, phase, y, x) photons."""
        imaging = self._imaging
        frames, previous = [], None
        for angle, phase in np.ndindex(*self.geometry.counts):
            time = start_s + int(self._turns[angle, phase]) * self.settings.frame_time_s
            if time != previous:
                focus, previous = self._lit(self.specimen.density(time)), time
                haze = imaging.forward(self._lit(self.specimen.haze(time)))
            seen = imaging.forward(focus * self._light.frames[angle, phase])
            seen = self._drifted(seen + haze * self._gain(angle, phase), self._light.drift_um[angle, phase])
            frames.append(self._view(seen) * (self._photons * flicker[angle, phase]))
        return torch.stack(frames).reshape(*self.geometry.counts, *self.settings.shape)

    def _gain(self, angle: int, phase: int) -> float:
        return self.patterns[angle].gains[phase] if len(self.patterns) else 1.0

    def _lit(self, image: Tensor) -> Tensor:
        """Return what a fine image of the specimen gives in the beam."""
        return image if self._light.envelope is None else image * self._light.envelope

    def _drifted(self, frame: Tensor, way_um: np.ndarray) -> Tensor:
        """Return a frame (y, x) of the field moved by (x, y) um."""
        if not way_um.any():
            return frame
        shape = (frame.shape[-2], frame.shape[-1])
        kx, ky = frequencies(shape, self._otf.pixel_um, half=True)
        turn = (-2 * np.pi * (kx * way_um[0] + ky * way_um[1])).to(torch.float32)
        moved: Tensor = torch.fft.irfft2(torch.fft.rfft2(frame) * torch.polar(torch.ones_like(turn), turn), s=shape)
        return moved

    def _target(self, image: Tensor) -> Tensor:
        """Return the view of a fine image as a perfect image of the modality shows it, photons per raw pixel."""
        target = sr_target(
            self._lit(image) * self._photons,
            self._otf,
            self.patterns,
            upsample=self._upsample,
            sr_factor=self.sr_factor,
        )
        return self._view(target, self.sr_factor)

    def _view(self, image: Tensor, factor: int = 1) -> Tensor:
        """Cut the view out of the field that was simulated."""
        first, (y, x) = MARGIN_PX * factor, self.settings.shape
        return image[..., first : first + factor * y, first : first + factor * x].contiguous()


def simulate(
    microscope: Microscope,
    specimen: SpecimenSettings,
    *,
    patterns: PatternSet | None = None,
    channel: Channel | None = None,
    maps: CameraMaps | None = None,
    **settings: object,
) -> Simulation:
    """Return a recording of a specimen; loop over it for one `SimulatedSeries` per time point.

    Args:
        microscope: optics, camera and pattern geometry.
        specimen: what is seen.
        patterns: true illumination, its phases at the corner of the raw image; nominal ones by default.
        channel: colour; the first one by default.
        maps: camera calibration of every pixel of the view.
        settings: fields of `SimulationSettings`: photons, shape, time_points, interval_s, seed, ...

    Raises:
        ConfigError: the patterns are not those of the microscope's geometry.
        pydantic.ValidationError: an unknown setting, or one out of range.
    """
    recorded = SimulationSettings.model_validate(settings)
    return Simulation(microscope, specimen, recorded, patterns=patterns, channel=channel, maps=maps)


def _next_multiple(settings: SimulationSettings, factor: int) -> int:
    """Return the fine pixels per raw pixel, a multiple of the SR factor.

    Raises:
        ConfigError: both were given, and do not fit.
    """
    if settings.sr_factor and settings.upsample % factor:
        raise ConfigError(f"upsample {settings.upsample} must be a multiple of the SR factor {factor}")
    return factor * -(-settings.upsample // factor)


def _seen_from_margin(patterns: PatternSet, margin_um: float) -> PatternSet:
    """Return the same light described from a corner that lies `margin_um` further up and left."""
    moved = []
    for pattern in patterns:
        turn = 2 * np.pi * (pattern.kx + pattern.ky) * margin_um
        moved.append(pattern.replace(phases_rad=tuple(phase - turn for phase in pattern.phases_rad)))
    return PatternSet(patterns=tuple(moved))


def _flickering(patterns: PatternSet, flicker: Tensor) -> PatternSet:
    """Return the patterns with their frames' brightness multiplied by `flicker` (angle, phase)."""
    changed = []
    if not len(patterns):
        return patterns
    every = flicker.expand(len(patterns), flicker.shape[1])
    for pattern, factors in zip(patterns, every.tolist(), strict=True):
        gains = tuple(gain * factor for gain, factor in zip(pattern.gains, factors, strict=True))
        changed.append(pattern.replace(intensity=gains))
    return PatternSet(patterns=tuple(changed))
