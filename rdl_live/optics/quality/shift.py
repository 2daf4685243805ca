"""Sub-pixel shift between two noisy pictures of the same specimen.

Phase correlation whose weights follow from the signal-to-noise ratio of each ring of the spectrum (the
generalised cross-correlation of Knapp and Carter, IEEE Trans. ASSP 24, 320, 1976): at low light the rings
that hold only noise do not count, at high light all rings count alike, so that neither a bright blob nor a
rest of the illumination pattern decides. The maximum is found on the pixel grid, then on a finer one by a
matrix-product DFT (Guizar-Sicairos et al., Opt. Lett. 33, 156, 2008), then by Newton steps. Three pictures of
512 x 512 take 22 ms on two CPU threads.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.optics.fourier import frequencies
from rdl_live.optics.quality.rings import (
    Rings,
    check_image,
    effective_fraction,
    rings,
    taper,
    tapered_spectrum,
)

RELIABLE_SCORE = 7.0
"""The highest of a million samples of pure noise stands about 5 deviations above zero."""
_LARGEST_SNR = 10.0
_SKIPPED_RINGS = 3  # periods above a third of the picture: uneven light rather than specimen


@dataclass(frozen=True)
class Shift:
    """How far the second picture is displaced from the first."""

    x_um: float
    """To the right [um]."""
    y_um: float
    """Down [um]."""
    error_um: float
    """Expected standard deviation of the distance from noise [um]; infinite where nothing was found."""
    score: float
    """Height of the correlation peak over the correlation's own scatter; 0 where there is no signal."""

    @property
    def distance_um(self) -> float:
        """Length of the shift [um]."""
        return math.hypot(self.x_um, self.y_um)

    @property
    def reliable(self) -> bool:
        """Whether the peak can be distinguished from chance."""
        return self.score >= RELIABLE_SCORE


NO_SHIFT = Shift(0.0, 0.0, math.inf, 0.0)
"""What is reported where the pictures hold no common signal."""


def image_shift(reference: Tensor, moved: Tensor, pixel_um: float, *, max_shift_um: float | None = None) -> Shift:
    """Return the shift from `reference` to `moved`.

    Args:
        reference: picture (y, x), any unit; its noise must be white (raw or averaged raw frames).
        moved: picture of the same shape.
        pixel_um: pixel [um].
        max_shift_um: how far to look along x and y [um]; a quarter of the shorter side where left out.

    Raises:
        ValueError: not two pictures of one shape.
    """
    if moved.shape != reference.shape:
        raise ValueError(f"pictures differ in shape: {tuple(reference.shape)} and {tuple(moved.shape)}")
    return shifts_from_first(torch.stack([reference, moved]), pixel_um, max_shift_um=max_shift_um)[0]


def shifts_from_first(pictures: Tensor, pixel_um: float, *, max_shift_um: float | None = None) -> tuple[Shift, ...]:
    """Return the shift of each picture after the first from the first one; arguments as in `image_shift`.

    Args:
        pictures: (picture, y, x).
        pixel_um: pixel [um].
        max_shift_um: how far to look along x and y [um]; a quarter of the shorter side where left out.

    Raises:
        ValueError: not pictures (picture, y, x).
    """
    if pictures.ndim != 3:
        raise ValueError(f"needs pictures (picture, y, x), got {tuple(pictures.shape)}")
    check_image(pictures[0], pixel_um)
    shape = (pictures.shape[1], pictures.shape[2])
    window = taper(shape, device=pictures.device)
    grid = rings(shape, pixel_um, device=pictures.device)
    spectra = tapered_spectrum(pictures, window)  # (picture, y, x // 2 + 1)
    power = torch.stack([grid.mean(power) for power in spectra.real.square() + spectra.imag.square()])
    reach = (max_shift_um if max_shift_um is not None else 0.25 * min(shape) * pixel_um) / pixel_um
    found = []
    for other in range(1, len(pictures)):
        snr, signal = _ring_snr((power[0] + power[other]) / 2, grid)
        information = snr.square() / (1 + 2 * snr)
        weights = torch.where(signal > 0, information / signal.clamp(min=1e-30), 0.0).to(torch.float32)
        cross = spectra[0].conj() * spectra[other] * weights[grid.index]
        error = _expected_error(information, grid, effective_fraction(window))
        coarse = _locate(cross, shape, pixel_um, reach, error)
        found.append(_recentred(pictures[0], pictures[other], coarse, pixel_um))
    return tuple(found)


def _recentred(reference: Tensor, moved: Tensor, coarse: Shift, pixel_um: float) -> Shift:
    """Measure again on what both pictures show, if they are a pixel or more apart.

    The window stands still while the specimen moves, which pulls a shift towards zero, by about 1 %.
    """
    x, y = round(coarse.x_um / pixel_um), round(coarse.y_um / pixel_um)
    rows, columns = moved.shape[0] - abs(y), moved.shape[1] - abs(x)
    if not coarse.reliable or (x, y) == (0, 0) or min(rows, columns) < 16:
        return coarse
    first = reference[max(-y, 0) :, max(-x, 0) :][:rows, :columns]
    second = moved[max(y, 0) :, max(x, 0) :][:rows, :columns]
    (rest,) = shifts_from_first(torch.stack([first, second]), pixel_um, max_shift_um=0.5 * pixel_um)
    if not rest.reliable:
        return coarse
    return Shift(x * pixel_um + rest.x_um, y * pixel_um + rest.y_um, rest.error_um, rest.score)


