"""A z stack under three beams as a microscope records it, with its truth: structure in space -> light -> PSF -> camera.

The pattern moves with the focus, as on microscopes whose stage or objective scans: what a plane records of order 1 is
seen through the PSF times the light's wave along z. Nothing wraps around: the box is larger than what is recorded.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat
from torch import Tensor

from rdl_live.optics._base import Description
from rdl_live.optics.fourier import frequencies, good_size, shift_phase
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.noise import expose
from rdl_live.optics.otf import Otf, pixel_mtf
from rdl_live.optics.pattern import Pattern, PatternSet
from rdl_live.optics.stack.beams import axial_frequency, nominal_three_beams, widefield_reach
from rdl_live.optics.target import extended_cutoff
from rdl_live.specimen.stack_psf import psf_spectra
from rdl_live.specimen.volume import random_threads, splat_volume

Floats = NDArray[np.float64]

FINE, FINE_Z = 2, 2
"""Samples of the structure for each pixel each way, and for each plane."""
MARGIN_PX, MARGIN_UM = 8, 0.5
"""How far the box reaches beyond the frames on every side, and beyond the planes, at least."""
_THREADS_PER_UM2 = 0.35
_BEADS_PER_UM2 = 0.25


class StackSettings(Description):
    """What is grown and how it is recorded."""

    kind: Literal["filaments", "beads"] = "filaments"
    """Threads and vesicles in space, or single points."""
    shape: tuple[Annotated[int, Field(ge=4)], Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]] = (
        16,
        128,
        128,
    )
    """(z, y, x) of the raw stack."""
    step_um: PositiveFloat = 0.125
    """From one plane to the next [um]."""
    photons: PositiveFloat = 200.0
    """Mean photons per raw pixel and frame, background included."""
    background: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of them that is even."""
    clear_um: Annotated[float, Field(ge=0)] = 0.0
    """Depth at the top and at the bottom of the stack that holds no structure [um]."""
    density: Annotated[float, Field(gt=0, le=20)] = 1.0
    """Amount of structure relative to the typical one."""
    modulation: tuple[float, float] = (0.7, 0.4)
    """Depth of the first harmonic (in focus, of the wave's crest) and of the second."""
    axial_deg: Annotated[float, Field(ge=-90, le=90)] = 0.0
    """Phase of the light's wave along z in focus [degrees]: 0 where its crest is in focus."""
    phase_jitter_deg: Annotated[float, Field(ge=0, le=120)] = 0.0
    seed: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class SimulatedStack:
    """One stack."""

    adu: Tensor
    """What the camera gave, (z, angle, phase, y, x) uint16 [ADU]."""
    expected: Tensor
    """The same without noise, float32 [photons]."""
    truth: Tensor
    """What a perfect image shows, (z, 2 y, 2 x) float32: the structure through an ideal OTF of the extended support,
    with the mean of the raw stack [photons per raw pixel area]."""
    patterns: PatternSet
    """The true light."""


