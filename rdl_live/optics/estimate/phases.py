"""Phase, modulation and brightness of every frame at a known k0.

In the overlap of the two bands every frame is regressed on what the widefield predicts,

    D_j(k) H(k - k0) = z_j [H(k) W(k - k0)] + u_j [H(k - k0) W(k)],      z_j = a_j m / 2 exp(i phi_j),

W the mean of all frames of the series. The second term keeps the widefield part of the frame out of z_j.
Both inner products are biased by noise that frame and mean share; the noise is white (its floor is
measured) and for photons its transform at k0 is that of the frame itself, so both biases are known and taken off.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.optics.estimate.bands import Bands, phase_dft
from rdl_live.optics.estimate.refine import Overlap, plane_wave


@dataclass(frozen=True)
class Modulation:
    """What one orientation's frames say of a pattern."""

    amplitudes: Tensor
    """z_j of every phase step, (P,) complex128; |z_j| = m / 2, phase at the image corner."""
    sigma: float
    """Standard error of each amplitude, real and imaginary part alike; infinite where nothing can be said."""
    brightness: Tensor
    """u_j of every phase step, (P,) complex128; a_j plus a leak of the unknown band along exp(-i phi_j)."""
    brightness_sigma: float
    coherence: float
    """How the phases of sideband and prediction agree: their correlation over what random phases would give."""


def regress(bands: Bands, orientation: int, k0: tuple[float, float], overlap: Overlap) -> Modulation:
    """Return the complex amplitude at k0 of every frame of one orientation.

    The overlap may be that of a k0 some tenths of an FFT pixel off: the OTF changes by less than 1 % over that.
    """
    carrier = plane_wave(k0, bands.shape, bands.otf.pixel_um, bands.widefield.device)
    weight, here, there = overlap.weight, overlap.here, overlap.there
    widefield = overlap.cut(bands.spectra[0].mean(dim=1))
    shifted = overlap.cut(torch.fft.fft2(bands.widefield * carrier))
    moved = shifted * (weight * here * there)
    still = widefield * (weight * there**2)
    orders = _orders(bands, orientation, overlap)
    on_moved, on_still = _per_frame(orders, moved), _per_frame(orders, still)
    floor = float(bands.floor[orientation])
    mean_floor = float(bands.floor.mean()) / bands.frame_count * bands.times
    here_power, there_power, mixed_power = (
        _sum(weight * x * y) for x, y in ((here, here), (there, there), (here, there))
    )
    moved_power = _sum(_power(shifted) * (weight * here**2)) - mean_floor * here_power
    still_power = _sum(_power(widefield) * (weight * there**2)) - mean_floor * there_power
    mixed = complex((widefield.conj() * shifted * (weight * here * there)).sum())
    on_moved = on_moved - _shared_noise(bands, orientation, carrier, floor) * mixed_power
    on_still = on_still - floor / bands.frame_count * there_power * bands.times
    determinant = moved_power * still_power - abs(mixed) ** 2
    if not (moved_power > 0 and still_power > 0 and determinant > 0):
        nothing = torch.zeros(bands.phases, dtype=torch.complex128)
        return Modulation(nothing, math.inf, nothing + 1, math.inf, 0.0)
    # Normal equations: [moved_power, <still, moved>; <moved, still>, still_power] [z, u] = [on_moved, on_still].
    amplitudes = (on_moved * still_power - on_still * mixed.conjugate()) / determinant
    brightness = (on_still * moved_power - on_moved * mixed) / determinant
    # Steps that are not equal leave mean(z) H S(k - k0) in the frames' mean, 1 / A of it in W: put it back.
    if bands.angles > 1:
        amplitudes = amplitudes + amplitudes.mean() / (bands.angles - 1)
    spread = floor * _sum(_power(moved))
    spread_still = floor * _sum(_power(still))
    return Modulation(
        amplitudes,
        math.sqrt(spread / 2) / moved_power,
        brightness,
        math.sqrt(spread_still / 2) / still_power,
        _coherence(orders[1], moved),
    )


