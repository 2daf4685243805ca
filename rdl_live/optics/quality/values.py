"""Are these values plausible counts of this camera? What raw frames say about offset, scale, sampling and dead pixels.

Noise is the witness. Beyond the OTF's cut-off there is nothing else, and on a camera whose calibration is right its
variance is photons + read noise^2 everywhere: dark corners quiet, bright ones loud. So the noise of dark and bright
blocks gives the offset (Janesick, Photon Transfer, 2007), a single pixel that stands out where no lens can image
anything is defective, and noise that fades towards Nyquist's frequency has been interpolated.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rdl_live.optics.fourier import frequencies
from rdl_live.optics.microscope import Camera
from rdl_live.optics.noise import CameraMaps, to_photons
from rdl_live.optics.noise_floor import window2d
from rdl_live.optics.otf import Otf

Raw = npt.NDArray[Any]

_BELOW_SIGMAS = 5.0
"""Read noise below the offset from which a pixel cannot be darkness."""
_BELOW_SHARE = 0.02
_BEYOND = 1.08
_LEAST_SHARE = 0.05
"""Share of the spectrum that must lie beyond the cut-off."""
_BLOCK = 16
"""Side of the blocks whose mean and noise are compared [pixels]."""
_LEAST_BLOCKS = 24
_CLIPPED = 5e-4
"""Share of pixels at the largest value above which the counts are clipped."""
_SCALE = 4.0
"""Factor of the gain that is wrong; an EMCCD's noise grows twice as fast as photons'."""
_APART, _REPEATED = 5, 0.3
"""Distance at which equal pixels are chance, and the share of equal neighbours that is none."""
_OFFSET_SHARE, _OFFSET_PHOTONS = 0.2, 3.0
"""An error of the offset is told from this share of the mean light, and from so many photons on."""
_SIGMAS = 5.0
FADES = "the noise fades towards the finest detail"
_FADES = 0.35
"""Noise power at Nyquist's frequency, relative to that just beyond the cut-off, from which pixels are interpolated."""


@dataclass(frozen=True)
class _Noise:
    """Where noise alone can be seen."""

    beyond: Tensor
    """Mask of the frequencies beyond the cut-off, (y, x // 2 + 1)."""
    share: float
    """Their share of the whole plane."""


def value_warnings(series: Raw, camera: Camera, otf: Otf, maps: CameraMaps | None = None) -> list[str]:
    """Return what is implausible about a raw series (angle, phase, y, x) in ADU, each with its remedy.

    Args:
        series: as the file has it, of any number type.
        camera: calibration that is assumed.
        otf: detection OTF.
        maps: per-pixel calibration, where there is one.
    """
    found = rescaled(series) + signed(series) + repeated(series)
    if found:
        return found
    adu = torch.from_numpy(np.ascontiguousarray(series).astype(np.float32))
    photons = to_photons(adu, camera, maps)
    calibrated = maps is not None or camera.gain_e_per_adu != 1 or camera.offset_adu > 0
    smooth = interpolated(photons, otf, camera.read_noise_e if calibrated else None)
    if smooth or maps is not None:
        return smooth
    if not calibrated:
        return _below_offset(series, camera)
    return (
        _gain_by_noise(series, photons, camera, otf)
        or _below_offset(series, camera)
        or _offset_by_noise(photons, camera, otf)
    )


def rescaled(series: Raw) -> list[str]:
    """Recognise values from 0 to 1, which no camera gives."""
    if series.dtype.kind != "f" or series.size == 0:
        return []
    low, high = float(series.min()), float(series.max())
    if not (low >= -0.01 and 0 < high <= 1):
        return []
    return [
        "the values lie from 0 to 1: the file was rescaled, so photon numbers are lost and camera.offset_adu and "
        "camera.gain_e_per_adu do not apply; export the raw camera counts, or set offset_adu: 0 and gain_e_per_adu: 1"
    ]


def signed(series: Raw) -> list[str]:
    """Recognise unsigned counts that were stored as signed 16 bit numbers."""
    if series.dtype != np.int16 or series.size == 0:
        return []
    low, middle = int(series.min()), float(np.median(series))
    if middle < -16384:
        return [
            "the values are signed 16 bit and begin near -32768: 32768 was subtracted from the camera counts; save the "
            "file as unsigned 16 bit with 32768 added"
        ]
    if low < -16384 and int(series.max()) > 16384:
        share = float(np.mean(series < 0))
        return [
            f"{share:.2%} of the values are negative, down to {low}: counts above 32767 were stored as signed 16 bit "
            "and wrapped round; save the file as unsigned 16 bit"
        ]
    return []


