"""A chip with its fixed pattern: light to counts, in the order of the physics.

photons -> Poisson -> EM register -> read noise, hot and telegraph pixels -> coupling -> / gain + offset -> bits
"""

import numpy as np
import torch
from torch import Tensor

from rdl_live.optics.microscope import Camera
from rdl_live.optics.noise import CameraMaps
from rdl_live.optics.sensor.settings import SensorSettings


class Sensor:
    """A region of a chip; what is fixed depends on settings, camera, shape and seed alone."""

    def __init__(self, settings: SensorSettings, camera: Camera, shape: tuple[int, int], seed: int = 0) -> None:
        """Make the chip.

        Args:
            settings: what is wrong with it.
            camera: its calibration as a user has it, i.e. what is right on average.
            shape: (y, x) of the region.
            seed: of all that is fixed.
        """
        self.settings, self.camera, self.shape = settings, camera, shape
        rng = np.random.default_rng([seed, 0xC41B])
        self.maps = CameraMaps(
            torch.as_tensor(camera.offset_adu + settings.binning * _pattern(settings, shape, rng)),
            torch.as_tensor(camera.gain_e_per_adu / (1 + _spread(settings.gain_spread, shape, rng))),
            torch.as_tensor(settings.binning * camera.read_noise_e * _noisy(settings.noise_spread, shape, rng)),
        )
        """What every pixel really has, (y, x) float32 each."""
        hot = rng.random(shape) < settings.hot_share
        self._hot_e = torch.as_tensor(np.where(hot, rng.exponential(settings.hot_e, shape), 0).astype(np.float32))
        self._jumps = torch.as_tensor(rng.random(shape) < settings.telegraph_share)

    @property
    def fixed_pattern_adu(self) -> Tensor:
        """By how much every pixel's level in the dark differs from the camera's offset, (y, x) float32 [ADU]."""
        return self.maps.offset_adu - self.camera.offset_adu + self._hot_e / self.maps.gain_e_per_adu

    def expose(self, photons: Tensor, generator: torch.Generator, dtype: torch.dtype = torch.uint16) -> Tensor:
        """Return what the chip gives.

        Args:
            photons: expected photo-electrons, (..., y, x) float32; below 0 counts as dark.
            generator: of all that is random.
            dtype: of the numbers; an integer type of 16 bits or more.

        Returns:
            (..., y, x) ADU.
        """
        settings = self.settings
        electrons = torch.poisson(photons.clamp(min=0) + self._hot_e, generator=generator)
        if settings.multiplying:
            electrons = _multiplied(electrons, generator)
        noise = torch.empty_like(electrons).normal_(generator=generator)
        electrons += noise.mul_(self.maps.read_noise_e)
        if settings.telegraph_share > 0:
            up = torch.empty_like(electrons).uniform_(generator=generator) < 0.5
            # As often up as down, so that the mean stays.
            electrons += self._jumps * (up.to(torch.float32) - 0.5) * settings.telegraph_e
        if settings.coupling > 0:
            electrons = _coupled(electrons, settings.coupling)
        adu = (electrons / self.maps.gain_e_per_adu).add_(self.maps.offset_adu).round_()
        ceiling = min(2.0**settings.bits - 1, self.camera.saturation_adu or 65535.0)
        return adu.clamp_(0, float(int(ceiling))).to(torch.int32).to(dtype)


def _pattern(settings: SensorSettings, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return the fixed pattern of the offsets [ADU], (y, x) float32."""
    white = rng.standard_normal(shape)
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    radius = np.hypot(fy, fx)
    radius[0, 0] = np.inf
    clouds = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) / radius, s=shape)
    clouds /= max(float(clouds.std()), 1e-30)
    pattern = np.sqrt(1 - settings.pink) * white + np.sqrt(settings.pink) * clouds
    columns = settings.columns_adu * rng.standard_normal(shape[1])
    return np.asarray(settings.fixed_pattern_adu * pattern + columns, dtype=np.float32)


def _spread(width: float, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    return np.asarray(width * rng.standard_normal(shape).clip(-4, 4) * (width > 0), dtype=np.float32).clip(-0.9)


def _noisy(width: float, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return log-normal factors of mean square 1."""
    return np.exp(width * rng.standard_normal(shape) - width**2).astype(np.float32)


def _multiplied(electrons: Tensor, generator: torch.Generator) -> Tensor:
    """Return what an EM register of high gain makes of n electrons, / gain: a gamma number of shape n."""
    seed = int(torch.randint(2**62, (), generator=generator))
    numbers = np.random.default_rng(seed).standard_gamma(electrons.cpu().numpy(), dtype=np.float32)
    return torch.as_tensor(numbers).to(electrons.device)


def _coupled(electrons: Tensor, share: float) -> Tensor:
    """Let each pixel show `share` of each neighbour; nothing is lost at the edges."""
    padded = torch.nn.functional.pad(electrons.reshape(-1, 1, *electrons.shape[-2:]), (1, 1, 1, 1), mode="replicate")
    around = padded[:, :, :-2, 1:-1] + padded[:, :, 2:, 1:-1] + padded[:, :, 1:-1, :-2] + padded[:, :, 1:-1, 2:]
    return torch.add(electrons * (1 - 4 * share), around.reshape(electrons.shape), alpha=share)
