"""The stripes in every frame of one series, measured against patterns that are known already.

In the overlap of widefield and sideband each frame D_f, less the widefield W that all frames share, is projected on
what the widefield predicts of orientation o (Gustafsson 2000, 10.1046/j.1365-2818.2000.00710.x, eq. 3):

    z_fo = <G_o, D_f - W> / <G_o / Hs, W(k - k0) H>,     G_o(k) = W(k - k0) H(k) Hs(k) weight(k),   Hs(k) = H(k - k0).

z_fo is m / 2 exp(i phase) in the frames of orientation o and 0 in all others, whatever the specimen is. So one table of
(frames, orientations) says which pattern each frame holds. All transforms are of W alone; the frames take one matrix
product.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rdl_live.optics.estimate.grid import Grid, grid_of, high_pass, unmixed
from rdl_live.optics.estimate.refine import plane_wave
from rdl_live.optics.fourier import frequencies
from rdl_live.optics.noise_floor import power_beyond
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import PatternSet

LARGEST = 256
"""A larger frame is judged by its brightest square of so many pixels: that is light enough."""
_RATIO = 0.3
"""Amplitude m / 2 for which the noises of sideband and widefield are weighed."""

Complexes = npt.NDArray[np.complex128]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stripes:
    """What one series shows. Small, for it travels between threads and computers."""

    amplitudes: Complexes
    """z of every frame against every orientation, (angle, phase, orientation): half the contrast, phase at the image
    corner [rad]."""
    sigma: Floats
    """Standard error of the real and of the imaginary part by photon noise, (orientation,); infinite in the dark."""
    levels: Floats
    """Mean of every frame [photons], (angle, phase)."""
    level_error: float = 0.0
    """Its standard error by the camera's noise."""


class StripeProbe:
    """Measures series of one channel. Holds nothing but tables, so any thread may call it."""

    def __init__(
        self,
        patterns: PatternSet,
        otf: Otf,
        shape: tuple[int, int],
        read_noise_e: float = 0.0,
        device: torch.device | str = "cpu",
        largest: int = LARGEST,
    ) -> None:
        """Prepare for frames (y, x) of one size.

        Args:
            patterns: the wave vectors to look at.
            otf: detection OTF.
            shape: (y, x) of a raw frame.
            read_noise_e: of the camera [electrons], where the OTF leaves no noise to measure.
            device: where to compute.
            largest: side of the square that is looked at [pixels].
        """
        self._device = torch.device(device)
        self._shape, self._k0 = shape, [(pattern.kx, pattern.ky) for pattern in patterns]
        self._read_noise = read_noise_e
        self._part = (min(shape[0], largest), min(shape[1], largest))
        self._grid: Grid = grid_of(otf, self._part, self._device)
        pixel = otf.pixel_um
        kx, ky = frequencies(self._part, pixel, device=self._device)
        kx, ky = kx.to(torch.float32), ky.to(torch.float32)
        here = self._grid.transfer
        self._waves, self._filters, self._powers = [], [], []
        for x, y in self._k0:
            there = otf(kx - x, ky - y)
            weight = high_pass(kx, ky, otf.cutoff) * high_pass(kx - x, ky - y, otf.cutoff)
            if (clean := unmixed(kx, ky, otf)) is not None:
                alone = unmixed(kx - x, ky - y, otf)
                weight = weight * (clean * alone if alone is not None else clean)
            weight = weight / (there**2 + _RATIO**2 / len(patterns) * here**2).clamp(min=1e-6)
            weight = weight * ((here > 0) & (there > 0))
            self._waves.append(plane_wave((x, y), self._part, pixel, self._device))
            self._filters.append((here * there * weight).to(torch.complex64))
            self._powers.append(here**2 * weight)
        self._pixel_um = pixel

    def __call__(self, photons: Tensor) -> Stripes:
        """Measure one series (angle, phase, y, x) in photons."""
        light = photons.to(self._device, torch.float32)
        angles, phases = light.shape[:2]
        levels = light.mean(dim=(-2, -1))
        top, left = self._corner(light)
        part = light[..., top : top + self._part[0], left : left + self._part[1]].flatten(0, 1)
        means = part.mean(dim=(-2, -1))
        mean = float(means.mean())
        gains = torch.where(means > 0, mean / means, torch.ones_like(means)) if mean > 0 else torch.ones_like(means)
        frames = (part - means[:, None, None]) * (gains[:, None, None] * self._grid.window)
        wide = frames.mean(dim=0)
        frames -= wide
        spectrum: Tensor = torch.fft.fft2(wide)
        floor = self._floor(spectrum, len(frames), mean)
        flat = frames.flatten(1)
        variance = self._variance(part, floor)
        found, sigmas = [], []
        for (kx, ky), wave, matched, power in zip(self._k0, self._waves, self._filters, self._powers, strict=True):
            moved: Tensor = torch.fft.fft2(wide * wave)
            strength = float((power * _squared(moved)).sum()) - floor / len(frames) * float(power.sum())
            predicted = moved.mul_(matched)
            picture: Tensor = torch.fft.ifft2(predicted)
            # Photon noise is where the light is, and so is the prediction.
            weight = wide.numel() * math.sqrt(float((_squared(picture) * variance).sum()) / 2)
            inner = flat @ torch.view_as_real(picture).reshape(-1, 2)  # (frames, 2): sum d Re g, sum d Im g
            z = torch.complex(inner[:, 0], -inner[:, 1]).cpu().numpy().astype(np.complex128) * wide.numel()
            # The part's corner is not the image's.
            turn = np.exp(-2j * math.pi * self._pixel_um * (kx * left + ky * top))
            bright = strength > 0 and mean > 0
            found.append(z * turn / strength if bright else np.zeros(len(z), np.complex128))
            sigmas.append(weight / strength if bright else math.inf)
        table = np.stack(found, axis=-1).reshape(angles, phases, len(self._k0))
        error = math.sqrt(max(float(levels.mean()), 0.0) + self._read_noise**2) / math.sqrt(math.prod(self._shape))
        return Stripes(table, np.array(sigmas), levels.double().cpu().numpy(), error)

    def _variance(self, part: Tensor, floor: float) -> Tensor:
        """Return the noise of one windowed frame, pixel by pixel, (y, x): as much in all as was measured."""
        expected = (part.mean(dim=0).clamp(min=0) + self._read_noise**2) * self._grid.window**2
        return expected * (floor / max(float(expected.sum()), 1e-12))

    def _corner(self, light: Tensor) -> tuple[int, int]:
        """Return (top, left) of the part that is looked at: the brightest."""
        if self._part == self._shape:
            return 0, 0
        wide = light.mean(dim=(0, 1)).double()
        sums = torch.nn.functional.pad(wide.cumsum(0).cumsum(1), (1, 0, 1, 0))
        rows, columns = self._part
        boxes = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
        top, left = divmod(int(boxes.argmax()), boxes.shape[1])
        return top, left

    def _floor(self, spectrum: Tensor, frames: int, mean: float) -> float:
        """Return the noise power of one frame per Fourier sample."""
        measured = power_beyond(_squared(spectrum), self._grid.otf)
        if measured is not None:
            return float(measured) * frames
        return self._grid.area * (max(mean, 0.0) + self._read_noise**2)


def _squared(spectrum: Tensor) -> Tensor:
    return spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)
