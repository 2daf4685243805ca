"""What the camera makes of the light, in the order of the physics, and the way back.

    photons -> Poisson -> read noise -> / gain + offset -> round -> clip at 0 and saturation -> ADU

Photons are photo-electrons (the quantum efficiency is in the photon count already). Exact Poisson numbers
at every light level: a 256 x 256 frame takes about 4 ms on one CPU thread, i.e. over 200 frames/s.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from rdl_live.errors import ConfigError
from rdl_live.optics.microscope import Camera


@dataclass(frozen=True)
class CameraMaps:
    """Calibration of every camera pixel, each (y, x) float32; they take the place of the camera's numbers."""

    offset_adu: Tensor
    """Level in the dark [ADU]."""
    gain_e_per_adu: Tensor
    """Photo-electrons per ADU, above 0."""
    read_noise_e: Tensor
    """Root-mean-square read noise [electrons], at least 0."""

    def __post_init__(self) -> None:
        shape = tuple(self.offset_adu.shape)
        for name in ("offset_adu", "gain_e_per_adu", "read_noise_e"):
            values: Tensor = getattr(self, name)
            if values.ndim != 2 or tuple(values.shape) != shape:
                raise ConfigError(
                    f"camera map {name} has shape {tuple(values.shape)}, offset_adu has {shape}: "
                    "maps must all be (y, x) of the same region; crop them to the region that was recorded"
                )
            if not bool(torch.isfinite(values).all()):
                raise ConfigError(f"camera map {name} holds NaN or infinity; calibrate those pixels again")
        if not bool((self.gain_e_per_adu > 0).all()):
            raise ConfigError("camera map gain_e_per_adu must be above 0 everywhere; replace the dead pixels")
        if not bool((self.read_noise_e >= 0).all()):
            raise ConfigError("camera map read_noise_e must not be negative; calibrate it again")

    @classmethod
    def from_scmos(cls, offset_adu: Tensor, gain_adu_per_e: Tensor, variance_adu2: Tensor) -> Self:
        """Return the maps from an sCMOS calibration: offset [ADU], gain [ADU/e-], dark variance [ADU^2].

        The convention of Huang et al., Nat. Methods 2013, 10.1038/nmeth.2488.

        Raises:
            ConfigError: shapes differ, a gain not above 0, a negative variance, a value not finite.
        """
        gain = gain_adu_per_e.to(torch.float32)
        if not bool((gain > 0).all()):
            raise ConfigError(
                "sCMOS gain map [ADU/e-] must be above 0 everywhere; take the neighbours' for dead pixels"
            )
        if bool((variance_adu2 < 0).any()):
            raise ConfigError("sCMOS variance map [ADU^2] must not be negative; check which file is which")
        if gain.shape != variance_adu2.shape:
            raise ConfigError(
                f"sCMOS gain map: shape {tuple(gain.shape)}, variance map: {tuple(variance_adu2.shape)}; "
                "crop both to the region that was recorded"
            )
        return cls(
            offset_adu=offset_adu.to(torch.float32),
            gain_e_per_adu=1 / gain,
            read_noise_e=variance_adu2.to(torch.float32).sqrt() / gain,
        )

    def crop(self, top: int, left: int, shape: tuple[int, int]) -> Self:
        """Return the maps of a region: its first row, first column and (y, x) size."""
        window = (slice(top, top + shape[0]), slice(left, left + shape[1]))
        return type(self)(self.offset_adu[window], self.gain_e_per_adu[window], self.read_noise_e[window])

    def to(self, device: torch.device | str) -> Self:
        """Return the maps on another device."""
        return type(self)(self.offset_adu.to(device), self.gain_e_per_adu.to(device), self.read_noise_e.to(device))


def expose(
    photons: Tensor,
    camera: Camera,
    *,
    generator: torch.Generator | None = None,
    maps: CameraMaps | None = None,
    dtype: torch.dtype = torch.uint16,
) -> Tensor:
    """Return what the camera reads out.

    Args:
        photons: expected photons of every pixel, (..., y, x) float32; numerical dust below 0 counts as dark.
        camera: calibration; its saturation, or the largest number of `dtype` if smaller, is the ceiling.
        generator: source of the randomness, on the same device as `photons`; torch's own if absent.
        maps: calibration of every pixel, (y, x), in place of the camera's numbers.
        dtype: an integer type.

    Returns:
        (..., y, x) ADU of type `dtype`. torch.uint16 is for storage: convert before computing with it.
    """
    electrons = torch.poisson(photons.clamp(min=0), generator=generator)
    offset, gain, read_noise = _calibration(camera, maps)
    if maps is not None or camera.read_noise_e > 0:
        noise = torch.empty_like(electrons).normal_(generator=generator)
        electrons = electrons + noise * read_noise
    ceiling = float(torch.iinfo(dtype).max)
    if camera.saturation_adu is not None:
        ceiling = min(ceiling, float(int(camera.saturation_adu)))
    adu = (electrons / gain + offset).round_().clamp_(0, ceiling)
    # float32 cannot hold the largest int32: past int32 a clipped value would come out negative.
    return adu.to(torch.int32).to(dtype) if ceiling < 2**24 else adu.to(torch.float64).clamp_(0, ceiling).to(dtype)


def to_photons(adu: Tensor, camera: Camera, maps: CameraMaps | None = None) -> Tensor:
    """Return photons = (ADU - offset) * gain, (..., y, x) float32, of raw data of any number type."""
    offset, gain, _ = _calibration(camera, maps)
    return (adu.to(torch.float32) - offset) * gain


def _calibration(camera: Camera, maps: CameraMaps | None) -> tuple[float | Tensor, float | Tensor, float | Tensor]:
    """Return offset [ADU], gain [e-/ADU] and read noise [e-]: the maps if there are any."""
    if maps is not None:
        return maps.offset_adu, maps.gain_e_per_adu, maps.read_noise_e
    return camera.offset_adu, camera.gain_e_per_adu, camera.read_noise_e
