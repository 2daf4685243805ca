"""The forward model: what the camera would see, in photons, of an object under patterned light.

    y_oj = sample( H * (I_oj x) )

The object x lives on a grid `upsample` times finer than the camera's (same corners), in photons per RAW
pixel area; H is the OTF of objective and pixel; sampling is at the raw pixel centres. Boundaries are
periodic. `adjoint` is the exact transpose, so gradients and data-consistency steps can be built on it.
"""

import torch
from torch import Tensor

from rdl_live.optics.fourier import frequencies, shift_phase
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import PatternSet, illumination, shared_illumination


class Imaging:
    """Widefield imaging from a fine grid to the camera: H, then sampling. Linear, batched, with adjoint."""

    def __init__(
        self, otf: Otf, shape: tuple[int, int], *, upsample: int = 2, device: torch.device | str = "cpu"
    ) -> None:
        """Prepare for raw frames of `shape` (y, x) and an object grid `upsample` times as fine."""
        if upsample < 1:
            raise ValueError(f"upsample must be at least 1, got {upsample}")
        self.shape = shape
        self.upsample = upsample
        self.fine_shape = (shape[0] * upsample, shape[1] * upsample)
        fine_um = otf.pixel_um / upsample
        kx, ky = frequencies(self.fine_shape, fine_um, half=True, device=device)
        # The first raw pixel's centre lies (upsample - 1) / 2 fine pixels right of the first fine pixel's.
        shift = shift_phase(kx, ky, 0.5 * (upsample - 1) * fine_um)
        transfer = (otf(kx, ky) * shift).to(torch.complex64)
        self._crop = not otf.aliased and upsample > 1
        self._transfer = self._cropped(transfer) if self._crop else transfer

    def _cropped(self, spectrum: Tensor) -> Tensor:
        """Keep the frequencies of the raw grid (used when the OTF ends below its Nyquist frequency)."""
        rows, columns = (self.shape[0] + 1) // 2, self.shape[1] // 2 + 1
        low = spectrum[..., :rows, :columns]
        high = spectrum[..., spectrum.shape[-2] - (self.shape[0] - rows) :, :columns]
        return torch.cat([low, high], dim=-2)

    def _padded(self, spectrum: Tensor) -> Tensor:
        """Transpose of `_cropped`."""
        rows, columns = (self.shape[0] + 1) // 2, self.shape[1] // 2 + 1
        full = spectrum.new_zeros((*spectrum.shape[:-2], self.fine_shape[0], self.fine_shape[1] // 2 + 1))
        full[..., :rows, :columns] = spectrum[..., :rows, :]
        tail = self.shape[0] - rows
        if tail:
            full[..., -tail:, :columns] = spectrum[..., rows:, :]
        return full

    def forward(self, image: Tensor) -> Tensor:
        """Blur and sample: (..., fine y, fine x) photons per raw pixel area -> (..., y, x) photons."""
        spectrum = torch.fft.rfft2(image)
        if self._crop:
            spectrum = self._cropped(spectrum) * self._transfer
            frames: Tensor = torch.fft.irfft2(spectrum, s=self.shape) / self.upsample**2
            return frames
        blurred: Tensor = torch.fft.irfft2(spectrum * self._transfer, s=self.fine_shape)
        return blurred[..., :: self.upsample, :: self.upsample]

    def adjoint(self, frames: Tensor) -> Tensor:
        """Transpose of `forward`: (..., y, x) -> (..., fine y, fine x)."""
        if self._crop:
            spectrum = self._padded(torch.fft.rfft2(frames) * self._transfer.conj())
        else:
            fine = frames.new_zeros((*frames.shape[:-2], *self.fine_shape))
            fine[..., :: self.upsample, :: self.upsample] = frames
            spectrum = torch.fft.rfft2(fine) * self._transfer.conj()
        image: Tensor = torch.fft.irfft2(spectrum, s=self.fine_shape)
        return image


class ForwardModel:
    """Object -> noise-free series under the given patterns."""

    def __init__(
        self,
        otf: Otf,
        patterns: PatternSet,
        shape: tuple[int, int],
        *,
        upsample: int = 2,
        shared: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        """Prepare for raw frames of `shape` (y, x); the object grid is `upsample` times as fine.

        `shared`: all patterns are in every frame, rather than one in each.
        """
        self.imaging = Imaging(otf, shape, upsample=upsample, device=device)
        shine = shared_illumination if shared else illumination
        self.light = shine(patterns, self.imaging.fine_shape, otf.pixel_um / upsample, device=device)

    def forward(self, image: Tensor) -> Tensor:
        """(..., fine y, fine x) photons per raw pixel area -> (..., angle, phase, y, x) photons."""
        return self.imaging.forward(image[..., None, None, :, :] * self.light)

    def adjoint(self, series: Tensor) -> Tensor:
        """Transpose of `forward`: (..., angle, phase, y, x) -> (..., fine y, fine x)."""
        return (self.imaging.adjoint(series) * self.light).sum(dim=(-4, -3))
