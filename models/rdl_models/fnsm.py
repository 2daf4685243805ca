"""FNSM, the Fourier noise suppression module: nothing outside the OTF's support is signal.

    masked = IFFT( FFT(x) sigmoid(slope (kc - |k|)) )

kc and slope are learnt. Qiao et al., Nat. Biotechnol. 2022, 10.1038/s41587-022-01471-3, Methods (a radius learnt there
for frames of one size); as in its authors' code the mask is soft. Here kc is a spatial frequency, not a number of
Fourier samples, so the mask stays where the OTF ends when the frame's size or the pixel changes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rdl_models.blocks import conv
from rdl_models.limits import check_number

CUTOFF_PER_UM = 4.95
"""2 NA / wavelength of the published microscope [cycles/um]."""
SLOPE_UM = 100.0


@dataclass(frozen=True)
class FnsmConfig:
    """Where the mask starts from in training."""

    cutoff: float = CUTOFF_PER_UM
    """kc [cycles/um]; or in units of the OTF's cut-off, where pixels are given in units of its inverse."""
    slope: float = SLOPE_UM
    """Steepness [um]: the mask falls from 0.73 to 0.27 within 2 / slope cycles/um."""

    def __post_init__(self) -> None:
        check_number(self, {"cutoff": (1e-3, 1e3), "slope": (1e-3, 1e6)})


class FourierMask(nn.Module):
    """Low-pass of learnt cut-off and slope: (..., y, x) to the same, float32. Images are taken as periodic."""

    def __init__(self, config: FnsmConfig | None = None) -> None:
        """Make a mask that starts as `config` says."""
        super().__init__()
        self.config = config = config or FnsmConfig()
        self.cutoff = nn.Parameter(torch.tensor(float(config.cutoff)))
        self.slope = nn.Parameter(torch.tensor(float(config.slope)))

    def forward(self, x: Tensor, pixel: float | Tensor) -> Tensor:
        """Remove what lies beyond the cut-off.

        Args:
            x: images.
            pixel: [um], or whatever the cut-off's unit is the inverse of; one number, or (n,) for the n entries of
                x's first axis.
        """
        spectrum = torch.fft.rfft2(x.float())
        masked: Tensor = torch.fft.irfft2(spectrum * self.mask(x, pixel), s=x.shape[-2:])
        return masked

    def mask(self, x: Tensor, pixel: float | Tensor) -> Tensor:
        """Return the mask on the half-plane of images like x, (1 or n, 1, ..., y, x / 2 + 1)."""
        y, x_size = x.shape[-2:]
        ky = torch.fft.fftfreq(y, device=x.device)[:, None]
        kx = torch.fft.rfftfreq(x_size, device=x.device)[None, :]
        pixels = torch.as_tensor(pixel, dtype=torch.float32, device=x.device).reshape(-1, *(1 for _ in x.shape[1:]))
        k = torch.hypot(ky, kx) / pixels
        return torch.sigmoid(self.slope * (self.cutoff - k))


class Fnsm(nn.Module):
    """The module: features of the masked input beside (or added to) those of the input itself.

    (n, channels, ..., y, x) -> (n, width, ..., y, x).
    """

    def __init__(self, channels: int, width: int, dims: int = 2, config: FnsmConfig | None = None) -> None:
        """Make it.

        Args:
            channels: of the input.
            width: of the features. In the plane each half is of one of the two inputs; in space all are their sum.
            dims: 2, or 3 for stacks, of which each plane is masked.
            config: of the mask.
        """
        super().__init__()
        self.mask = FourierMask(config)
        self._sum = dims == 3
        parts = (width, width) if self._sum else (width // 2, width - width // 2)
        self.within, self.whole = conv(channels, parts[0], dims), conv(channels, parts[1], dims)

    def forward(self, x: Tensor, pixel: float | Tensor) -> Tensor:
        """Mask, and return the features."""
        return self.features(x, self.mask(x, pixel))

    def features(self, x: Tensor, masked: Tensor) -> Tensor:
        """Return the features of an input and of the same masked."""
        within, whole = self.within(masked), self.whole(x)
        return within + whole if self._sum else torch.cat([within, whole], dim=1)
