"""Hot and dead pixels: found where a single pixel holds what no lens can image, and filled from their neighbours.

A point beyond the resolution has power beyond the OTF's cut-off; a specimen has none. So the mean frame, without what
the OTF lets through, is noise of known size everywhere but at such pixels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rdl_live.optics.fourier import frequencies
from rdl_live.optics.otf import Otf

_SIGMAS = 9.0
"""Robust standard deviations of the noise beyond the cut-off that a pixel must stand out by."""
_BRIGHTER, _DARKER = 1.0, 0.6
"""By how much it must stand out of its surroundings, relative to their light."""
_ALIKE = 0.6
_FEW = 0.005
"""Largest share of the pixels that is mended."""
_BEYOND = 1.02
_LEAST_SHARE = 0.1
_ROUNDS = 4
"""A hot pixel's own ringing hides weaker ones: they are looked for again without it."""

Raw = npt.NDArray[Any]


@dataclass(frozen=True)
class Defects:
    """Pixels of a camera's region that do not follow the light."""

    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    hot: int
    """How many of them are too bright."""
    mended: bool = True
    """Whether they are few enough to be filled from their neighbours."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.rows)

    def mend(self, series: Raw) -> Raw:
        """Return a raw series (..., y, x) with these pixels filled by the median of the sound ones around them."""
        if not len(self) or not self.mended:
            return series
        filled = series.copy()
        bad = np.zeros(series.shape[-2:], np.bool_)
        bad[self.rows, self.columns] = True
        for row, column in zip(self.rows.tolist(), self.columns.tolist(), strict=True):
            filled[..., row, column] = _around(series, bad, row, column)
        return filled

    def warnings(self) -> list[str]:
        """Return a sentence on them, if there are any."""
        if not len(self):
            return []
        dead = len(self) - self.hot
        kinds = " and ".join(f"{n} {word}" for n, word in ((self.hot, "hot"), (dead, "dead")) if n)
        if self.mended:
            return [
                f"{kinds} pixels were found and filled from their neighbours; calibrate the camera "
                "(rdl-live calibrate) to have them measured"
            ]
        return [
            f"{kinds} pixels were found, too many to be filled: check the camera, and optics.na, optics.pixel_size_um "
            "and the wavelengths in the microscope file"
        ]


NONE = Defects(np.zeros(0, np.int64), np.zeros(0, np.int64), 0)


def find_defects(series: Raw, otf: Otf) -> Defects:
    """Find defective pixels in raw series (..., y, x), which stand still in all frames.

    Args:
        series: raw ADU; the more frames, the surer.
        otf: detection OTF. Where it leaves no part of the spectrum to noise, nothing is found.
    """
    frames = torch.from_numpy(np.ascontiguousarray(series).reshape(-1, *series.shape[-2:]).astype(np.float32))
    mean = frames.mean(dim=0)
    rows, columns = mean.shape
    beyond = _beyond(otf, (rows, columns))
    if beyond is None:
        return NONE
    mask, share = beyond
    bad = torch.zeros_like(mean, dtype=torch.bool)
    clean, light = mean.clone(), float(mean.median())
    hot = torch.zeros_like(bad)
    for _ in range(_ROUNDS):
        rough = _without_lens(clean, mask) / share
        # Noise follows the light: bright places are loud, so each pixel is measured against its surroundings.
        surroundings = _surroundings(clean)
        lit = (surroundings - _background(mean, light)).clamp(min=1)
        loudness = 1.48 * float((rough.abs() / lit.sqrt()).median())
        scale = torch.maximum(_local_scale(rough), loudness * lit.sqrt())
        excess = clean - surroundings
        stands_out = (rough.abs() > _SIGMAS * scale) & ((excess > _BRIGHTER * lit) | (excess < -_DARKER * lit))
        # A single pixel shows alike in both; what rings around a bright point does not.
        stands_out &= (excess * rough > 0) & (excess.abs() > _ALIKE * rough.abs())
        fresh = stands_out & _peak(rough.abs()) & ~bad
        if not bool(fresh.any()):
            break
        bad |= fresh
        hot |= fresh & (rough > 0)
        clean = torch.where(bad, _filled(clean, bad), clean)
    where = bad.nonzero().numpy()
    few = len(where) <= _FEW * bad.numel()
    return Defects(where[:, 0], where[:, 1], int((hot & bad).sum()), mended=few)


def _beyond(otf: Otf, shape: tuple[int, int]) -> tuple[Tensor, float] | None:
    kx, ky = frequencies(shape, otf.pixel_um)
    mask = (torch.hypot(kx, ky) > _BEYOND * otf.cutoff).to(torch.float32)
    share = float(mask.mean())
    return (mask, share) if share > _LEAST_SHARE else None


def _without_lens(image: Tensor, mask: Tensor) -> Tensor:
    """Return what of an image no lens can have imaged; mirrored at its edges, which are no steps then."""
    mirrored = torch.cat([image, image.flip(0)], 0)
    mirrored = torch.cat([mirrored, mirrored.flip(1)], 1)
    # The mirrored picture has twice the samples of each frequency.
    whole = mask.repeat_interleave(2, 0).repeat_interleave(2, 1)
    spectrum: Tensor = torch.fft.fft2(mirrored)
    back: Tensor = torch.fft.ifft2(spectrum * whole)
    return back.real[: image.shape[0], : image.shape[1]]


def _local_scale(rough: Tensor) -> Tensor:
    """Return the robust standard deviation of the noise around every pixel, at least a share of the usual one."""
    size = rough.abs()[None, None]
    pooled = torch.nn.functional.avg_pool2d(size.clamp(max=float(size.median()) * 8), 9, 1, 4, count_include_pad=False)
    usual = float(size.median())
    return 1.25 * pooled[0, 0].clamp(min=0.5 * usual) + 1e-6


def _surroundings(image: Tensor) -> Tensor:
    """Return the median of the eight neighbours of every pixel."""
    padded = torch.nn.functional.pad(image[None, None], (1, 1, 1, 1), mode="reflect")[0, 0]
    rows, columns = image.shape
    around = [padded[y : y + rows, x : x + columns] for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    return torch.stack(around).median(dim=0).values


def _background(mean: Tensor, light: float) -> float:
    """Return about the level of darkness: below nearly all pixels."""
    ordered = mean.flatten().sort().values
    return min(float(ordered[len(ordered) // 50]), light)


def _peak(size: Tensor) -> Tensor:
    """Return where a value is the largest of its 3 x 3 neighbourhood."""
    return size >= torch.nn.functional.max_pool2d(size[None, None], 3, 1, 1)[0, 0]


def _filled(image: Tensor, bad: Tensor) -> Tensor:
    """Return the mean of the sound neighbours of every pixel."""
    good = (~bad).to(image)[None, None]
    kernel = torch.ones(1, 1, 3, 3)
    total = torch.nn.functional.conv2d(image[None, None] * good, kernel, padding=1)
    count = torch.nn.functional.conv2d(good, kernel, padding=1).clamp(min=1)
    return (total / count)[0, 0]


def _around(series: Raw, bad: npt.NDArray[np.bool_], row: int, column: int) -> Raw:
    """Return the median of the sound pixels next to one, of a wider ring where there is none, (...)."""
    for reach in (1, 2, 3):
        rows = slice(max(row - reach, 0), row + reach + 1)
        columns = slice(max(column - reach, 0), column + reach + 1)
        sound = ~bad[rows, columns]
        if sound.any():
            values = series[..., rows, columns][..., sound]
            return np.asarray(np.median(values, axis=-1)).astype(series.dtype)
    return np.asarray(series[..., row, column])
