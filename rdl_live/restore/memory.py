"""What the series before still tell: averaged in where nothing has moved, and only there.

A time-lapse shows the same object again and again. Let m be the mean of the spectra M of the series before, worth s(k)
series at each frequency. Nothing having moved, M - m is noise of variance N D (1 + 1/s). What is more is motion, C(k),
measured ring by ring, and the mean is worth

    s' = s / (1 + s C D / N),   m <- (M + s' m) / (1 + s'),   s <- 1 + s'

(a Kalman filter for each frequency, whose process noise is measured; Kalman 1960, 10.1115/1.3662552). Bleaching is
no motion: m is first brought to the brightness of M, by the median over the bright places. A vesicle that
moves in a cell that does not is too little for C. So the difference is looked at in the image as well: where it is more
than noise, the series stands for itself, and what it shows there is as old as it is.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.restore.evidence import Evidence
from rdl_live.restore.fusion import excess_power

SMOOTH = 10.0
"""Damping of the difference image relative to the Wiener estimate's: motion is sought where there is signal."""
REACH_PX = 6.0
"""Radius (standard deviation) over which the difference is averaged, about half a cell's vesicle [SR pixels]."""
STILL, MOVED = 1.6, 2.6
"""Local mean of (difference / noise)^2: up to the first nothing moved, from the second on all did."""
BRIGHTNESS = 3.0
"""Damping of the image that gives the light, relative to the Wiener estimate's."""
SMOOTHEST, SPARSE = 30.0, 4
"""Damping of the image, and pixels from one place to the next, by which bleaching is measured."""
_DARKEST = 0.03
"""Relative to the mean: filters bring noise into darker places."""


@dataclass(frozen=True)
class Recalled:
    """A series together with those before."""

    evidence: Evidence
    """Of all of them, in units of the mean."""
    still: Tensor
    """(n, y, x) on the padded grid: 1 where nothing moved, 0 where the series must stand for itself."""


class Memory:
    """Of one place and colour. Series are given to it in the order of time."""

    def __init__(self, most: float, rings: Tensor) -> None:
        """Begin with nothing.

        Args:
            most: series that the memory is worth at most, the newest included.
            rings: `rings_of` the half-plane.
        """
        if most < 1:
            raise ValueError(f"a memory is worth at least the series itself, got {most}")
        self._most, self._rings = most, rings
        self._mean: Tensor | None = None
        self._worth: Tensor | None = None

    def recall(self, evidence: Evidence) -> Recalled | None:
        """Add a series and return it with what is remembered; None for the first one.

        Args:
            evidence: one series in units of its mean (`Evidence.relative`).
        """
        mean, worth = self._mean, self._worth
        if mean is None or worth is None:
            self._mean, self._worth = evidence.matched.clone(), torch.ones_like(evidence.power)
            return None
        mean = mean * self._bleaching(evidence, mean)
        difference = evidence.matched - mean
        noise = evidence.noise[:, None, None]
        expected = noise * evidence.power * (1 + 1 / worth)
        motion = excess_power(difference, expected, evidence.power, self._rings)
        worth = (worth / (1 + worth * motion * evidence.power / noise)).clamp(max=self._most - 1)
        still = self._still(evidence, difference, expected)
        total = 1 + worth
        self._mean, self._worth = (evidence.matched + worth * mean) / total, total
        together = Evidence(
            total * self._mean, total * evidence.power, evidence.target, evidence.damping, evidence.noise
        )
        return Recalled(together, still)

    def _bleaching(self, evidence: Evidence, mean: Tensor) -> float:
        """Return how much brighter the series is than what is remembered, by the median over all bright places."""
        before = Evidence(mean, *evidence.tensors()[1:]).wiener(SMOOTHEST)[..., ::SPARSE, ::SPARSE]
        now = evidence.wiener(SMOOTHEST)[..., ::SPARSE, ::SPARSE]
        bright = before > before.mean()
        return float((now[bright] / before[bright]).median()) if bright.any() else 1.0

    def _still(self, evidence: Evidence, difference: Tensor, expected: Tensor) -> Tensor:
        """Return where the difference is no more than noise."""
        gain = evidence.target / (evidence.power + SMOOTH * evidence.damping).clamp(min=1e-12)
        image = evidence.image(gain * difference)
        deviation = evidence.deviation(gain**2 * expected)[:, None, None]
        # Photon noise grows with the light around; the quotient of means is steadier than the mean of quotients.
        light = evidence.wiener(BRIGHTNESS).clamp(min=_DARKEST)
        blur = self._blur(evidence)
        found, noise = (evidence.image(torch.fft.rfft2(one) * blur) for one in (image**2, deviation**2 * light))
        return ((MOVED - found / noise.clamp(min=1e-12)) / (MOVED - STILL)).clamp(0, 1)

    def _blur(self, evidence: Evidence) -> Tensor:
        y, x = evidence.grid
        device = evidence.power.device
        ky, kx = torch.fft.fftfreq(y, device=device)[:, None], torch.fft.rfftfreq(x, device=device)[None, :]
        return torch.exp(-2 * (torch.pi * REACH_PX) ** 2 * (ky**2 + kx**2))


def blended(still: Tensor, together: Tensor, alone: Tensor) -> Tensor:
    """Return `together` where nothing moved and `alone` elsewhere."""
    return torch.lerp(alone, together, still)
