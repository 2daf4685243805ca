"""Whether two images are a pair: the same field, in the same place, on one scale, and which is the noisy one.

All is measured on one plane of each, the mean of a stack's planes; nothing depends on the unit of either.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rdl_live.errors import DataError
from rdl_live.optics.quality.shift import image_shift

REGISTERED_PX = 8.0
"""Shifts up to this are taken out; larger ones are refused."""
_LEAST_SHIFT_PX = 0.5
_SEARCHED = 0.45
"""Share of the shorter side over which a shift is sought."""
_MAGNIFIED_PX = 1.5
"""Difference of the shifts of opposite sides that is called another magnification."""
_THUMBNAIL = 96
_BETTER = 0.15
"""By how much another image must fit better than the one of the same name."""
_UNLIKE = 0.1
"""Correlation below which two images have nothing in common, where others of the set do."""
_NOISIER = 1.5
"""Ratio of the noise shares from which the folders are called swapped."""


@dataclass(frozen=True)
class Look:
    """What is compared of one pair."""

    name: str
    low: Tensor
    """(y, x), the mean plane."""
    high: Tensor
    low_file: str
    high_file: str


def look(name: str, low: Tensor, high: Tensor, low_file: str, high_file: str) -> Look:
    """Return what is compared of a pair of (z,) y, x."""
    planes = [one if one.ndim == 2 else one.mean(dim=0) for one in (low, high)]
    return Look(name, planes[0], planes[1], low_file, high_file)


def check_sizes(low: Sequence[int], high: Sequence[int], low_file: str, high_file: str) -> None:
    """Raise unless both have one size.

    Raises:
        DataError: they differ; with a hint where one is a multiple of the other.
    """
    if tuple(low) == tuple(high):
        return
    ratios = {round(b / a, 3) for a, b in zip(low[-2:], high[-2:], strict=True)}
    scale = next(iter(ratios)) if len(ratios) == 1 else None
    hint = (
        f"; it is {scale:g} times as fine: bring both to one pixel size"
        if scale not in (None, 1.0)
        else "; crop or export both to one size"
    )
    raise DataError(f"{high_file}: is {_size(high)}, {low_file} is {_size(low)}{hint}")


def check_values(image: Tensor, file: str) -> None:
    """Raise unless an image shows something.

    Raises:
        DataError: values that are no numbers, or all the same.
    """
    wrong = int((~torch.isfinite(image)).sum())
    if wrong:
        raise DataError(f"{file}: {wrong} values are NaN or infinite; replace them, or export the file again")
    if float(image.max()) == float(image.min()):
        raise DataError(f"{file}: all its values are {float(image.max()):g}; remove it and its fellow from the folders")


def check_alike(pair: Look) -> tuple[float, float]:
    """Return by how much the high image is to be moved (y, x) [pixels]; 0 where it lies right.

    Raises:
        DataError: both are the same file, or shifted too far, or of another magnification.
    """
    if torch.equal(pair.low, pair.high):
        raise DataError(
            f"{pair.high_file}: holds the same values as {pair.low_file}, so there is nothing to learn; put the image "
            "of much light into the folder of --high"
        )
    side = min(pair.low.shape)
    if side < 16:
        return 0.0, 0.0
    found = image_shift(pair.low, pair.high, 1.0, max_shift_um=_SEARCHED * side)
    if not found.reliable or found.distance_um < max(_LEAST_SHIFT_PX, 2 * found.error_um):
        _check_magnification(pair)
        return 0.0, 0.0
    if found.distance_um > REGISTERED_PX:
        raise DataError(
            f"{pair.high_file}: lies {found.distance_um:.1f} pixels from {pair.low_file} (y {found.y_um:+.1f}, x "
            f"{found.x_um:+.1f}), more than the {REGISTERED_PX:g} that are taken out; register or remove both"
        )
    _check_magnification(pair)
    return -found.y_um, -found.x_um


def _check_magnification(pair: Look) -> None:
    """Compare the shifts of the left and the right third, and of top and bottom."""
    rows, columns = pair.low.shape
    if min(rows, columns) < 96:
        return
    for axis, length, name in ((1, columns, "x"), (0, rows, "y")):
        third, shifts = length // 3, []
        for start in (0, length - third):
            parts = [one.narrow(axis, start, third) for one in (pair.low, pair.high)]
            found = image_shift(parts[0], parts[1], 1.0, max_shift_um=third / 4)
            if not found.reliable:
                return
            shifts.append(found)
        along = [one.x_um if axis == 1 else one.y_um for one in shifts]
        error = math.hypot(shifts[0].error_um, shifts[1].error_um)
        apart = along[1] - along[0]
        if abs(apart) > max(_MAGNIFIED_PX, 6 * error):
            scale = 1 + apart / (length - third)
            raise DataError(
                f"{pair.high_file}: is {scale:.4f} times as large as {pair.low_file} along {name}; pairs need one "
                "magnification: resample one of them, or record both with one objective and zoom"
            )


def check_order(pairs: Sequence[Look]) -> None:
    """Raise where files of one name show different fields.

    Raises:
        DataError: the low image of a pair fits the high one of another pair better, or none.
    """
    if len(pairs) < 2:
        return
    lows, highs = (_spectra([getattr(one, part) for one in pairs]) for part in ("low", "high"))
    fit = np.array([[_alike(low, high) for high in highs] for low in lows])
    own = np.diag(fit)
    for index, pair in enumerate(pairs):
        best = int(fit[index].argmax())
        if best != index and fit[index, best] > own[index] + _BETTER:
            raise DataError(
                f"{pair.low_file}: fits {pairs[best].high_file} (correlation {fit[index, best]:.2f}) better than its "
                f"namesake ({own[index]:.2f}); the order of the files is mixed up: give both files of a field one name"
            )
        if own[index] < _UNLIKE < float(np.median(own)) / 3:
            raise DataError(
                f"{pair.low_file}: has nothing in common with {pair.high_file} (correlation {own[index]:.2f}; others "
                f"{np.median(own):.2f}); remove both, or find the right fellow"
            )


def check_light(pairs: Sequence[Look], low_folder: str, high_folder: str) -> None:
    """Raise where the images that should be clean are the noisy ones.

    Raises:
        DataError: so it is for most of the pairs.
    """
    quotients = []
    for pair in pairs:
        low, high = noise_share(pair.low), noise_share(pair.high)
        if low is not None and high is not None:
            quotients.append(high / max(low, 1e-9))
    if quotients and float(np.median(quotients)) > _NOISIER:
        raise DataError(
            f"{high_folder}: its images are noisier than those of {low_folder} (noise {np.median(quotients):.1f} times "
            "as strong, relative to the structure): the folders are swapped; give --low the noisy images, --high the "
            "clean ones"
        )


def noise_share(image: Tensor) -> float | None:
    """Return the deviation of the noise relative to that of the structure; None of an image without any.

    The noise is read off the corners of the spectrum, beyond Nyquist's frequency, as `image_shift` does.
    """
    rows, columns = image.shape
    window = torch.hann_window(rows)[:, None] * torch.hann_window(columns)[None]
    spectrum = torch.fft.rfft2((image - image.mean()) * window).abs().square()
    ky, kx = torch.fft.fftfreq(rows)[:, None], torch.fft.rfftfreq(columns)[None]
    corner = torch.hypot(ky, kx) > 0.5
    noise = float(spectrum[corner].median()) / math.log(2)
    signal = float(spectrum.mean()) - noise
    return None if signal <= 0 else math.sqrt(max(noise, 0.0) / signal)


def _spectra(images: Sequence[Tensor]) -> list[Tensor]:
    """Return normalised spectra of small copies; smooth light, which all fields may share, is taken out."""
    found = []
    for image in images:
        small = functional.interpolate(image[None, None], size=(_THUMBNAIL, _THUMBNAIL), mode="area")[0, 0]
        small = small - functional.avg_pool2d(small[None, None], 31, 1, 15, count_include_pad=False)[0, 0]
        spectrum = torch.fft.rfft2(small, norm="ortho")
        found.append(spectrum / small.norm().clamp(min=1e-12))
    return found


def _alike(one: Tensor, other: Tensor) -> float:
    """Return the highest correlation of two pictures over all shifts."""
    return float(torch.fft.irfft2(one.conj() * other, s=(_THUMBNAIL, _THUMBNAIL), norm="ortho").max()) * _THUMBNAIL


def _size(shape: Sequence[int]) -> str:
    return " x ".join(str(length) for length in shape) + (" pixels" if len(shape) == 2 else " voxels (z, y, x)")