class StackSimulation:
    """A stack that is computed on demand."""

    def __init__(self, microscope: Microscope, settings: StackSettings, channel: Channel | None = None) -> None:
        """Grow the structure.

        Raises:
            ConfigError: the beams cannot be at the angle that the pattern's period asks for.
        """
        self.microscope, self.settings = microscope, settings
        self.channel = channel or microscope.channels[0]
        self._otf = Otf.of(microscope, self.channel)
        self.patterns = self._nominal()
        z, y, x = settings.shape
        self._above = math.ceil(max(MARGIN_UM / settings.step_um, z / 4))
        # Light out of focus reaches far: no plane may see through the box's end.
        deep = FINE_Z * good_size(2 * z + 2 * self._above)
        self._field = (good_size(y + 2 * MARGIN_PX), good_size(x + 2 * MARGIN_PX))
        self._fine = (deep, FINE * self._field[0], FINE * self._field[1])
        self._pitch = self._otf.pixel_um / FINE
        self._pitch_z = settings.step_um / FINE_Z
        self._object = self._grown()

    def _nominal(self) -> PatternSet:
        settings = self.settings
        found = nominal_three_beams(
            self.microscope,
            self.channel,
            seed=settings.seed,
            modulation=settings.modulation,
            phase_jitter_deg=settings.phase_jitter_deg,
        )
        theta = math.radians(settings.axial_deg)
        return PatternSet(patterns=tuple(one.replace(axial_rad=theta, shifts_rad=()) for one in found))

    def stack(self) -> SimulatedStack:
        """Return the stack; the same each time it is asked for."""
        settings = self.settings
        seen = self._seen()
        scale = (1 - settings.background) * settings.photons / max(float(seen.mean()), 1e-12)
        even = settings.background * settings.photons
        expected = seen * scale + even
        generator = torch.Generator().manual_seed(settings.seed + 77)
        return SimulatedStack(
            expose(expected, self.microscope.camera, generator=generator),
            expected,
            self._truth(scale) + even,
            self.patterns,
        )

    def _grown(self) -> Tensor:
        """Return the structure on the fine grid, (z, y, x) float32; recorded planes begin at `_first`."""
        settings = self.settings
        rng = np.random.default_rng([settings.seed, 0x3D])
        z = settings.shape[0]
        pixel, step = self._otf.pixel_um, settings.step_um
        deep = z * step
        clear = min(settings.clear_um, 0.45 * deep)
        wide = np.array([self._field[1] * pixel, self._field[0] * pixel, deep])
        area = float(wide[0] * wide[1])
        if settings.kind == "beads":
            count = max(1, round(_BEADS_PER_UM2 * settings.density * area))
            place = rng.random((count, 3)) * (wide - [0, 0, 2 * clear]) + [0, 0, clear]
            light = np.ones(count)
        else:
            count = max(1, round(_THREADS_PER_UM2 * settings.density * area))
            place, member = random_threads(count, wide, rng)
            light = rng.gamma(4.0, 0.25, count)[member]
            inside = (place[:, 2] > clear) & (place[:, 2] < deep - clear)
            place, light = place[inside], light[inside]
        grid = np.array([self._fine[2], self._fine[1], self._fine[0]]) * [self._pitch, self._pitch, self._pitch_z]
        place = place.copy()
        # A sample stands for the middle of its pixel; the planes' centres are where they are recorded.
        place[:, :2] -= 0.5 * self._pitch
        place[:, 2] += self._above * step - 0.5 * step
        return splat_volume(place, light, self._fine, grid)

    def _seen(self) -> Tensor:
        """Return the stack without noise, in a unit of its own, (z, angle, phase, y, x)."""
        settings, scope = self.settings, self.microscope
        z, y, x = settings.shape
        u = np.asarray(np.fft.fftfreq(self._fine[0], 1 / self._fine[0]) * self._pitch_z, np.float64)
        spectra = psf_spectra(
            self._fine[1:],
            self._pitch,
            u,
            na=scope.optics.na,
            index=scope.optics.immersion_index,
            emission_um=self.channel.emission_nm * 1e-3,
        )
        kx, ky = frequencies(self._fine[1:], self._pitch, half=True)
        # The first raw pixel's centre lies (FINE - 1) / 2 fine pixels right of the first fine pixel's.
        camera = pixel_mtf(kx, ky, self._otf.pixel_um) * shift_phase(kx, ky, 0.5 * (FINE - 1) * self._pitch)
        spectra = spectra * camera.to(torch.complex64)
        plain = torch.fft.fft(spectra, dim=0)
        frames = torch.empty(z, len(self.patterns), self.patterns.phases, y, x)
        level = self._imaged(self._object, plain)
        for angle, pattern in enumerate(self.patterns):
            axial = axial_frequency(pattern.period_um, self.channel.excitation_nm * 1e-3, scope.optics.immersion_index)
            wave = torch.from_numpy(np.cos(2 * math.pi * axial * u - pattern.axial_rad)).float()
            with_wave = torch.fft.fft(spectra * wave[:, None, None], dim=0)
            frames[:, angle] = level[:, None]
            for order, transfer in ((1, with_wave), (2, plain)):
                depth = pattern.modulation[order - 1]
                cosine, sine = (self._imaged(self._object * one, transfer) for one in self._waves(pattern, order))
                for phase, turn in enumerate(pattern.phases_rad):
                    angle_rad = order * turn + pattern.shift_rad(order)
                    frames[:, angle, phase] += depth * (math.cos(angle_rad) * cosine - math.sin(angle_rad) * sine)
        return frames

    def _waves(self, pattern: Pattern, order: int) -> tuple[Tensor, Tensor]:
        """Return cosine and sine of an order's carrier on the fine grid, its phase 0 at the frames' corner, (y, x)."""
        margin = MARGIN_PX * self._otf.pixel_um
        y = (torch.arange(self._fine[1], dtype=torch.float64) + 0.5) * self._pitch - margin
        x = (torch.arange(self._fine[2], dtype=torch.float64) + 0.5) * self._pitch - margin
        turn = 2 * math.pi * order * (pattern.kx * x[None, :] + pattern.ky * y[:, None])
        return turn.cos().float(), turn.sin().float()

    def _imaged(self, lit: Tensor, transfer: Tensor) -> Tensor:
        """Return the recorded planes of something on the fine grid, (z, y, x)."""
        z, y, x = self.settings.shape
        spectrum = torch.fft.rfftn(lit) * transfer
        image = torch.fft.irfftn(spectrum, s=self._fine)
        first, m = FINE_Z * self._above, FINE * MARGIN_PX
        found: Tensor = image[first : first + FINE_Z * z : FINE_Z, m : m + FINE * y : FINE, m : m + FINE * x : FINE]
        return found.contiguous()

    def _truth(self, scale: float) -> Tensor:
        """Return the structure through the ideal OTF, an ellipsoid's, with as much light as all planes record of it."""
        z, y, x = self.settings.shape
        lateral = extended_cutoff(self._otf.cutoff, self.patterns)
        axial = widefield_reach(self.microscope, self.channel) + max(
            axial_frequency(one.period_um, self.channel.excitation_nm * 1e-3, self.microscope.optics.immersion_index)
            for one in self.patterns
        )
        kz = torch.fft.fftfreq(self._fine[0], self._pitch_z)[:, None, None]
        kx, ky = frequencies(self._fine[1:], self._pitch, half=True)
        s = torch.sqrt(((kx.float() ** 2 + ky.float() ** 2) / lateral**2)[None] + (kz / axial) ** 2).clamp(max=1)
        ideal = (2 / math.pi) * (torch.acos(s) - s * torch.sqrt((1 - s * s).clamp(min=0)))
        image = torch.fft.irfftn(torch.fft.rfftn(self._object) * ideal, s=self._fine)
        first, m = FINE_Z * self._above, FINE * MARGIN_PX
        view = image[first : first + FINE_Z * z : FINE_Z, m : m + FINE * y, m : m + FINE * x]
        # Each of z planes records all light of a fine one; pixels of the image are as fine as the grid's.
        truth: Tensor = view * (scale * z * FINE_Z)
        return truth.contiguous()


def simulate_stack(
    microscope: Microscope, settings: StackSettings | None = None, *, channel: Channel | None = None, **more: object
) -> SimulatedStack:
    """Return a stack under three beams, with its truth.

    Args:
        microscope: optics, camera and pattern, of two harmonics.
        settings: what is grown and how it is recorded.
        channel: colour; the first one by default.
        more: fields of `StackSettings` that differ.

    Raises:
        pydantic.ValidationError: an unknown setting, or one out of range.
    """
    return StackSimulation(microscope, (settings or StackSettings()).replace(**more), channel).stack()
