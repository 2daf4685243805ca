"""Are the stripes in each raw frame those that the restoration assumed? A matched filter on the residual.

The denoised frames' own stripes, in place (i) and shifted by a quarter of a period (q), are looked for in what
denoising took away. With r the standardised residual (white, of variance 1) and m a unit-variance template,

    g = <r, m> / <m, m>,   z = g sqrt(<m, m>) of variance 1 where there is only noise.

Where the assumption is right g_q is 0; damping alone gives g_i > 0 (the denoised stripes are too weak, 1 + g_i times),
so g_q / (1 + g_i) tells a phase error. Phases or a period that are wrong leave g_q, or g_i < 0 (stripes were put in
that the frames do not have), in the frames concerned. z is taken relative to the residual's own deviation, for cameras
whose gain is not known. Whole frames are compared coherently, so that a few photons a pixel suffice: half a radian in
one frame of nine gives |z| of 16 and more at 2 photons, where good patterns stay below 6.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.optics.pattern import Pattern, PatternSet
from rdl_live.restore.frames import expected_deviation

LEAST_SHARE, LEAST_Z = 0.06, 8.0
"""What g_q, in size and in standard deviations, must exceed before it counts."""
RIM = 12
"""This part of the frame is left out at each edge."""
MOST_LACK = 0.1
"""As much as -g_i may be."""


@dataclass(frozen=True)
class StripeCheck:
    """Figures of one series, each by orientation and phase; 0 for orientations that are not trusted."""

    shifted: tuple[tuple[float, ...], ...]
    """g_q / (1 + g_i): stripes a quarter of a period from where they are assumed, as a share of those there."""
    lacking: tuple[tuple[float, ...], ...]
    """-g_i: stripes that were assumed and are not there (negative: more than assumed)."""
    doubts: tuple[str, ...] = ()
    """In the user's words."""


def check_stripes(photons: Tensor, denoised: Tensor, patterns: PatternSet, read_noise_e: float = 0.0) -> StripeCheck:
    """Look for wrong stripes.

    Args:
        photons: raw series (angle, phase, y, x).
        denoised: the same, denoised.
        patterns: the illumination that was assumed.
        read_noise_e: of the camera [electrons].
    """
    shifted, lacking, doubts = [], [], []
    # Near the edges lies what nobody knows: structure beyond them shines in.
    rim = max(1, min(photons.shape[-2:]) // RIM)
    inner = (..., slice(rim, -rim), slice(rim, -rim))
    # Frames that hold all patterns are looked at for each of them.
    photons, denoised = (one[inner].expand(len(patterns), -1, -1, -1) for one in (photons, denoised))
    deviation = expected_deviation(denoised, read_noise_e)
    residual = (photons - denoised) / deviation
    for number, pattern in enumerate(patterns):
        nothing = (0.0,) * len(pattern.phases_rad)
        if not pattern.trusted:
            shifted.append(nothing)
            lacking.append(nothing)
            continue
        templates = [one / deviation[number] for one in _templates(denoised[number], pattern)]
        (in_place, z_i), (quarter, z_q) = (_matched(residual[number], one) for one in templates)
        quarter = [g_q / (1 + max(g_i, 0.0)) for g_q, g_i in zip(quarter, in_place, strict=True)]
        shifted.append(tuple(quarter))
        lacking.append(tuple(-g for g in in_place))
        wrong = [
            phase + 1
            for phase, (g_i, s_i, g_q, s_q) in enumerate(zip(in_place, z_i, quarter, z_q, strict=True))
            if (abs(g_q) > LEAST_SHARE and abs(s_q) > LEAST_Z) or (g_i < -MOST_LACK and s_i < -LEAST_Z)
        ]
        if wrong:
            frames = f"frame {wrong[0]}" if len(wrong) == 1 else f"frames {', '.join(map(str, wrong))}"
            doubts.append(
                f"orientation {number + 1}, {frames}: the stripes are shifted from the estimated pattern, or the "
                "specimen moved: the finest detail may be wrong; compare with the image that is not denoised, and "
                "check the phase steps of the SLM"
            )
    return StripeCheck(tuple(shifted), tuple(lacking), tuple(doubts))


def _templates(denoised: Tensor, pattern: Pattern) -> tuple[Tensor, Tensor]:
    """Return the first-order stripes of denoised frames (phase, y, x), in place and a quarter of a period on."""
    phases = torch.tensor(pattern.phases_rad, dtype=torch.float32, device=denoised.device)[:, None, None]
    turn = torch.polar(torch.ones_like(phases), phases)  # exp(i phase)
    sideband = (turn.conj() * denoised).mean(dim=0)
    stripes = 2 * turn * sideband
    return stripes.real, -stripes.imag


def _matched(residual: Tensor, template: Tensor) -> tuple[list[float], list[float]]:
    """Return g and z of each frame (phase, y, x)."""
    energy = template.square().sum(dim=(-2, -1)).clamp(min=1e-12)
    overlap = (residual * template).sum(dim=(-2, -1))
    g, z = overlap / energy, overlap / energy.sqrt() / residual.std().clamp(min=1e-6)
    return g.tolist(), z.tolist()
