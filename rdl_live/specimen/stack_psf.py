"""The PSF of an objective in space, by integration over its pupil: what a simulated stack is seen through.

Vectorial, of emitters of all orientations (Richards and Wolf 1959, 10.1098/rspa.1959.0200):

    h(r, u) = |I_0|^2 + 2 |I_1|^2 + |I_2|^2,   I_n = int_0^alpha f_n(t) J_n(K r sin t) exp(i K u cos t) dt
    f_0 = cos^(1/2) t sin t (1 + cos t),   f_1 = cos^(1/2) t sin^2 t,   f_2 = cos^(1/2) t sin t (1 - cos t)

with K = 2 pi n / emission. The reconstruction's OTF is made otherwise, from overlaps of the pupil; both assume
the same aperture, index, wavelength, emitters and sine condition, and no aberrations.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]
_NODES = 160
_NODES_A_UM = 30
_RADIAL_UM = 0.01


def radial_psf(r_um: Floats, u_um: Floats, *, na: float, index: float, emission_um: float) -> Floats:
    """Return h(r, u), (u, r), in a unit of its own."""
    from scipy.special import jv

    alpha = math.asin(min(na / index, 0.9999))
    nodes, weights = np.polynomial.legendre.leggauss(_NODES + round(_NODES_A_UM * float(np.abs(u_um).max())))
    t, dt = 0.5 * alpha * (nodes + 1), 0.5 * alpha * weights
    wave = 2 * math.pi * index / emission_um
    root, sine, cosine = np.sqrt(np.cos(t)), np.sin(t), np.cos(t)
    through = np.exp(1j * wave * np.outer(u_um, cosine))
    found = np.zeros((len(u_um), len(r_um)))
    for order, share, part in ((0, 1, 1 + cosine), (1, 2, sine), (2, 1, 1 - cosine)):
        radial = jv(order, wave * np.outer(sine, r_um)) * (root * sine * part * dt)[:, None]
        found += share * np.abs(through @ radial) ** 2
    return found


def psf_spectra(
    frame: tuple[int, int], pixel_um: float, u_um: Floats, *, na: float, index: float, emission_um: float
) -> Tensor:
    """Return the transform over the plane of h(r, u) at every u, (u, y, x // 2 + 1) float32, 1 at zero for every u.

    Args:
        frame: (y, x) of the fine grid, periodic.
        pixel_um: of it [um].
        u_um: distances from focus [um].
        na: numerical aperture.
        index: of the immersion medium.
        emission_um: wavelength [um].
    """
    y, x = (np.fft.fftfreq(size, 1 / size) * pixel_um for size in frame)
    r = np.hypot(y[:, None], x[None, :])
    table_r = np.arange(0.0, float(r.max()) + 2 * _RADIAL_UM, _RADIAL_UM)
    known, back = np.unique(np.round(np.abs(u_um), 9), return_inverse=True)
    tables = radial_psf(table_r, np.asarray(known, np.float64), na=na, index=index, emission_um=emission_um)
    found = []
    for row in tables:
        image = torch.from_numpy(np.interp(r, table_r, row))
        # No light is lost out of focus: what the grid is too narrow for is spread over it.
        found.append((torch.fft.rfft2(image / image.sum())).real.float())
    return torch.stack(found)[torch.from_numpy(back)]
