"""Gratings whose phase steps are exact shifts on the SLM's pixels.

A grating of the frequency (a, b) / N cycles per pixel, with whole numbers a, b and N, is the picture of
(a x + b y + c) mod N: bright in the lower half of the N values. Where N is a multiple of the number of phase steps
(times the fringes per period), each step adds a whole number to c, so all pictures of an orientation are the same
picture, shifted: the steps are exact, whatever the pixels. Most choices of a, b, N put unwanted orders of the binary
picture near the wanted ones; those that the pupil would pass are counted, and the cleanest choice near the wanted
period and angle is taken.

    fringes in the sample:  k0 = m f / p      m fringes per period (2: orders +1 and -1 interfere), p SLM pixel [um]
    phase step of fringes 2 pi / P            = N / (m P) in c
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from rdl_live.errors import ConfigError

Image = npt.NDArray[np.uint8]

LARGEST_N = 360
"""Larger ones hit period and angle closer than any SLM is aligned."""
PERIOD_SHARE = 2e-3
"""Error of the period that is as bad as `ERROR_COST` of unwanted light."""
ANGLE_DEG = 0.1
ERROR_COST = 0.005
FARTHEST = 5.0
"""Gratings further off than so many times these errors are not considered."""
COARSEST_PX, FINEST_PX = 500.0, 2.5
"""Periods on the SLM between which a grating can be shown [pixels]."""


@dataclass(frozen=True)
class Grating:
    """A grating of the frequency (a, b) / n, and how far it is from what was asked for."""

    a: int
    b: int
    n: int
    step: int
    """What one phase step adds to c."""
    period_error: float
    """Relative error of the period."""
    angle_error_deg: float
    """Error of the direction [degrees]."""
    stray: float
    """Power of unwanted orders that the pupil may pass, relative to the wanted one."""

    @property
    def frequency(self) -> tuple[float, float]:
        """(fx, fy) [cycles per SLM pixel]."""
        return self.a / self.n, self.b / self.n

    @property
    def period_px(self) -> float:
        """Period on the SLM [pixels]."""
        return self.n / math.hypot(self.a, self.b)

    def image(self, shape: tuple[int, int], phase: int, on_value: int = 255) -> Image:
        """Return the picture (y, x) of one phase step: 0 and `on_value`."""
        half, small = self.n // 2, np.dtype(np.int16 if self.n < 2**14 else np.int32)
        y = (np.arange(shape[0]) * self.b % self.n).astype(small)[:, None]
        x = ((np.arange(shape[1]) * self.a + phase * self.step) % self.n).astype(small)[None, :]
        place = y + x  # below 2 n: compared instead of divided, for an SLM has a million pixels
        bright: npt.NDArray[np.bool_] = (place < half) | ((place >= self.n) & (place < self.n + half))
        image: Image = bright * np.uint8(on_value)
        return image

    def phase_rad(self, phase: int) -> float:
        """Return psi of cos(2 pi f . s + psi) of one step, pixel centres at s = + 0.5, at the SLM's corner."""
        # The bright half holds the values 0 ... n/2 - 1: its middle is the crest.
        middle = (self.n // 2 - 1) / 2
        fx, fy = self.frequency
        return 2 * math.pi * ((phase * self.step - middle) / self.n - 0.5 * (fx + fy))


def find_grating(period_px: float, angle_deg: float, phases: int, fringes_per_period: int = 2) -> Grating:
    """Return the best grating near a period and a direction.

    Args:
        period_px: wanted period on the SLM [pixels].
        angle_deg: wanted direction of the frequency vector, x right, y down [degrees].
        phases: steps P.
        fringes_per_period: fringes in the sample for each period of the grating.

    Raises:
        ConfigError: the SLM's pixels cannot show such a period.
    """
    if not FINEST_PX <= period_px <= COARSEST_PX:
        raise ConfigError(
            f"hardware.slm: stripes need a grating of {period_px:.2f} SLM pixels, and one from {FINEST_PX:g} to "
            f"{COARSEST_PX:g} can be shown; check slm.pixel_um and the channel's pattern.period_um"
        )
    return _find(round(period_px, 9), round(angle_deg, 9), phases, fringes_per_period)


@lru_cache(maxsize=256)
def _find(period_px: float, angle_deg: float, phases: int, fringes_per_period: int) -> Grating:
    unit = math.lcm(2, phases * fringes_per_period)
    candidates: list[Grating] = []
    for n in range(unit, LARGEST_N + 1, unit):
        candidates += _near(n, period_px, angle_deg, n // (phases * fringes_per_period))
    near = [one for one in candidates if _misfit(one) < FARTHEST**2] or [min(candidates, key=_misfit)]
    near.sort(key=_misfit)
    return min((_with_stray(one) for one in near[:200]), key=lambda one: one.stray + ERROR_COST * _misfit(one))


def _near(n: int, period_px: float, angle_deg: float, step: int) -> list[Grating]:
    """Return the four gratings of one n around the wanted frequency."""
    angle = math.radians(angle_deg)
    wanted_a, wanted_b = n * math.cos(angle) / period_px, n * math.sin(angle) / period_px
    found = []
    for a in {math.floor(wanted_a), math.ceil(wanted_a)}:
        for b in {math.floor(wanted_b), math.ceil(wanted_b)}:
            # With a common divisor the picture does not take all n values, and some steps are no shifts.
            if math.gcd(a, b, n) != 1 or (a == 0 and b == 0):
                continue
            turn = math.remainder(math.degrees(math.atan2(b, a)) - angle_deg, 360.0)
            found.append(Grating(a, b, n, step, n / math.hypot(a, b) / period_px - 1, turn, 0.0))
    return found


def _misfit(grating: Grating) -> float:
    return (grating.period_error / PERIOD_SHARE) ** 2 + (grating.angle_error_deg / ANGLE_DEG) ** 2


def _with_stray(grating: Grating) -> Grating:
    """Fill in the unwanted orders: harmonics of the square wave, folded back by the pixels."""
    order = np.arange(1, grating.n)
    # Fourier series of the n values, n/2 of them bright: only odd orders are there.
    power = np.where(order % 2 == 1, 1 / (grating.n * np.sin(np.pi * order / grating.n)) ** 2, 0.0)
    fx, fy = (np.remainder(order * number / grating.n + 0.5, 1.0) - 0.5 for number in (grating.a, grating.b))
    radius, wanted = np.hypot(fx, fy), 1 / grating.period_px
    passed = (radius > 0.5 * wanted) & (radius < 1.5 * wanted)
    passed[[0, -1]] = False  # the two wanted orders
    stray = float(power[passed].sum() / (power[0] + power[-1]))
    return Grating(grating.a, grating.b, grating.n, grating.step, grating.period_error, grating.angle_error_deg, stray)
