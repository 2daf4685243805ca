"""From raw frames to band spectra, and from those to the SR image: the per-frame path.

Separation and demodulation are linear in real space; frames are then extended over a margin by their own
mirror images, blended from one edge to the opposite one, because a transform takes the image as periodic. The
extension is made on demodulated bands, in which a flat specimen is flat: its edges stay free of fringes.
"""

import torch
from torch import Tensor

from rdl_live.optics.microscope import Camera
from rdl_live.optics.noise import CameraMaps, to_photons
from rdl_live.optics.reconstruct.margin import Margin
from rdl_live.optics.reconstruct.plan import Geometry, Plan

_STRIP_BYTES = 1 << 21
"""Of half-transformed rows that become rows of the image at a time: they are cut to the frame from the cache."""

Buffers = tuple[Tensor, Tensor]
"""Padded grids: real (Y, X), complex (orientations, harmonics, Y, X)."""


class BandTransform:
    """Separation, demodulation and transforms of one geometry; keeps no frames."""

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

    @property
    def unmixing(self) -> Tensor:
        """(A, 1 + 2 harmonics, P) float32: what of `light` makes the bands; see `Geometry.unmixing`."""
        return self._unmixing

    def photons(self, frames: Tensor) -> Tensor:
        """Raw ADU -> photons, float32."""
        return to_photons(frames, self._camera, self._maps)

    def light(self, frames: Tensor) -> Tensor:
        """Copy frames as float32: photons where pixels differ, else ADU, whose calibration the unmixing holds."""
        return frames.to(torch.float32, copy=True) if self._maps is None else self.photons(frames)

    def buffers(self, orientations: int) -> Buffers:
        """Return padded grids for the widefield and so many orientations."""
        harmonics, padded, device = self._geometry.k0.shape[1], self._geometry.padded, self._unmixing.device
        moved = torch.empty(orientations, harmonics, *padded, dtype=torch.complex64, device=device)
        return torch.empty(padded, device=device), moved

    def difference(self, new: Tensor, old: Tensor, angle: int, buffers: Buffers) -> tuple[Tensor, Tensor]:
        """Spectra of a frame's difference (y, x) to another of its orientation; nothing is unmixed.

        Args:
            new: the frame, of `light`.
            old: the other.
            angle: their orientation.
            buffers: for one orientation; overwritten.

        Returns:
            widefield (Y, half of X or less), sidebands (harmonics, Y, X).
        """
        rows, columns = self._geometry.shape
        real, moved = buffers
        change = torch.sub(new, old, out=real[:rows, :columns])
        inside = moved[..., :rows, :columns]
        inside.copy_(change)
        inside *= self._geometry.carriers[angle]
        return self._transformed_widefield(real), self._transformed_sidebands(moved, slice(angle, angle + 1))[0]

    def spectrum(self, plan: Plan, light: Tensor) -> Tensor:
        """Weigh and place all bands: (T, A, P, y, x) of `light` -> (T, SR rows, SR columns) complex64.

        In memory the spectra lie column by column. On the CPU one orientation after the other is done, in the same
        buffer: memory that is new to the process costs more than the arithmetic.
        """
        rows, columns = plan.geometry.sr_spectrum
        device, angles = light.device, light.shape[1]
        target = torch.zeros(len(light), columns, rows, dtype=torch.complex64, device=device).mT
        together = 1 if device.type == "cpu" else angles
        real, moved = self.buffers(together)
        for series, its in zip(light, target, strict=True):
            pixels = series.flatten(-2)  # (A, P, y x)
            widefield = self._widefield(pixels, real)
            for part in plan.widefield:
                part.add(widefield, its)
            for first in range(0, angles, together):
                sidebands = self._sidebands(pixels, moved, slice(first, first + together))
                for (angle, harmonic), parts in plan.sidebands.items():
                    for part in parts if first <= angle < first + together else ():
                        part.add(sidebands[angle - first, harmonic], its)
        return target

    def image(self, spectrum: Tensor) -> Tensor:
        """Transform spectra back: SR images (T, SR y, SR x) float32."""
        rows, columns = (self._geometry.factor * size for size in self._geometry.shape)
        halfway = torch.fft.ifft(spectrum, dim=-2)
        image = torch.empty(len(halfway), rows, columns, device=halfway.device)
        strip = rows
        if halfway.device.type == "cpu":
            row_bytes = halfway.shape[-1] * halfway.element_size()
            strip = max(1, _STRIP_BYTES // row_bytes)
        for one, its in zip(image, halfway, strict=True):
            for start in range(0, rows, strip):
                part = its[start : min(start + strip, rows)]
                one[start : start + strip] = torch.fft.irfft(part, n=self._geometry.sr_padded[1], dim=-1)[:, :columns]
        return image

    def _widefield(self, pixels: Tensor, real: Tensor) -> Tensor:
        """Spectrum (Y, half of X or less) of the orientations' sum; `real` is overwritten."""
        rows, columns = self._geometry.shape
        summed = pixels.flatten(0, 1).T @ self._unmixing[:, 0].flatten()
        torch.add(summed.reshape(rows, columns), self._constant[:, 0].sum(), out=real[:rows, :columns])
        return self._transformed_widefield(real)

    def _sidebands(self, pixels: Tensor, moved: Tensor, own: slice) -> Tensor:
        """Spectra (own, harmonics, Y, X) of the orientations `own`; `moved` is overwritten."""
        rows, columns = self._geometry.shape
        mixed = self._unmixing[own, 1:] @ pixels[own]
        mixed += self._constant[own, 1:]
        mixed = mixed.reshape(*mixed.shape[:-1], rows, columns)  # (own, 2 harmonics, y, x)
        inside = moved[..., :rows, :columns]
        torch.complex(mixed[:, ::2], mixed[:, 1::2], out=inside)
        inside *= self._geometry.carriers[own]
        return self._transformed_sidebands(moved, own)

    def _transformed_widefield(self, real: Tensor) -> Tensor:
        """Transform rows, then those columns that the OTF lets through."""
        band = self._geometry.widefield
        passed = band.low[1] + band.transfer.shape[1]
        spectrum: Tensor = torch.fft.fft(torch.fft.rfft(self._widefield_margin.fill(real), dim=-1)[:, :passed], dim=-2)
        return spectrum

    def _transformed_sidebands(self, moved: Tensor, own: slice) -> Tensor:
        spectra: Tensor = torch.fft.fft(torch.fft.fft(self._margin.fill(moved, own), dim=-1), dim=-2)
        return spectra
