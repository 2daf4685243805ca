"""What the standardised residual, (raw - denoised) / expected noise, gives away.

Where the denoised frames are right it is white noise of variance 1. Structure that a network has smoothed away stays in
it, within the OTF's support; light of a pattern that is not as assumed stays in it around +-k0.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.optics.fourier import frequencies
from rdl_live.optics.noise_floor import window2d
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import PatternSet

_AROUND = 0.12
"""Radius of the discs around +-k0, relative to the cut-off."""
_WITHIN, _BEYOND = 0.9, 1.05
"""What counts as within and beyond the OTF's support, relative to the cut-off."""
_LARGEST_COLOUR = 1.25
_LOST = 0.5
"""Share of that excess that must be the same in all frames, or follow the pattern, to be detail that was lost."""
_LARGEST_TRACE = 1.8
"""Right patterns reached 1.6 (sharp rings at 1000 photons); small mistakes are for `check_stripes` to find."""


@dataclass(frozen=True)
class ResidualCheck:
    """Figures of one series."""

    variance: float
    """1 where the noise is as expected; less where the denoised frames have taken some of it along."""
    colour: float | None
    """Power within the OTF's support / beyond it; 1 is white, more is structure that was lost. None where the OTF
    fills the whole spectrum."""
    pattern: tuple[float, ...]
    """For each orientation: power around +-k0 / power at the same |k| elsewhere; 1 is none, more is a pattern that is
    not as assumed (or light without pattern: haze)."""
    static: float = 1.0
    """Share of the structure in `colour` that is the same in all frames or follows the pattern: lost detail, while the
    rest is of what moved or flickered during the series."""

    @property
    def doubts(self) -> list[str]:
        """What is wrong, in words."""
        found = []
        if self.colour is not None and self.colour > _LARGEST_COLOUR and self.static > _LOST:
            found.append(
                f"the removed residual contains structure ({self.colour:.2f} times the power of noise): fine detail "
                "may have been lost; compare with the image that is not denoised"
            )
        for number, trace in enumerate(self.pattern, start=1):
            if trace > _LARGEST_TRACE:
                found.append(
                    f"the removed residual holds {trace:.1f} times the power of noise at the pattern of "
                    f"orientation {number}: pattern or haze are not as assumed; compare with the image that is not "
                    "denoised"
                )
        return found


def check_residual(residual: Tensor, otf: Otf, patterns: PatternSet) -> ResidualCheck:
    """Judge a standardised residual.

    Args:
        residual: (angle, phase, y, x); see `standardized_residual`.
        otf: detection OTF.
        patterns: the illumination that was assumed.
    """
    shape = (residual.shape[-2], residual.shape[-1])
    window = window2d(shape, residual.device)
    inner = window == 1
    spectra: Tensor = torch.fft.fft2((residual - residual.mean(dim=(-2, -1), keepdim=True)) * window)
    power = (spectra.real**2 + spectra.imag**2).mean(dim=1)  # (angle, y, x)
    kx, ky = (one.to(torch.float32) for one in frequencies(shape, otf.pixel_um, device=residual.device))
    k = torch.hypot(kx, ky)
    within, beyond = k < _WITHIN * otf.cutoff, k > _BEYOND * otf.cutoff
    within[0, 0] = False
    level = power[:, within].mean()
    traces = []
    # Frames that hold all patterns are looked at for each of them.
    for one, own in zip(patterns, power.expand(len(patterns), *power.shape[1:]), strict=True):
        distances = [torch.hypot(kx - sign * one.kx, ky - sign * one.ky) for sign in (1, -1)]
        near = torch.minimum(*distances) < _AROUND * otf.cutoff
        elsewhere = ((k - 1 / one.period_um).abs() < _AROUND * otf.cutoff) & ~near
        traces.append(float(own[near].mean() / own[elsewhere].mean()) if near.any() and elsewhere.any() else 1.0)
    outside = float(power[:, beyond].mean()) if beyond.any() else None
    return ResidualCheck(
        variance=float(residual[..., inner].var()),
        colour=None if outside is None else float(level) / outside,
        pattern=tuple(traces),
        static=1.0 if outside is None else _static(spectra, patterns, (kx, ky, within), outside),
    )


def _static(spectra: Tensor, patterns: PatternSet, plane: tuple[Tensor, Tensor, Tensor], noise: float) -> float:
    """Return which share of the structure within the OTF's support is the same in all frames or follows the pattern.

    What moves cancels in the mean of all frames, and in the sidebands is as strong on both sides of frequency zero, as
    no pattern is.

    Args:
        spectra: of the residual, (angle, phase, y, x).
        patterns: the illumination that was assumed.
        plane: kx, ky, and the mask of the support.
        noise: power of one frame's noise.
    """
    kx, ky, within = plane
    angles, phases = spectra.shape[:2]
    common = angles * phases * (float(_squared(spectra.mean(dim=(0, 1)))[within].mean()) - noise / (angles * phases))
    total = float(_squared(spectra)[..., within].sum(dim=(0, 1)).mean()) - angles * phases * noise
    followed = 0.0
    for one, own in zip(patterns, spectra.expand(len(patterns), *spectra.shape[1:]), strict=True):
        turns = torch.exp(-1j * torch.tensor(one.phases_rad, dtype=torch.float32, device=own.device))
        sideband = _squared((turns[:, None, None] * own).mean(dim=0))
        ahead = kx * one.kx + ky * one.ky > 0
        halves = [float(sideband[within & side].sum()) / float(within.sum()) for side in (ahead, ~ahead)]
        # Two sidebands, each the other's mirror image.
        followed += 2 * phases * abs(halves[0] - halves[1])
    return min(max((common + followed) / total, 0.0), 1.0) if total > 0 else 1.0


def _squared(values: Tensor) -> Tensor:
    return values.real.square() + values.imag.square()
