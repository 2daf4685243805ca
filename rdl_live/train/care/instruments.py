"""Simulated microscopes of simulated pairs: a light sheet and a confocal, from the wave optics of a round pupil.

The PSF in space is |FT[pupil x exp(2 pi i z sqrt((n / lambda)^2 - k^2))]|^2 (scalar and free of aberrations; Goodman,
Introduction to Fourier Optics, chapter 6). A light sheet multiplies it by a Gaussian profile along z; a confocal by the
PSF of the excitation, after averaging it over the pinhole.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache

import numpy as np
import torch
from torch import Tensor

from rdl_live.train.care.structures import Box, Rng

MICROSCOPES = 32
"""Of each kind: so few that their transfer functions are kept."""
_STOKES_NM = 40.0
_SIGMA_OF_FWHM = 1 / 2.3548


class Instrument(StrEnum):
    """Kinds of microscopes."""

    LIGHT_SHEET = "light-sheet"
    CONFOCAL = "confocal"


@dataclass(frozen=True)
class Optics:
    """Of one simulated microscope."""

    instrument: Instrument
    na: float
    index: float
    emission_nm: float
    pixel_um: float
    step_um: float
    sheet_um: float = 2.0
    """Full width at half maximum of the light sheet."""
    pinhole_airy: float = 1.0
    """Diameter of the pinhole, in those of the Airy disk."""


def drawn_optics(rng: Rng, instrument: Instrument) -> Optics:
    """Draw one of many microscopes of a kind, sampled near Nyquist's limit as usual ones are."""
    return _one_of(instrument, int(rng.integers(MICROSCOPES)))


@cache
def _one_of(instrument: Instrument, number: int) -> Optics:
    rng = np.random.default_rng([len(instrument), number])
    emission = rng.uniform(500, 680)
    if instrument is Instrument.LIGHT_SHEET:
        na = rng.uniform(0.5, 1.1)
        pixel = emission * 1e-3 / (4 * na) * rng.uniform(0.7, 1.1)
        return Optics(instrument, na, 1.33, emission, pixel, rng.uniform(0.2, 0.6), sheet_um=rng.uniform(1.0, 3.0))
    na = rng.uniform(1.0, 1.35)
    pixel = emission * 1e-3 / (4 * na) * rng.uniform(0.7, 1.1)
    return Optics(instrument, na, 1.515, emission, pixel, rng.uniform(0.15, 0.4), pinhole_airy=rng.uniform(0.7, 1.5))


@lru_cache(maxsize=2 * MICROSCOPES)
def transfer(optics: Optics, shape: tuple[int, int, int]) -> Tensor:
    """Return the transfer function of a box (z, y, x / 2 + 1), 1 at zero frequency: multiply a spectrum by it."""
    detection = pupil_psf(shape, optics, optics.emission_nm)
    z = torch.fft.fftfreq(shape[0], 1 / (shape[0] * optics.step_um))[:, None, None]
    if optics.instrument is Instrument.LIGHT_SHEET:
        psf = detection * torch.exp(-0.5 * (z / (optics.sheet_um * _SIGMA_OF_FWHM)) ** 2)
    else:
        excitation = pupil_psf(shape, optics, optics.emission_nm - _STOKES_NM)
        psf = excitation * _through_pinhole(detection, optics)
    found: Tensor = torch.fft.rfftn(psf / psf.sum())
    return found


def pupil_psf(shape: tuple[int, int, int], optics: Optics, wavelength_nm: float) -> Tensor:
    """Return the intensity of a point (z, y, x) around the first voxel, periodic; every plane holds the same light."""
    wave = wavelength_nm * 1e-3
    ky = torch.fft.fftfreq(shape[1], optics.pixel_um)[:, None]
    kx = torch.fft.fftfreq(shape[2], optics.pixel_um)[None]
    squared = ky**2 + kx**2
    pupil = (squared <= (optics.na / wave) ** 2).float()
    along = torch.sqrt(((optics.index / wave) ** 2 - squared).clamp(min=0))
    z = torch.fft.fftfreq(shape[0], 1 / (shape[0] * optics.step_um))[:, None, None]
    field = torch.fft.ifft2(pupil * torch.polar(torch.ones_like(z * along), 2 * torch.pi * z * along))
    psf: Tensor = field.real**2 + field.imag**2
    return psf / psf.sum(dim=(1, 2), keepdim=True)


def _through_pinhole(psf: Tensor, optics: Optics) -> Tensor:
    """Return the detection's PSF averaged over the pinhole, in each plane."""
    radius = 0.5 * optics.pinhole_airy * 1.22 * optics.emission_nm * 1e-3 / optics.na
    y, x = (torch.fft.fftfreq(n, 1 / (n * optics.pixel_um)) for n in psf.shape[1:])
    # Soft over one pixel, so that the pinhole's size is not a matter of whole pixels.
    hole = ((radius - torch.hypot(y[:, None], x[None])) / optics.pixel_um + 0.5).clamp(0, 1)
    passed: Tensor = torch.fft.irfft2(torch.fft.rfft2(psf) * torch.fft.rfft2(hole), s=psf.shape[1:])
    return passed.clamp(min=0)


def seen(light: Tensor, optics: Optics) -> Tensor:
    """Return what the microscope makes of light in a box (z, y, x), without noise, in the same unit."""
    shape = (light.shape[0], light.shape[1], light.shape[2])
    image: Tensor = torch.fft.irfftn(torch.fft.rfftn(light) * transfer(optics, shape), s=shape)
    return image.clamp(min=0)


def box_of(optics: Optics, shape: tuple[int, int, int]) -> Box:
    """Return a box of this microscope's voxels."""
    return Box(shape, optics.step_um, optics.pixel_um)


def noisy(expected: Tensor, read_noise: float, rng: Rng) -> Tensor:
    """Return photons with photon noise and read noise [electrons]."""
    counts = rng.poisson(expected.numpy().astype(np.float64)) + rng.normal(0.0, read_noise, tuple(expected.shape))
    return torch.from_numpy(counts.astype(np.float32))
