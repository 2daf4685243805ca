"""An objective that is not ideal: a transfer function below the ideal one, as every real microscope has it.

Damping exp(-a f) stands for all that blurs a little (scatter, vibration, a dirty lens); defocus and spherical
aberration are phases across the pupil, whose autocorrelation is the OTF (Goodman, Introduction to Fourier Optics, 6.4).
Zernike polynomials after Noll 1976, 10.1364/JOSA.66.000207.
"""

import math
from functools import lru_cache
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rdl_live.optics._base import Description
from rdl_live.optics.microscope import Channel, Microscope, RadialOtf
from rdl_live.optics.otf import Otf

_SAMPLES = 65
"""Of the radial profile, from zero to the cut-off."""
_PUPIL = 64
"""Samples of the pupil across its diameter."""


class AberrationSettings(Description):
    """How the light's way differs from what the microscope file says; the defaults are an ideal microscope."""

    damping_um: Annotated[float, Field(ge=0, le=1)] = 0.0
    """a of the factor exp(-a f) on the OTF, f in cycles/um [um]: 0.1 leaves half at 7 cycles/um."""
    defocus_um: Annotated[float, Field(ge=-5, le=5)] = 0.0
    """Distance of the specimen from the focus [um]."""
    spherical_rad: Annotated[float, Field(ge=-10, le=10)] = 0.0
    """Coefficient of primary spherical aberration (Noll's Z11) [rad rms]; about 0.5 is the Marechal limit."""
    pixel_error: Annotated[float, Field(ge=-0.2, le=0.2)] = 0.0
    """The true pixel's size relative to that of the microscope file, less 1."""

    @property
    def ideal(self) -> bool:
        """Whether nothing is wrong."""
        return self == AberrationSettings()


ABERRATIONS = {
    "ideal": AberrationSettings(),
    "usual": AberrationSettings(damping_um=0.08, spherical_rad=0.3),
    "poor": AberrationSettings(damping_um=0.16, spherical_rad=0.6, defocus_um=0.1, pixel_error=0.015),
}
"""Settings by the name that a user chooses them by."""


def aberrated(otf: Otf, settings: AberrationSettings, scope: Microscope, channel: Channel | None = None) -> Otf:
    """Return the transfer function that there really is.

    Args:
        otf: as the microscope file has it.
        settings: what is wrong.
        scope: gives aperture and immersion.
        channel: colour; the first one by default.

    Returns:
        `otf` itself where nothing is wrong; else a radial profile that holds the pixel's MTF, averaged over directions.
        Frequencies are in cycles per um of the file's pixels, so a wrong pixel moves the cut-off.
    """
    if settings.ideal:
        return otf
    emission_um = (channel or scope.channels[0]).emission_nm * 1e-3
    k = np.linspace(0.0, otf.cutoff, _SAMPLES)
    share = np.linspace(0.0, 1.0, _SAMPLES)
    values = _believed(otf, k) * np.exp(-settings.damping_um * k)
    if settings.defocus_um or settings.spherical_rad:
        optics = scope.optics
        ideal = _pupil_otf(optics.na, optics.immersion_index, emission_um, 0.0, 0.0)
        wrong = _pupil_otf(optics.na, optics.immersion_index, emission_um, settings.defocus_um, settings.spherical_rad)
        # Near the rim both vanish; what is left of their quotient there is rounding.
        lost = np.where(ideal > 0.005, wrong / np.maximum(ideal, 0.005), 0.0)
        values = values * np.interp(share, np.linspace(0.0, 1.0, len(lost)), lost)
    scale = 1 + settings.pixel_error
    profile = RadialOtf(values=tuple(float(one) for one in values), spacing=scale * otf.cutoff / (_SAMPLES - 1))
    return Otf(scale * otf.cutoff, otf.pixel_um, profile)


def _believed(otf: Otf, k: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the file's own OTF at |k|, averaged over directions."""
    import torch

    turns = torch.linspace(0, math.pi / 4, 7, dtype=torch.float64)
    radius = torch.as_tensor(k)[:, None]
    return np.asarray(otf(radius * turns.cos(), radius * turns.sin()).mean(1).numpy())


@lru_cache(maxsize=64)
def _pupil_otf(
    na: float, index: float, emission_um: float, defocus_um: float, spherical_rad: float
) -> NDArray[np.float64]:
    """Return the OTF of a round pupil with these phases at 0 ... 1 times the cut-off, 1 at zero frequency."""
    size = 2 * _PUPIL
    axis = (np.arange(size) - _PUPIL) / (_PUPIL / 2)
    rho = np.hypot(axis[:, None], axis[None, :])
    sine = np.minimum(rho, 1.0) * min(na / index, 1.0)
    phase = 2 * math.pi * index / emission_um * defocus_um * np.sqrt(1 - sine**2)
    phase = phase + spherical_rad * math.sqrt(5) * (6 * rho**4 - 6 * rho**2 + 1)
    pupil = np.where(rho <= 1, np.exp(1j * phase), 0)
    spread = np.abs(np.fft.ifft2(np.fft.ifftshift(pupil))) ** 2
    transfer = np.fft.fft2(spread).real
    # The round pupil spans _PUPIL samples, its autocorrelation twice that: the cut-off lies at _PUPIL samples.
    profile = transfer[0, :_PUPIL] / transfer[0, 0]
    return np.append(profile, 0.0)
