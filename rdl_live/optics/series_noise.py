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

from rdl_live.optics.noise_floor import TAPER, window2d, zones_beyond
from rdl_live.optics.otf import Otf

CERTAIN = 4.0
"""Standard deviations by which the frames' mean must exceed what changing noise leaves of it."""
_FADED = 1.0
"""Taper of the window for what is fixed: where edges fade fast a bright specimen leaks out of the OTF's support."""
_LEAST_RELATIVE = 1e-6
"""Of the light: noise below this is rounding."""


@dataclass(frozen=True)
class SeriesNoise:
    """Variances per pixel of a frame [photons^2]."""

    changing: float
    """Of what is new in each frame: photon and read noise."""
    fixed: float
    """Of what is the same in all frames and no structure can be; 0 where none is certain."""
    frames: int
    """Frames of a series."""

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
    return SeriesNoise(changing, 0.0 if faded is None else faded.fixed(), frames)


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
        """Mean over both zones."""
        return float((zones * self.sizes).sum() / self.sizes.sum())

    def fixed(self) -> float:
        """Return the variance that all frames have in common, 0 where it may be chance.

        A pattern of the pixels is in both zones; what is in one of them alone is the specimen's.
        """
        excess = self.of_mean - self.changing / self.frames
        zone = int(excess.argmin())
        sigma = float(self.of_mean[zone] / self.sizes[zone].sqrt())
        return float(excess[zone]) if float(excess[zone]) > CERTAIN * sigma else 0.0


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
