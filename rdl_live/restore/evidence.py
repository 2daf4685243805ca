"""What a raw series says of the object, in the object plane: one spectrum, its transfer and its noise.

All bands of a series, weighed by their matched filters, add up to

    M(k) = sum_b conj(T_b) F_b / v_b = D(k) O(k) + n(k),   D = sum_b |T_b|^2 / v_b,   var n = N D

(`rdl_live.optics.reconstruct`): an object O seen through a real transfer D in noise of known power. No angle, no
phase is left in it, and nothing of the data that bears on O is lost.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rdl_live.optics.reconstruct.bands import BandTransform
from rdl_live.optics.reconstruct.plan import Geometry, matched_plan
from rdl_live.optics.reconstruct.spectrum import measure_damping
from rdl_live.optics.series_noise import SeriesNoise, series_noise


@dataclass(frozen=True)
class Evidence:
    """A batch of series on one padded SR half-plane (rows, columns), as rfft2 gives it of (rows, 2 columns - 2)."""

    matched: Tensor
    """M, (n, rows, columns) complex64 [photons per raw pixel area, summed over SR pixels]."""
    power: Tensor
    """D, (n, rows, columns) float32; about 1 at zero frequency."""
    target: Tensor
    """T: what the SR image is to show of the object (apodization), (n, rows, columns) float32, 1 at zero frequency."""
    damping: Tensor
    """w^2 = N / S of the Wiener estimate, (n, rows, columns) float32."""
    noise: Tensor
    """N, (n,) float32."""

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return matched, power, target, damping, noise."""
        return self.matched, self.power, self.target, self.damping, self.noise

    def to(self, device: torch.device | str) -> "Evidence":
        """Return the evidence on another device."""
        return Evidence(*(tensor.to(device) for tensor in self.tensors()))

    @property
    def grid(self) -> tuple[int, int]:
        """(y, x) of the padded SR image."""
        return self.matched.shape[-2], 2 * (self.matched.shape[-1] - 1)

    @property
    def photons(self) -> Tensor:
        """Mean of the series, (n,) float32, at least a hundredth of a photon."""
        y, x = self.grid
        mean = self.matched[:, 0, 0].real / (self.power[:, 0, 0] * y * x)
        return mean.clamp(min=0.01)

    def relative(self) -> "Evidence":
        """Return the same in units of the series' mean: a fixed scaling that is undone by `photons`."""
        photons = self.photons
        return Evidence(
            self.matched / photons[:, None, None],
            self.power,
            self.target,
            self.damping,
            self.noise / photons**2,
        )

    def one(self, index: int) -> "Evidence":
        """Return one series of the batch, as a batch of one."""
        return Evidence(*(tensor[index : index + 1] for tensor in self.tensors()))

    def mirrored(self, rows: int, columns: int, *, upside_down: bool, left_right: bool) -> "Evidence":
        """Return what the same series would say with its view of rows x columns SR pixels turned over."""
        matched = _mirrored(self.matched, rows, upside_down, columns, left_right)
        if upside_down == left_right:
            return replace(self, matched=matched)
        power, target, damping = _turned(self.power), _turned(self.target), _turned(self.damping)
        return Evidence(matched, power, target, damping, self.noise)

    def wiener(self, scale: float = 1.0) -> Tensor:
        """Return the Wiener image of `scale` times the damping, (n, y, x) float32 on the padded grid."""
        return self.image(self.wiener_spectrum(scale))

    def wiener_spectrum(self, scale: float = 1.0) -> Tensor:
        """Return the spectrum of that image, (n, rows, columns) complex64."""
        spectrum = self.matched * (self.target / (self.power + scale * self.damping).clamp(min=1e-12))
        spectrum[:, 0, 0] = self.matched[:, 0, 0] / self.power[:, 0, 0]
        return spectrum

    def image(self, spectrum: Tensor) -> Tensor:
        """Transform spectra to images (n, y, x) of the padded grid."""
        image: Tensor = torch.fft.irfft2(spectrum, s=self.grid)
        return image

    def wiener_deviation(self) -> Tensor:
        """Return the standard deviation of the noise in the Wiener image, (n,)."""
        gain = self.target / (self.power + self.damping).clamp(min=1e-12)
        return self.noise.sqrt() * self.deviation(gain**2 * self.power)

    def deviation(self, power: Tensor) -> Tensor:
        """Return the standard deviation (n,) of an image of noise whose spectrum has this power (n, rows, columns)."""
        y, x = self.grid
        # The half-plane holds all but its first and last column once for two.
        total = 2 * power.sum(dim=(-2, -1)) - power[..., 0].sum(-1) - power[..., -1].sum(-1)
        return total.sqrt() / (y * x)


def _turned(half_plane: Tensor) -> Tensor:
    """Return values at (ky, kx) from those at (-ky, kx), (n, rows, columns)."""
    return half_plane.flip(-2).roll(1, -2)


def _mirrored(spectrum: Tensor, rows: int, upside_down: bool, columns: int, left_right: bool) -> Tensor:
    """Return the spectrum of images whose first rows x columns pixels are turned over in place.

    Turned about the first pixel, an image has the spectrum at (-ky, kx), or the conjugate of that, as it is real;
    (size - 1) pixels further it lies where it was.
    """
    if upside_down != left_right:
        spectrum = _turned(spectrum)
    if left_right:
        spectrum = spectrum.conj()
        spectrum = spectrum * _shift(torch.fft.rfftfreq(2 * (spectrum.shape[-1] - 1)), columns).to(spectrum.device)
    if upside_down:
        spectrum = spectrum * _shift(torch.fft.fftfreq(spectrum.shape[-2]), rows).to(spectrum.device)[:, None]
    return spectrum


def _shift(frequency: Tensor, size: int) -> Tensor:
    """Return the phases of a shift by size - 1 samples; frequency in cycles a sample."""
    return torch.polar(torch.ones_like(frequency), -2 * math.pi * frequency * (size - 1))


def noise_power(geometry: Geometry, noise: SeriesNoise) -> float:
    """Return N of the SR half-plane of a series with this noise; the geometry is `with_excess` of it."""
    # Spectra of the finer grid are larger by the square of the factor than those of the raw one.
    return geometry.factor**4 * geometry.noise * noise.changing * geometry.padded[0] * geometry.padded[1]


def matched_spectrum(transform: BandTransform, geometry: Geometry, frames: Tensor) -> Tensor:
    """Return M of series (n, A, P, y, x) in camera units, (n, rows, columns) complex64."""
    return transform.spectrum(matched_plan(geometry), transform.light(frames))


def measured(
    transform: BandTransform, geometry: Geometry, target: Tensor, frames: Tensor, photons: Tensor, read_noise_e: float
) -> Evidence:
    """Return what one series says, its noise and its damping measured on itself.

    Args:
        transform: of the camera that gave the frames.
        geometry: of patterns and frame shape, `with_excess` of the series' fixed noise or of none.
        target: T, (rows, columns).
        frames: series (1, A, P, y, x) in camera units.
        photons: the same in photons.
        read_noise_e: root-mean-square read noise [electrons].
    """
    noise = series_noise(photons, geometry.otf, read_noise_e)
    matched = matched_spectrum(transform, geometry, frames)
    damping, _ = measure_damping(geometry, matched[0], noise)
    level = torch.tensor([noise_power(geometry, noise)], dtype=torch.float32)
    return Evidence(matched, geometry.power[None], target[None], damping[None], level)
