"""The OTF that beads show: a damping with its error, and where they allow it the whole radial curve."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from rdl_live.errors import DataError
from rdl_live.optics.beads import Array, Bead, Frame, bead_of, sphere_transfer
from rdl_live.optics.microscope import RadialOtf
from rdl_live.optics.otf import Otf

LEAST_BEADS = 5
_CURVE_BEADS = 20
"""From which the curve is measured as well."""
_CURVE_ERROR, _CURVE_UP_TO = 0.05, 0.7
"""Relative error up to this share of the cut-off, below which it is."""
_LOSSES = np.linspace(-0.5, 3.0, 71)
"""-ln of the factor at the cut-off, of the models."""
_OUTLIER = 3.5
"""Robust deviations from which a bead is none, or several, or out of focus."""
_DRAWS = 200
_GRID = 128
_SAMPLES = 65
"""Of the curve."""


@dataclass(frozen=True)
class BeadOtf:
    """What beads say of the OTF, relative to the one that was assumed."""

    damping: tuple[float, float]
    """(a, b) of a factor exp(-a f - b f^2): one of them is 0 [um, um^2]."""
    error: float
    """Standard error of the one that is not [um or um^2]."""
    slope_um: float
    """a of exp(-a f) alone [um]."""
    slope_error_um: float
    beads: int
    """That were used."""
    found: int
    """That stood alone and were bright enough."""
    curve: RadialOtf | None
    """With the pixel's MTF, radially averaged; None where beads are too few or too dim for it."""


def bead_otf(beads: Sequence[Bead], otf: Otf, bead_um: float = 0.0, seed: int = 0) -> BeadOtf:
    """Fit a damping to the transforms of beads.

    Args:
        beads: of `beads_of`, under this OTF's cut-off.
        otf: what is assumed, without the damping that is sought.
        bead_um: diameter of the beads [um].
        seed: of the bootstrap.

    Raises:
        DataError: fewer than `LEAST_BEADS`.
    """
    frame = Frame(otf.cutoff, otf.pixel_um)
    models = [_models(otf, frame, bead_um, power) for power in (1, 2)]
    profiles = np.array([one.profile for one in beads]).reshape(len(beads), len(frame.radii))
    kept = profiles[_inliers(np.array([_fit(one, models[0])[0] for one in profiles]))]
    if len(kept) < LEAST_BEADS:
        raise DataError(
            f"only {len(kept)} single bright beads were found, {LEAST_BEADS} are needed: use a field of beads that lie "
            f"{2e3 * frame.reach_px * frame.pixel_um:.0f} nm apart or more, in focus, with more light"
        )
    generator = np.random.default_rng(seed)
    draws = [kept[generator.integers(0, len(kept), len(kept))].sum(axis=0) for _ in range(_DRAWS)]
    fits = [_fit(kept.sum(axis=0), model) for model in models]
    # The median of absolute deviations: a draw at the models' end must not decide.
    errors = [
        1.4826 * float(np.median([abs(_fit(one, model)[0] - fit[0]) for one in draws]))
        for model, fit in zip(models, fits, strict=True)
    ]
    power = 1 if fits[0][1] <= fits[1][1] else 2
    loss, error = fits[power - 1][0], errors[power - 1]
    damping = (loss / otf.cutoff, 0.0) if power == 1 else (0.0, loss / otf.cutoff**2)
    return BeadOtf(
        damping=damping,
        error=error / otf.cutoff**power,
        slope_um=fits[0][0] / otf.cutoff,
        slope_error_um=errors[0] / otf.cutoff,
        beads=len(kept),
        found=len(beads),
        curve=_curve(kept, otf, frame, damping, models[power - 1], fits[power - 1]),
    )


def _models(otf: Otf, frame: Frame, bead_um: float, power: int) -> Array:
    """Return the profiles of a bead under exp(-loss (f / cut-off)^power), (losses, radii)."""
    f = np.fft.fftfreq(_GRID, frame.pixel_um)
    kx, ky = np.meshgrid(f, f)
    k = np.hypot(kx, ky)
    whole = otf(torch.as_tensor(kx), torch.as_tensor(ky)).numpy() * sphere_transfer(k, bead_um)
    half = frame.side_px
    rows = []
    for loss in _LOSSES:
        image = np.fft.fftshift(np.fft.ifft2(whole * np.exp(-loss * (k / otf.cutoff) ** power)).real)
        middle = slice(_GRID // 2 - half, _GRID // 2 + half + 1)
        rows.append(bead_of(image[middle, middle], frame).profile)
    return np.array(rows)


def _fit(profile: Array, models: Array) -> tuple[float, float, float]:
    """Return the loss whose model fits best, what is left of the profile's power, and the scale."""
    power = (models**2).sum(axis=1)
    scale = (models @ profile) / power
    left = (profile**2).sum() - scale**2 * power
    best = int(np.argmin(np.where(scale > 0, left, np.inf)))
    step = _LOSSES[1] - _LOSSES[0]
    loss = float(_LOSSES[best])
    if 0 < best < len(_LOSSES) - 1:
        low, mid, high = left[best - 1 : best + 2]
        bend = low - 2 * mid + high
        loss += 0.5 * float((low - high) / bend) * step if bend > 0 else 0.0
    return loss, float(left[best] / max((profile**2).sum(), 1e-30)), float(scale[best])


def _inliers(losses: Array) -> "np.ndarray":
    """Return which beads are like most: pairs are wider, and so is what is out of focus."""
    if not len(losses):
        return np.zeros(0, bool)
    middle = np.median(losses)
    spread = max(1.4826 * float(np.median(np.abs(losses - middle))), 0.02)
    return np.abs(losses - middle) < _OUTLIER * spread


def _curve(
    kept: Array, otf: Otf, frame: Frame, damping: tuple[float, float], models: Array, fit: tuple[float, float, float]
) -> RadialOtf | None:
    """Return the fitted OTF, corrected by what the beads show more or less of it."""
    model = np.array([np.interp(fit[0], _LOSSES, column) for column in models.T])
    ratio = kept.sum(axis=0) / (fit[2] * model)
    # Beads differ in brightness; what counts is how their shapes do.
    left = kept - np.outer(kept @ model / (model @ model), model)
    error = left.std(axis=0) * math.sqrt(len(kept)) / np.abs(fit[2] * model)
    inside = frame.radii < _CURVE_UP_TO * frame.cutoff
    if len(kept) < _CURVE_BEADS or bool((error[inside] > _CURVE_ERROR).any()):
        return None
    k = np.linspace(0, frame.cutoff, _SAMPLES)
    # Where the beads say nothing the fit holds.
    trust = np.interp(k, frame.radii, 1 / (1 + (error / _CURVE_ERROR) ** 2), left=1.0)
    corrected = 1 + trust * (np.interp(k, frame.radii, ratio) - 1)
    values = _radial(otf)(k) * np.exp(-damping[0] * k - damping[1] * k**2) * corrected.clip(0, None)
    values = values / values[0]
    return RadialOtf(values=tuple(float(one) for one in values), spacing=float(k[1]))


def _radial(otf: Otf) -> Callable[[Array], Array]:
    """Return the OTF as a function of |k|, averaged over directions."""
    turns = torch.linspace(0, math.pi / 4, 9, dtype=torch.float64)

    def mean(k: Array) -> Array:
        radius = torch.as_tensor(k)[:, None]
        return np.asarray(otf(radius * turns.cos(), radius * turns.sin()).mean(dim=1).numpy())

    return mean
