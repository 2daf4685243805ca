"""Phase, modulation and brightness of every frame at a known k0.

In the overlap of the two bands every frame is regressed on what the widefield predicts,

    D_j(k) H(k - k0) = z_j [H(k) W(k - k0)] + u_j [H(k - k0) W(k)],      z_j = a_j m / 2 exp(i phi_j),

W the mean of all frames of the series. The second term keeps the widefield part of the frame out of z_j.
Both inner products are biased by noise that frame and mean share; the noise is white (its floor is
measured) and for photons its transform at k0 is that of the frame itself, so both biases are known and taken off.
A fixed pattern of the camera is shared in full: its power is measured where the widefield can hold nothing else.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.optics.estimate.bands import Bands, over_time, power
from rdl_live.optics.estimate.refine import Overlap, waves


@dataclass(frozen=True)
class Modulation:
    """What one orientation's frames say of a pattern."""

    amplitudes: Tensor
    """z_j of every phase step, (P,) complex128; |z_j| = m / 2, phase at the image corner."""
    sigma: float
    """Standard error of each amplitude, real and imaginary part alike; infinite where nothing can be said."""
    scale_sigma: float
    """Relative standard error that all amplitudes have in common: how well the widefield is known in the overlap."""
    brightness: Tensor
    """u_j of every phase step, (P,) complex128; a_j plus a leak of the unknown band along exp(-i phi_j)."""
    brightness_sigma: float
    coherence: float
    """How the phases of sideband and prediction agree: their correlation over what random phases would give."""

    @property
    def mean_amplitude(self) -> complex:
        """The frames' mean amplitude along equal steps."""
        steps = torch.arange(len(self.amplitudes), dtype=torch.float64)
        turns = torch.polar(torch.ones_like(steps), -2 * math.pi * steps / len(steps))
        return complex((self.amplitudes * turns).mean())


def regress(bands: Bands, orientation: int, k0: tuple[float, float], overlap: Overlap, sideband: Tensor) -> Modulation:
    """Return the complex amplitude at k0 of every frame of one orientation.

    Args:
        bands: separated bands.
        orientation: which.
        k0: refined wave vector [cycles/um].
        overlap: may be that of a k0 some tenths of an FFT pixel off: the OTF changes by less than 1 % over that.
        sideband: the orientation's order 1 in the overlap, (T, rows, columns).
    """
    here, there = overlap.weighted_here, overlap.weighted_there
    shifted = overlap.moved(bands.widefield, k0).mul_(here)
    widefield = overlap.cut_half(bands.wide_spectrum).mul_(there)
    moved, still = shifted * there, widefield * there
    orders = _orders(bands, orientation, overlap, sideband)
    on_moved, on_still = _per_frame(orders, moved), _per_frame(orders, still)
    floor = float(bands.floor[orientation])
    mean_floor = bands.wide_floor * bands.times
    here_power, there_power, mixed_power = (_inner(x, y).real for x, y in ((here, here), (there, there), (here, there)))
    moved_power = _inner(shifted, shifted).real - mean_floor * here_power
    still_power = _inner(widefield, widefield).real - mean_floor * there_power
    mixed = _inner(widefield, shifted)
    on_moved = on_moved - _shared_noise(bands, orientation, k0, floor) * mixed_power
    on_still = on_still - (floor / bands.frame_count + bands.fixed) * there_power * bands.times
    determinant = moved_power * still_power - abs(mixed) ** 2
    if not (moved_power > 0 and still_power > 0 and determinant > 0):
        nothing = torch.zeros(bands.phases, dtype=torch.complex128)
        return Modulation(nothing, math.inf, math.inf, nothing + 1, math.inf, 0.0)
    # Normal equations: [moved_power, <still, moved>; <moved, still>, still_power] [z, u] = [on_moved, on_still].
    amplitudes = (on_moved * still_power - on_still * mixed.conjugate()) / determinant
    brightness = (on_still * moved_power - on_moved * mixed) / determinant
    # Steps that are not equal leave mean(z) H S(k - k0) in the frames' mean, 1 / A of it in W: put it back.
    if bands.groups > 1:
        amplitudes = amplitudes + amplitudes.mean() / (bands.groups - 1)
    spread = floor * _inner(moved, moved).real
    spread_still = floor * _inner(still, still).real
    return Modulation(
        amplitudes,
        math.sqrt(spread / 2) / moved_power,
        _power_error(here, shifted, bands.wide_floor) / moved_power,
        brightness,
        math.sqrt(spread_still / 2) / still_power,
        _coherence(sideband, moved),
    )


def _power_error(transfer: Tensor, filtered: Tensor, floor: float) -> float:
    """Return the standard error of the signal's power in a band filtered by `transfer` (rows, columns).

    A sample of signal power S in noise N scatters by sqrt(2 S N + N^2).
    """
    noise = floor * power(transfer)
    return math.sqrt(max(float((noise * (2 * over_time(power(filtered)) - len(filtered) * noise)).sum()), 0.0))


