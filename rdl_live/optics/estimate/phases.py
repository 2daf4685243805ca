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

from rdl_live.optics.estimate.bands import Bands
from rdl_live.optics.estimate.refine import Overlap


@dataclass(frozen=True)
class Modulation:
    """What one orientation's frames say of a pattern."""

    amplitudes: Tensor
    """z_j of every phase step, (P,) complex128; |z_j| = m / 2, phase at the image corner."""
    sigma: float
    """Standard error of each amplitude, real and imaginary part alike."""
    brightness: Tensor
    """u_j of every phase step, (P,) complex128; a_j plus a leak of the unknown band along exp(-i phi_j)."""
    brightness_sigma: float


def regress(bands: Bands, orientation: int, k0: tuple[float, float], *, harmonic: int = 1) -> Modulation:
    """Return the complex amplitude at harmonic x k0 of every frame of one orientation."""
    trial = (harmonic * k0[0], harmonic * k0[1])
    overlap = Overlap(bands, trial)
    pixels = bands.widefield.shape[-2] * bands.widefield.shape[-1]
    widefield: Tensor = torch.fft.fft2(bands.widefield)
    shifted: Tensor = torch.fft.fft2(bands.widefield * overlap.carrier)
    weight, here, there = overlap.weight, overlap.here, overlap.there
    moved = shifted * (weight * here * there)
    still = widefield * (weight * there**2)
    # <frame, regressor> by Parseval in real space: two transforms serve all frames.
    frames = bands.frames[:, orientation].to(torch.float32)
    on_moved = _inner(frames, torch.fft.ifft2(moved)) * pixels
    on_still = _inner(frames, torch.fft.ifft2(still)) * pixels
    floor = float(bands.floor[orientation])
    mean_floor = float(bands.floor.mean()) / bands.frame_count
    noise = _shared_noise(bands, orientation, overlap, floor)
    moved_power = _sum((shifted.real**2 + shifted.imag**2) * (weight * here**2))
    moved_power -= mean_floor * _sum(weight * here**2) * bands.widefield.shape[0]
    still_power = _sum((widefield.real**2 + widefield.imag**2) * (weight * there**2))
    still_power -= mean_floor * _sum(weight * there**2) * bands.widefield.shape[0]
    mixed = complex((still.conj() * shifted * _ratio(here, there)).sum())
    on_moved = on_moved - noise * _sum(weight * here * there)
    on_still = on_still - floor / bands.frame_count * _sum(weight * there**2) * bands.widefield.shape[0]
    determinant = moved_power * still_power - abs(mixed) ** 2
    if not (moved_power > 0 and still_power > 0 and determinant > 0):
        nothing = torch.zeros(bands.phases, dtype=torch.complex128)
        return Modulation(nothing, math.inf, nothing + 1, math.inf)
    # Normal equations: [moved_power, <still, moved>; <moved, still>, still_power] [z, u] = [on_moved, on_still].
    amplitudes = (on_moved * still_power - on_still * mixed.conjugate()) / determinant
    brightness = (on_still * moved_power - on_moved * mixed) / determinant
    # Steps that are not equal leave mean(z) H S(k - k0) in the frames' mean, 1 / A of it in W: put it back.
    if bands.angles > 1:
        amplitudes = amplitudes + amplitudes.mean() / (bands.angles - 1)
    spread = floor * _sum((weight * here * there) ** 2 * (shifted.real**2 + shifted.imag**2))
    spread_still = floor * _sum((weight * there**2) ** 2 * (widefield.real**2 + widefield.imag**2))
    return Modulation(
        amplitudes.cpu(),
        math.sqrt(spread / 2) / moved_power,
        brightness.cpu(),
        math.sqrt(spread_still / 2) / still_power,
    )


def _sum(values: Tensor) -> float:
    return float(values.sum(dtype=torch.float64))


def _ratio(here: Tensor, there: Tensor) -> Tensor:
    """H(k) / H(k - k0) where both are there."""
    return torch.where((here > 0) & (there > 0), here / there.clamp(min=1e-6), 0.0)


def _inner(frames: Tensor, regressor: Tensor) -> Tensor:
    """Sum over time and pixels of frame x conj(regressor): (T, P, y, x), (T, y, x) -> (P,) complex128."""
    real = torch.einsum("tpyx,tyx->p", frames, regressor.real.contiguous())
    imag = torch.einsum("tpyx,tyx->p", frames, regressor.imag.contiguous())
    return torch.complex(real.double(), -imag.double())


def _shared_noise(bands: Bands, orientation: int, overlap: Overlap, floor: float) -> Tensor:
    """Return E[n_j(k) conj(n_W(k - k0))] per frame, (P,) complex128.

    Frame j is 1 / (A P) of the mean W. White noise of variance v(x) gives sum_x w^2 v exp(-2 pi i k0 r) / (A P);
    the photons' part of v is proportional to the frame itself.
    """
    area = float((bands.window.double() ** 2).sum())
    # Photon noise: variance = scale x light, scale 1 on a calibrated camera. Read noise has no component at k0.
    scale = (floor / area - bands.read_noise_e**2) / bands.photons if bands.photons > 0 else 0.0
    frames = bands.frames[:, orientation] * bands.window
    at_k0 = _inner(frames, overlap.carrier.expand(frames.shape[0], -1, -1))
    return at_k0 * (max(scale, 0.0) / bands.frame_count)