def relative_depth(bands: Bands, orientation: int, k0: tuple[float, float], harmonic: int) -> tuple[complex, float]:
    """Return how a harmonic's band compares to the one below it, and the standard error of that.

    Bands h and h - 1 lie only k0 apart, whereas band h may not reach the widefield at all:

        B_h(k) H(k - k0) = c [H(k) B_(h-1)(k - k0)],     c = m_h / m_(h-1) exp(i phi).
    """
    overlap = Overlap(bands, k0, ratio=1.0)
    lower = phase_dft(bands.frames[:, orientation], harmonic - 1)
    carrier = plane_wave(k0, bands.shape, bands.otf.pixel_um, lower.device)
    shifted = overlap.cut(torch.fft.fft2(lower * carrier))
    weight, here, there = overlap.weight, overlap.here, overlap.there
    moved = shifted * (weight * here * there)
    floor = float(bands.floor[orientation]) / bands.phases
    power = _sum(_power(shifted) * (weight * here**2)) - floor * bands.times * _sum(weight * here**2)
    if power <= 0:
        return 0j, math.inf
    shared = torch.fft.fft(_shared_noise(bands, orientation, carrier, float(bands.floor[orientation])), norm="forward")
    found = complex((overlap.cut(bands.spectra[harmonic, :, orientation]) * moved.conj()).sum())
    # Both bands are of the same P frames: their noises have the phase DFT's order 1 of the light in common.
    common = complex(shared[1]) * bands.frame_count / bands.phases * _sum(weight * here * there)
    return (found - common) / power, math.sqrt(floor * _sum(_power(moved)) / 2) / power


def _coherence(sideband: Tensor, regressor: Tensor) -> float:
    """Return |sum x conj(y)| / root sum |x|^2 |y|^2: about 1 for random phases, however uneven the spectra are."""
    by_chance = _sum(_power(sideband) * _power(regressor))
    return float((sideband * regressor.conj()).sum().abs()) / math.sqrt(by_chance) if by_chance > 0 else 0.0


def _sum(values: Tensor) -> float:
    return float(values.sum(dtype=torch.float64))


def _power(values: Tensor) -> Tensor:
    return values.real**2 + values.imag**2


def _orders(bands: Bands, orientation: int, overlap: Overlap) -> Tensor:
    """Return all orders 0 ... P - 1 of the phase DFT in the overlap, (P, T, rows, columns)."""
    spectra = bands.spectra[:, :, orientation]
    half = [overlap.cut(order) for order in spectra]
    mirrored = [overlap.cut_mirrored(spectra[bands.phases - order]) for order in range(len(half), bands.phases)]
    return torch.stack([*half, *mirrored])


def _per_frame(orders: Tensor, regressor: Tensor) -> Tensor:
    """Return <frame, regressor> of every frame, (P,) complex128 on the CPU, from orders (P, T, rows, columns)."""
    inner = orders.flatten(1) @ regressor.conj().flatten()
    frames: Tensor = torch.fft.ifft(inner.to("cpu", torch.complex128), norm="forward")
    return frames


def _shared_noise(bands: Bands, orientation: int, carrier: Tensor, floor: float) -> Tensor:
    """Return E[n_j(k) conj(n_W(k - k0))] per frame, (P,) complex128.

    Frame j is 1 / (A P) of the mean W. White noise of variance v(x) gives sum_x w^2 v exp(-2 pi i k0 r) / (A P);
    the photons' part of v is proportional to the frame itself.
    """
    window = bands.grid.window
    area = float((window.double() ** 2).sum())
    # Photon noise: variance = scale x light, scale 1 on a calibrated camera. Read noise has no component at k0.
    scale = (floor / area - bands.read_noise_e**2) / bands.photons if bands.photons > 0 else 0.0
    frames = bands.frames[:, orientation].sum(dim=0) if bands.times > 1 else bands.frames[0, orientation]
    at_k0 = torch.view_as_complex(frames.flatten(1) @ torch.view_as_real(window * carrier).flatten(0, 1))
    return at_k0.conj().to("cpu", torch.complex128) * (max(scale, 0.0) / bands.frame_count)