def _ring_snr(power: Tensor, grid: Rings) -> tuple[Tensor, Tensor]:
    """Return signal-to-noise power ratio and signal power of every ring and of the corners, (rings + 1,).

    The noise is white and its power is read off the corners beyond the Nyquist frequency, where a well
    sampled picture holds nothing else; a ring counts as signal from two deviations above it.
    """
    noise = power[-1].clamp(min=1e-6 * float(power.max()) + 1e-30)
    snr = power / noise - 1
    snr = torch.where(snr > 2 / grid.count.clamp(min=1).sqrt(), snr, 0.0)
    snr[:_SKIPPED_RINGS] = 0
    snr[-1] = 0
    return snr.clamp(max=_LARGEST_SNR), snr * noise


def _expected_error(information: Tensor, grid: Rings, independent: float) -> float:
    """Return the standard deviation of the distance [um] by the Cramer-Rao bound of Knapp and Carter."""
    slope = (2 * math.pi * grid.frequency).square() / 2  # mean of kx^2, and of ky^2, over a ring
    along = independent * float((information * grid.count)[:-1] @ slope)
    return math.sqrt(2 / along) if along > 0 else math.inf


def _locate(cross: Tensor, shape: tuple[int, int], pixel_um: float, reach: float, error_um: float) -> Shift:
    """Return the shift at the maximum of the correlation whose half-plane spectrum is `cross`."""
    correlation = torch.fft.irfft2(cross, s=shape)
    # The median ignores the peak itself; 1.4826 makes it a standard deviation.
    scatter = 1.4826 * float(correlation.abs().median())
    rows, columns = (torch.fft.fftfreq(n, d=1 / n, device=cross.device) for n in shape)
    near = (rows.abs() <= reach)[:, None] & (columns.abs() <= reach)[None, :]
    best = int(torch.where(near, correlation, -math.inf).argmax())
    height = float(correlation.flatten()[best])
    if not height > 0 or not scatter > 0:
        return NO_SHIFT
    y, x = float(rows[best // shape[1]]), float(columns[best % shape[1]])
    y, x = _climb(cross, shape, *_zoom(cross, shape, y, x))
    return Shift(x * pixel_um, y * pixel_um, error_um, height / scatter)


def _axes(cross: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return ky (Y,) and kx (X // 2 + 1,) [rad/pixel] and how often each column occurs in the full plane."""
    kx, ky = (2 * math.pi * k for k in frequencies(shape, 1.0, half=True, device=cross.device))
    copies = torch.full_like(kx[0], 2.0)
    copies[0] = 1
    if shape[1] % 2 == 0:
        copies[-1] = 1
    return ky[:, 0], kx[0], copies


def _zoom(cross: Tensor, shape: tuple[int, int], y: float, x: float) -> tuple[float, float]:
    """Return (y, x) of the highest correlation on a grid of 1/8 pixel within one pixel of (y, x) [pixels]."""
    ky, kx, copies = _axes(cross, shape)
    offsets = torch.linspace(-1, 1, 17, dtype=torch.float64, device=cross.device)
    rows = torch.exp(1j * (y + offsets)[:, None] * ky).to(torch.complex64)  # (17, Y)
    columns = (copies[:, None] * torch.exp(1j * kx[:, None] * (x + offsets))).to(torch.complex64)  # (X, 17)
    best = int((rows @ cross @ columns).real.argmax())
    return y + float(offsets[best // 17]), x + float(offsets[best % 17])


def _climb(cross: Tensor, shape: tuple[int, int], y: float, x: float, steps: int = 4) -> tuple[float, float]:
    """Climb from (y, x) [pixels] to the correlation's maximum by Newton steps; stop where it is no hill."""
    ky, kx, copies = _axes(cross, shape)
    for _ in range(steps):
        rows = torch.exp(1j * y * ky) * torch.stack([ky**0, ky, ky**2])  # (3, Y)
        columns = (copies * torch.exp(1j * x * kx))[:, None] * torch.stack([kx**0, kx, kx**2], dim=1)
        moments = (rows.to(torch.complex64) @ cross @ columns.to(torch.complex64)).cpu()  # ky^i kx^j
        slope_y, slope_x = -float(moments[1, 0].imag), -float(moments[0, 1].imag)
        bend_yy, bend_xx, bend_xy = (-float(moments[i].real) for i in ((2, 0), (0, 2), (1, 1)))
        bend = bend_xx * bend_yy - bend_xy**2
        if not (bend_xx < 0 and bend > 0):
            break
        y, x = (
            y - (bend_xx * slope_y - bend_xy * slope_x) / bend,
            x - (bend_yy * slope_x - bend_xy * slope_y) / bend,
        )
    return y, x
