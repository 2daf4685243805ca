"""What can be said of a model's images without any second look: residual, halves that agree, patterns."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rdl_live.optics.quality import fourier_ring_correlation, thin
from rdl_live.restore import Restorer
from rdl_live.train.recordings.film import Film

_SEED = 0x4A1F


@dataclass(frozen=True)
class Health:
    """Means over some time points."""

    variance: float
    """Of the standardised residual; 1 where the noise is as expected."""
    colour: float | None
    """Power of the residual within the OTF's support / beyond it; 1 is white, more is lost structure."""
    pattern: float
    """Largest power of the residual at a pattern's frequency / elsewhere; 1 is none."""
    frc_nm: float | None
    """Resolution up to which the image of one half of the photons agrees with the plain reconstruction of the other
    (FRC above 1/7); None if never. Two denoised halves would agree on whatever the network believes."""
    frc_spread_nm: float | None
    """Standard deviation over the time points."""
    from_noise: float
    """Artefact score: share of the image's contrast that two halves do not agree on, so it comes from the noise."""
    pattern_shift_nm: float | None
    """Largest change of a pattern's period by denoising."""
    doubts: tuple[str, ...]
    """What the guards say."""


def examine(film: Film, restorer: Restorer, times: Sequence[int], *, plain: bool) -> Health:
    """Examine the images of some time points.

    Args:
        film: recording.
        restorer: of the model.
        times: time points.
        plain: examine the reconstruction without the network instead.
    """
    variances, colours, traces, resolutions, shares, shifts = [], [], [], [], [], []
    doubts: dict[str, None] = {}
    for time in times:
        series = torch.from_numpy(film.frames[time].astype(np.float32))
        halves, plain_halves = _halves(film, restorer, time, plain=plain)
        resolutions += _resolutions_nm(film, halves, plain_halves)
        shares.append(_disagreement(*halves))
        if plain:
            continue
        guards = restorer.restore(series, guards=True).guards
        if guards is None:
            continue
        variances.append(guards.residual.variance)
        traces.append(max(guards.residual.pattern, default=1.0))
        if guards.residual.colour is not None:
            colours.append(guards.residual.colour)
        if guards.shift_nm is not None:
            shifts.append(guards.shift_nm)
        doubts |= dict.fromkeys(guards.doubts)
    return Health(
        variance=_mean(variances, 1.0),
        colour=_mean(colours) if colours else None,
        pattern=_mean(traces, 1.0),
        frc_nm=_mean(resolutions) if resolutions else None,
        frc_spread_nm=float(np.std(resolutions)) if len(resolutions) > 1 else None,
        from_noise=_mean(shares),
        pattern_shift_nm=max(shifts) if shifts else None,
        doubts=tuple(doubts),
    )


def _resolutions_nm(film: Film, halves: Sequence[Tensor], plain_halves: Sequence[Tensor]) -> list[float]:
    """Return what each half's image and the other half's plain reconstruction agree on, if on anything."""
    reach = max((math.hypot(one.kx, one.ky) for one in film.patterns), default=0.0)
    end = film.scope.cutoff(film.channel) + reach
    pixel_um = film.scope.optics.pixel_size_um / film.scope.pattern.sr_factor
    found = []
    for one, other in zip(halves, reversed(plain_halves), strict=True):
        curve = fourier_ring_correlation(one, other, pixel_um, end_per_um=end)
        if curve.resolution_um is not None:
            found.append(1e3 * curve.resolution_um)
        elif curve.agrees_to_end:
            found.append(1e3 / end)
    return found


def _halves(film: Film, restorer: Restorer, time: int, *, plain: bool) -> tuple[list[Tensor], list[Tensor]]:
    """Restore two halves of the photons, each by itself; return the images, and their plain reconstructions."""
    generator = torch.Generator().manual_seed(_SEED + time)
    maps, camera = film.maps, film.scope.camera
    read = camera.read_noise_e if maps is None else maps.read_noise_e
    parts = thin(film.photons(time), 0.5, read_noise_e=read, generator=generator)
    gain = camera.gain_e_per_adu if maps is None else maps.gain_e_per_adu
    offset = camera.offset_adu if maps is None else maps.offset_adu
    images, plains = [], []
    for photons in parts:
        # Each half is a recording at half the light: noise and spectrum are its own.
        series = photons / gain + offset
        restorer.calibrate(series)
        restored = restorer.restore(series)
        plains.append(restored.sr if restored.sim is None else restored.sim)
        images.append(plains[-1] if plain else restored.sr)
    restorer.calibrate(film.photons(time) / gain + offset)
    return images, plains


def _disagreement(one: Tensor, other: Tensor) -> float:
    """Return 1 - 2 <a b> / <a a + b b> of two images without their means."""
    a, b = (image - image.mean() for image in (one, other))
    total = float((a * a + b * b).mean())
    return 1 - 2 * float((a * b).mean()) / total if total > 0 else 0.0


def _mean(values: Sequence[float], otherwise: float = 0.0) -> float:
    return float(np.mean(values)) if len(values) else otherwise
