"""The noise of a series in two parts: what changes from frame to frame, and what all of its frames have in common.

Beyond the OTF's cut-off, a frame holds nothing but noise. With t the variance of what changes and f that of a fixed
pattern of the camera (offsets that differ from pixel to pixel), the N frames and their mean have the powers

    frame: t + f,    mean of N frames: t / N + f.

A fixed pattern adds up in the widefield band and is absent from the sidebands, whose weights add up to zero: the bands
of a series have no common noise floor.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.optics.fourier import frequencies
from rdl_live.optics.noise_floor import SMOOTHED, TAPER, window2d, zones_beyond
from rdl_live.optics.otf import Otf

CERTAIN = 4.0
"""Standard deviations by which the frames' mean must exceed what changing noise leaves of it."""
_FADED = 1.0
"""Taper of the window for what is fixed: where edges fade fast a bright specimen leaks out of the OTF's support."""
_WITHIN = (0.6, 0.7, 0.8, 0.9)
"""Where the noise is read within the OTF, in cut-offs: below, motion and bleaching of the specimen count."""
_LEAST_SHOT = 0.05
"""Noise power below this share of the light is no photon noise, whatever the pixels were made of."""
_LEAST_RELATIVE = 1e-6
"""Of the light: noise below this is rounding."""


_LEAKS = 3e-4
"""Of the brightest pixel: what a bright spot at the window's edge leaves beyond the cut-off."""


@dataclass(frozen=True)
class SeriesNoise:
    """Variances per pixel of a frame [photons^2]."""

    changing: float
    """Of what is new in each frame: photon and read noise."""
    fixed: float
    """Of what is the same in all frames and no structure can be; 0 where none is certain."""
    frames: int
    """Frames of a series."""
    fixed_measured: float = 0.0
    """`fixed` as measured, certain or not; may be below 0."""
    fixed_sigma: float = 0.0
    """Its standard error; 0 where it cannot be measured."""
    smoothed: bool = False
    """Whether pixels were interpolated or smoothed: the noise is then not white, and was read near the cut-off."""

    @property
    def excess(self) -> float:
        """Noise power that is fixed in the mean of a series, relative to that which changes."""
        return self.fixed * self.frames / self.changing


def series_noise(photons: Tensor, otf: Otf, read_noise_e: float = 0.0) -> SeriesNoise:
    """Measure the noise of series.

    Args:
        photons: (T, A, P, y, x) float32; several time points are averaged over.
        otf: detection OTF.
        read_noise_e: of the camera [electrons], used where the OTF leaves no frequencies to measure at.
    """
    frames = photons.shape[1] * photons.shape[2]
    level = float(photons.mean())
    least = max(_LEAST_RELATIVE * abs(level), 1e-12)
    whole = _beyond(photons, otf, TAPER)
    if whole is None:
        return SeriesNoise(max(level + read_noise_e**2, least), 0.0, frames)
    if frames == 1:
        return SeriesNoise(max(whole.total(whole.of_frame), least), 0.0, frames)
    changing = max(whole.total(whole.changing), least)
    faded = _beyond(photons, otf, _FADED)
    # A specimen without noise leaks most into what is near; it is far below what light would have.
    smoothed = bool(whole.changing[1] < SMOOTHED * whole.changing[0]) and changing > _LEAST_SHOT * level
    measured, sigma = (0.0, 0.0) if faded is None else faded.fixed()
    leaked = (_LEAKS * float(photons.mean(dim=(0, 1, 2)).max())) ** 2
    fixed = measured if measured > max(CERTAIN * sigma, leaked) else 0.0
    if smoothed:
        within = max(_within(photons, otf), changing)
        changing, fixed = within, fixed * within / changing
    return SeriesNoise(changing, fixed, frames, measured, sigma, smoothed)


def _within(photons: Tensor, otf: Otf) -> float:
    """Return the variance of what changes, read within the OTF: the orientations' means differ by noise alone."""
    orientations, phases = photons.shape[1:3]
    if orientations == 1:
        return 0.0
    shape = (photons.shape[-2], photons.shape[-1])
    means = photons.mean(dim=2)
    window = window2d(shape, photons.device)
    light = means.mean(dim=(-2, -1), keepdim=True)
    # Brought to equal light, for bleaching is no noise.
    means = (means - light) * (light.mean() / light.clamp(min=1e-6)) * window
    spectra = torch.fft.rfft2(means - means.mean(dim=1, keepdim=True))
    scatter = _power(spectra).sum(dim=1).mean(dim=0) * phases / (orientations - 1)
    kx, ky = frequencies(shape, otf.pixel_um, half=True, device=photons.device)
    k = torch.hypot(kx, ky) / otf.cutoff
    levels = [scatter[(k >= low) & (k < low + 0.1)].mean() for low in _WITHIN]
    return float(torch.stack(levels).nanmedian() / window.square().sum())


@dataclass(frozen=True)
class _Beyond:
    """Variances per pixel beyond the cut-off, in a nearer and a farther zone, each (2,) float64."""

    of_frame: Tensor
    of_mean: Tensor
    sizes: Tensor
    """Independent samples of the mean."""
    frames: int

    @property
    def changing(self) -> Tensor:
        """What is new in each frame."""
        return (self.of_frame - self.of_mean) * self.frames / (self.frames - 1)

    def total(self, zones: Tensor) -> float:
        """Mean over both zones, of the nearer one where the noise is not white."""
        if bool(zones[1] < SMOOTHED * zones[0]):
            return float(zones[0])
        return float((zones * self.sizes).sum() / self.sizes.sum())

    def fixed(self) -> tuple[float, float]:
        """Return the variance that all frames have in common, and its standard error.

        A pattern of the pixels is in both zones; what is in one of them alone is the specimen's.
        """
        excess = self.of_mean - self.changing / self.frames
        zone = 0 if bool(self.changing[1] < SMOOTHED * self.changing[0]) else int(excess.argmin())
        sigma = float(self.of_mean[zone] / self.sizes[zone].sqrt())
        return float(excess[zone]), sigma


def _beyond(photons: Tensor, otf: Otf, taper: float) -> _Beyond | None:
    """Measure with a window of this taper; None where the OTF fills the spectrum."""
    shape = (photons.shape[-2], photons.shape[-1])
    window = window2d(shape, photons.device, taper)
    spectra = torch.fft.rfft2(((photons - photons.mean(dim=(-2, -1), keepdim=True)) * window).flatten(1, 2))
    each, together = (zones_beyond(one, otf, shape[1]) for one in (_power(spectra), _power(spectra.mean(dim=1))))
    if each is None or together is None:
        return None
    squares = window.double().square()
    area = float(squares.sum())
    # The window joins neighbouring samples; of two opposite ones of a real image each is the other's conjugate.
    alone = area**2 / float(window.numel() * squares.square().sum())
    sizes = 0.5 * alone * len(photons) * each.sizes
    return _Beyond(each.powers.mean(dim=(0, 1)) / area, together.powers.mean(dim=0) / area, sizes, spectra.shape[1])


def _power(spectrum: Tensor) -> Tensor:
    return spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)
