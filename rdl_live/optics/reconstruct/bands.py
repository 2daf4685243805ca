"""From raw frames to band spectra, and from those to the SR image: the per-frame path.

Separation and demodulation are linear in real space; frames are then extended over a margin by their own
mirror images, blended from one edge to the opposite one, because a transform takes the image as periodic. The
extension is made on demodulated bands, in which a flat specimen is flat: its edges stay free of fringes.
"""

import torch
from torch import Tensor

from rdl_live.errors import DataError
from rdl_live.optics.microscope import Camera
from rdl_live.optics.noise import CameraMaps, to_photons
from rdl_live.optics.reconstruct.margin import Margin
from rdl_live.optics.reconstruct.plan import Geometry, Plan


class BandTransform:
    """Separation, demodulation, transforms. Keeps the last series for the rolling mode."""

    def __init__(self, geometry: Geometry, camera: Camera, maps: CameraMaps | None) -> None:
        self._geometry = geometry
        self._camera = camera
        self._maps = None if maps is None else maps.to(geometry.power.device)
        # Calibration by two numbers is linear, so it costs nothing when folded into the unmixing.
        gain, offset = (camera.gain_e_per_adu, camera.offset_adu) if maps is None else (1.0, 0.0)
        self._unmixing = geometry.unmixing * gain
        self._constant = -offset * self._unmixing.sum(dim=-1, keepdim=True)
        grids = (geometry.shape, geometry.padded, geometry.otf.pixel_um)
        self._margin = Margin(*grids, geometry.k0, device=geometry.power.device)
        self._widefield_margin = Margin(*grids, None, device=geometry.power.device)
        self._light: Tensor | None = None
        self._mixed: Tensor | None = None
        self._sidebands: Tensor | None = None

    def photons(self, frames: Tensor) -> Tensor:
        """Raw ADU -> photons, float32."""
        return to_photons(frames, self._camera, self._maps)

    def all(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """(T, A, P, y, x) ADU -> spectra: widefield (T, Y, X/2+1), sidebands (T, A, harmonics, Y, X)."""
        light = self._countable(frames)
        mixed = self._separate(light, slice(None))
        sidebands = self._transform_sidebands(mixed, slice(None))
        self._light, self._mixed, self._sidebands = light[-1], mixed[-1], sidebands[-1]
        return self._transform_widefield(mixed), sidebands

    def exchange(self, frame: Tensor, angle: int, phase: int) -> tuple[Tensor, Tensor]:
        """Replace one frame (y, x) ADU of the last series; only its orientation is transformed again."""
        if self._light is None or self._mixed is None or self._sidebands is None:
            raise DataError("rolling needs a whole series first: call the Reconstructor once, then update")
        angles, phases = self._light.shape[:2]
        if tuple(frame.shape) != self._geometry.shape or not (0 <= angle < angles and 0 <= phase < phases):
            raise DataError(
                f"frame of shape {tuple(frame.shape)} for angle {angle}, phase {phase} does not fit a series of "
                f"{angles} angles x {phases} phases of {self._geometry.shape} pixels"
            )
        self._light[angle, phase] = self._countable(frame.to(self._light.device))
        own = slice(angle, angle + 1)
        mixed = self._separate(self._light[own], own)
        self._mixed[own] = mixed
        self._sidebands[own] = self._transform_sidebands(mixed, own)
        return self._transform_widefield(self._mixed[None]), self._sidebands[None]

    def spectrum(self, plan: Plan, widefield: Tensor, sidebands: Tensor) -> Tensor:
        """Weigh and place all bands: (T, SR rows, SR columns) complex64."""
        rows, columns = plan.geometry.sr_spectrum
        target = torch.zeros(len(widefield), rows, columns, dtype=torch.complex64, device=widefield.device)
        for part in plan.widefield:
            part.add(widefield, target)
        for (orientation, harmonic), parts in plan.sidebands.items():
            for part in parts:
                part.add(sidebands[:, orientation, harmonic], target)
        return target

    def assemble(self, plan: Plan, widefield: Tensor, sidebands: Tensor) -> Tensor:
        """Band spectra -> SR images (T, 2y, 2x) float32."""
        rows, columns = (2 * size for size in self._geometry.shape)
        spectrum = self.spectrum(plan, widefield, sidebands)
        columns_done = torch.fft.ifft(spectrum, dim=-2)[..., :rows, :]
        image: Tensor = torch.fft.irfft(columns_done, n=2 * self._geometry.padded[1], dim=-1)
        return image[..., :columns].contiguous()

    def _countable(self, frames: Tensor) -> Tensor:
        """Frames as float32: photons where pixels differ, else ADU, whose calibration the unmixing holds."""
        return frames.to(torch.float32, copy=True) if self._maps is None else self.photons(frames)

    def _separate(self, light: Tensor, own: slice) -> Tensor:
        """(..., A, P, y, x) -> (..., A, 1 + 2 harmonics, y, x) photons, for the orientations `own`."""
        mixed = self._unmixing[own] @ light.flatten(-2)
        mixed += self._constant[own]
        return mixed.reshape(*mixed.shape[:-1], *self._geometry.shape)

    def _transform_sidebands(self, mixed: Tensor, own: slice) -> Tensor:
        real, imag = mixed[..., 1::2, :, :], mixed[..., 2::2, :, :]
        demodulated = torch.complex(real, imag) * self._geometry.carriers[own]
        spectra: Tensor = torch.fft.fft2(self._margin.extend(demodulated, own))
        return spectra

    def _transform_widefield(self, mixed: Tensor) -> Tensor:
        spectrum: Tensor = torch.fft.rfft2(self._widefield_margin.extend(mixed[..., 0, :, :].sum(dim=-3)))
        return spectrum