def repeated(series: Raw) -> list[str]:
    """Recognise frames that were enlarged by repeating pixels: neighbours are equal, in spite of their noise."""
    least = 1.0
    for axis in (-1, -2):
        count = series.shape[axis]
        if count < 2 * _APART:
            return []
        near, far = (_equal(series, apart, axis) for apart in (1, _APART))
        if near < _REPEATED or near < 3 * far:
            return []
        least = min(least, near)
    return [
        f"{least:.0%} of neighbouring pixels are equal, in spite of their noise: the frames were enlarged by repeating "
        "pixels; use the frames as the camera gave them, with optics.pixel_size_um of its own pixels"
    ]


def _equal(series: Raw, apart: int, axis: int) -> float:
    """Return the share of pixels that are equal to one so far apart."""
    moved = np.moveaxis(series, axis, -1)
    return float(np.mean(moved[..., apart:] == moved[..., :-apart]))


def _gain_by_noise(series: Raw, photons: Tensor, camera: Camera, otf: Otf) -> list[str]:
    """Recognise counts of another scale: noise grows with light far faster or slower than that of photons."""
    if float(np.mean(series == series.max())) > _CLIPPED:
        return []  # the edges of what is clipped look like noise that grows with the light
    measured = _blocks(photons, otf)
    slope = None if measured is None else _slope(*measured[:2])
    if measured is None or slope is None:
        return []
    means, errors = measured[0], measured[2]
    low, high = means <= np.quantile(means, 0.2), means >= np.quantile(means, 0.8)
    error = math.hypot(*(float(np.sqrt((errors[one] ** 2).sum())) / int(one.sum()) for one in (low, high)))
    sure = _SIGMAS * error / float(means[high].mean() - means[low].mean())
    if not (slope - sure > _SCALE or (slope > 0 and slope + sure < 1 / _SCALE)):
        return []
    step = int(np.gcd.reduce(series.reshape(-1)[:: max(series.size // 10**5, 1)])) if series.dtype.kind in "iu" else 1
    why = f": all values are multiples of {step}, as where fewer bits fill the upper ones of 16" if step > 1 else ""
    return [
        f"the noise grows {slope:.2g} times as fast with the light as that of photons{why}. camera.gain_e_per_adu "
        f"{camera.gain_e_per_adu:g} is not that of this file, about {camera.gain_e_per_adu / slope:.2g} would fit, and "
        "all photon numbers are wrong by that factor; use gain and offset of this camera mode (rdl-live calibrate)"
    ]


def _below_offset(series: Raw, camera: Camera) -> list[str]:
    """Recognise an offset that was subtracted already, or is too high: pixels far below darkness."""
    if camera.offset_adu <= 0:
        return []
    spread = math.hypot(camera.read_noise_e / camera.gain_e_per_adu, 1.0)
    lowest = camera.offset_adu - _BELOW_SIGMAS * spread
    share = float(np.mean(series < lowest))
    if share < _BELOW_SHARE:
        return []
    # Dead pixels and a dark frame are few; an offset that is wrong shows in the darkest part of every frame.
    floor = float(np.median(np.percentile(series.reshape(-1, series.shape[-2] * series.shape[-1]), 1, axis=1)))
    if floor >= lowest:
        return []
    guess = "0 if it was subtracted already" if floor < 0.3 * camera.offset_adu else f"about {floor + 2 * spread:.0f}"
    return [
        f"{share:.0%} of the pixels lie below camera.offset_adu {camera.offset_adu:g} by more than noise can: the "
        f"offset was subtracted already, or is too high; set camera.offset_adu to {guess} (measure it with the shutter "
        "closed)"
    ]


def _offset_by_noise(photons: Tensor, camera: Camera, otf: Otf) -> list[str]:
    """Recognise an offset that is too low: dark blocks are quieter than the light that they seem to have."""
    measured = _blocks(photons, otf)
    if measured is None:
        return []
    means, variances, errors = measured
    dark = means <= max(np.quantile(means, 0.1), np.sort(means)[2])
    level, noise = float(means[dark].mean()), float(variances[dark].mean())
    error = math.sqrt(float((errors[dark] ** 2).sum())) / int(dark.sum())
    slope = _slope(means, variances)
    # Where the gain is wrong as well, the slope says by how much.
    scale = slope if slope is not None else 1.0
    if not 0.3 < scale < 3:
        return []
    excess = level - (noise - camera.read_noise_e**2) / scale
    overall = float(means.mean())
    certain = excess > _SIGMAS * error / scale and excess > max(_OFFSET_PHOTONS, _OFFSET_SHARE * overall)
    if not certain:
        return []
    adu = camera.offset_adu + excess / camera.gain_e_per_adu
    return [
        f"the darkest places are quieter than {level:.0f} photons would be: camera.offset_adu {camera.offset_adu:g} "
        f"seems too low, about {adu:.0f} would fit, and all photon numbers are too high by about {excess:.0f}; measure "
        "it with the shutter closed"
    ]


def _slope(means: npt.NDArray[np.float64], variances: npt.NDArray[np.float64]) -> float | None:
    """Return d variance / d mean between the darkest and the brightest blocks: 1 where the gain is right."""
    low, high = means <= np.quantile(means, 0.2), means >= np.quantile(means, 0.8)
    apart = float(means[high].mean() - means[low].mean())
    if apart < 0.5 * float(means.mean()):
        return None
    return float(variances[high].mean() - variances[low].mean()) / apart


def _blocks(photons: Tensor, otf: Otf) -> tuple[npt.NDArray[np.float64], ...] | None:
    """Return mean, noise variance and its standard error of every block of the field."""
    shape = (photons.shape[-2], photons.shape[-1])
    noise = _noise_mask(otf, shape)
    rows, columns = shape[0] // _BLOCK, shape[1] // _BLOCK
    if noise is None or rows * columns < _LEAST_BLOCKS:
        return None
    frames = photons.flatten(0, -3)
    spectrum: Tensor = torch.fft.rfft2(frames)
    rough = torch.fft.irfft2(spectrum * noise.beyond, s=shape).square()
    # The picture's edges are a step for the transform.
    inner = (slice(_BLOCK, (rows - 1) * _BLOCK), slice(_BLOCK, (columns - 1) * _BLOCK))
    blocks = []
    for image in (frames.mean(dim=0), rough.mean(dim=0) / noise.share):
        part = image[inner]
        blocks.append(part.reshape(rows - 2, _BLOCK, columns - 2, _BLOCK).mean(dim=(1, 3)).flatten().double().numpy())
    samples = len(frames) * _BLOCK**2 * noise.share
    return blocks[0], blocks[1], blocks[1] * math.sqrt(2 / samples)


def _noise_mask(otf: Otf, shape: tuple[int, int]) -> _Noise | None:
    kx, ky = frequencies(shape, otf.pixel_um, half=True)
    beyond = torch.hypot(kx, ky) > _BEYOND * otf.cutoff
    weights = torch.full((beyond.shape[1],), 2.0)
    weights[0] = 1
    if shape[1] % 2 == 0:
        weights[-1] = 1
    share = float((beyond * weights).sum()) / (shape[0] * shape[1])
    return _Noise(beyond.to(torch.float32), share) if share > _LEAST_SHARE else None


def interpolated(photons: Tensor, otf: Otf, read_noise_e: float | None = None) -> list[str]:
    """Recognise pixels that were enlarged, shifted or smoothed: their noise fades towards Nyquist's frequency.

    Args:
        photons: series (angle, phase, y, x).
        otf: detection OTF.
        read_noise_e: of a calibrated camera [electrons]: its noise is then known, and stripes beyond a wrong cut-off
            are not mistaken for noise.
    """
    shape = (photons.shape[-2], photons.shape[-1])
    kx, ky = frequencies(shape, otf.pixel_um)
    k, nyquist = torch.hypot(kx, ky), 0.5 / otf.pixel_um
    edge = torch.maximum(kx.abs().expand_as(k), ky.abs().expand_as(k)) / nyquist
    near = (k > _BEYOND * otf.cutoff) & (k < 1.35 * otf.cutoff) & (edge < 0.85)
    far = (edge > 0.9) & (k > _BEYOND * otf.cutoff)
    if min(int(near.sum()), int(far.sum())) < 200:
        return []
    frames = photons.flatten(0, -3)
    if len(frames) < 2:
        return []
    # What frames have in common is no noise.
    rest = (frames - frames.mean(dim=0)) * window2d(shape)
    rest = rest - rest.mean(dim=(-2, -1), keepdim=True)
    spectrum: Tensor = torch.fft.fft2(rest)
    power = (spectrum.real**2 + spectrum.imag**2).mean(dim=0)
    inner, outer, whole = float(power[near].mean()), float(power[far].mean()), float(power.mean())
    if inner < 1e-9 * whole or outer > _FADES * inner:
        return []
    if read_noise_e is not None:
        expected = (max(float(frames.mean()), 0.0) + read_noise_e**2) * float((window2d(shape).double() ** 2).sum())
        if outer > _FADES * expected:
            return []
    return [
        f"{FADES}: the pixels were interpolated (enlarged, shifted or smoothed), so "
        "that noise is taken for detail; use the frames as the camera gave them, with optics.pixel_size_um of its own "
        "pixels"
    ]