def relative_depth(bands: Bands, orientation: int, k0: tuple[float, float], harmonic: int) -> tuple[complex, float]:
    """Return how a harmonic's band compares to the one below it, and the standard error of that.

    Bands h and h - 1 lie only k0 apart, whereas band h may not reach the widefield at all:

        B_h(k) H(k - k0) = c [H(k) B_(h-1)(k - k0)],     c = m_h / m_(h-1) exp(i phi).
    """
    overlap = Overlap(bands, k0, ratio=1.0)
    lower = bands.images[harmonic - 1][:, orientation]
    here, there = overlap.weighted_here, overlap.weighted_there
    shifted = overlap.moved(lower, k0).mul_(here)
    moved = shifted * there
    floor = float(bands.floor[orientation]) / bands.phases
    strength = _inner(shifted, shifted).real - floor * bands.times * _inner(here, here).real
    if strength <= 0:
        return 0j, math.inf
    shared = torch.fft.fft(_shared_noise(bands, orientation, k0, float(bands.floor[orientation])), norm="forward")
    found = _inner(moved, overlap.cut(bands.spectra[harmonic][:, orientation]))
    # Both bands are of the same P frames: their noises have the phase DFT's order 1 of the light in common.
    common = complex(shared[1]) * bands.frame_count / bands.phases * _inner(here, there).real
    return (found - common) / strength, math.sqrt(floor * _inner(moved, moved).real / 2) / strength


def _coherence(sideband: Tensor, regressor: Tensor) -> float:
    """Return |sum x conj(y)| / root sum |x|^2 |y|^2: about 1 for random phases, however uneven the spectra are."""
    products = sideband * regressor
    by_chance = _inner(products, products).real
    return abs(_inner(regressor, sideband)) / math.sqrt(by_chance) if by_chance > 0 else 0.0


def _inner(left: Tensor, right: Tensor) -> complex:
    """Return sum conj(left) x right."""
    return complex(torch.vdot(left.flatten(), right.flatten()))


def _orders(bands: Bands, orientation: int, overlap: Overlap, sideband: Tensor) -> list[Tensor]:
    """Return all orders 0 ... P - 1 of the phase DFT in the overlap, (T, rows, columns) each."""
    whole = [spectrum[:, orientation] for spectrum in bands.spectra]
    half = [overlap.cut_half(whole[0]), sideband, *(overlap.cut(order) for order in whole[2:])]
    mirrored = [overlap.cut_mirrored(whole[bands.phases - order]) for order in range(len(half), bands.phases)]
    return [*half, *mirrored]


def _per_frame(orders: list[Tensor], regressor: Tensor) -> Tensor:
    """Return <frame, regressor> of every frame, (P,) complex128 on the CPU, from the orders."""
    inner = torch.tensor([_inner(regressor, order) for order in orders], dtype=torch.complex128)
    frames: Tensor = torch.fft.ifft(inner, norm="forward")
    return frames


def _shared_noise(bands: Bands, orientation: int, k0: tuple[float, float], floor: float) -> Tensor:
    """Return E[n_j(k) conj(n_W(k - k0))] per frame, (P,) complex128.

    Frame j is 1 / (A P) of the mean W. White noise of variance v(x) gives sum_x w^2 v exp(-2 pi i k0 r) / (A P);
    the photons' part of v is proportional to the frame itself.
    """
    # Photon noise: variance = scale x light, scale 1 on a calibrated camera. Read noise has no component at k0.
    scale = (floor / bands.grid.area - bands.read_noise_e**2) / bands.photons if bands.photons > 0 else 0.0
    wave_y, wave_x = waves(k0, bands.shape, bands.otf.pixel_um, bands.widefield.device)
    wave_y, wave_x = wave_y * bands.grid.taper_y, wave_x * bands.grid.taper_x
    found = [_on_wave(over_time(image[:, orientation]), wave_y, wave_x) for image in bands.images]
    # The orders above P / 2 are the conjugates of those below.
    mirrored = [found[bands.phases - order][1] for order in range(len(found), bands.phases)]
    at_k0 = torch.tensor([order for order, _ in found] + mirrored, dtype=torch.complex128)
    frames: Tensor = torch.fft.ifft(at_k0, norm="forward")
    return frames.conj() * (max(scale, 0.0) / bands.frame_count)


def _on_wave(image: Tensor, wave_y: Tensor, wave_x: Tensor) -> tuple[complex, complex]:
    """Return the sums of an image (y, x), and of its conjugate, times a wave."""
    reals = torch.view_as_real(image).flatten(1) if image.is_complex() else image
    # Real products with cosine and sine: they take a third of the time of complex ones.
    lines = torch.view_as_real(wave_y).T @ reals
    cosine, sine = torch.view_as_complex(lines.view(2, -1, 2)) if image.is_complex() else lines.to(torch.complex64)
    return complex((cosine + 1j * sine) @ wave_x), complex((cosine.conj() + 1j * sine.conj()) @ wave_x)
