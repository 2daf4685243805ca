"""What is left of a plan's limits of light, over all parts of a run of single frames."""

from collections import defaultdict

from rdl_live.acquire.dose import point_dose
from rdl_live.acquire.estimate import Estimate
from rdl_live.acquire.plan import Limits, Plan
from rdl_live.errors import ConfigError
from rdl_live.optics.microscope import Microscope

_TOLERANCE = 1e-9
"""Sums of many small numbers are a little off."""


class LightBudget:
    """Counts what is to be exposed, so that the light stays off before a limit, as `DoseGuard` does in one part."""

    def __init__(self, limits: Limits, size_um: tuple[float, float] | None = None) -> None:
        """Begin with no light; `size_um` is the field of view (y, x), from which it follows which positions overlap."""
        self._limits, self._size_um = limits, size_um
        self._colours: dict[str, float] = defaultdict(float)
        self._together = 0.0
        self.reached: str | None = None
        """What to tell the user, once a limit has ended the run."""

    def admit(self, plan: Plan, microscope: Microscope, points: int, taken: int) -> int:
        """Return how many of `points` time points of a plan are within the limits, and count these.

        Args:
            plan: as the part follows it.
            microscope: that the part lights.
            points: wanted.
            taken: time points of the run so far, for what is told.
        """
        point = point_dose(plan, microscope, self._size_um)
        limit = self._limits.dose_j_cm2
        rooms = (
            []
            if limit is None
            else [
                (limit, self._colours[name], dose, f"limits.dose_j_cm2 {limit:g} J/cm2 of channel {name!r}")
                for name, dose in point.colours.items()
            ]
        )
        if (whole := self._limits.total_dose_j_cm2) is not None:
            rooms.append((whole, self._together, point.together, f"limits.total_dose_j_cm2 {whole:g} J/cm2"))
        for most, before, dose, name in rooms:
            if not dose:
                continue
            fitting = int((most * (1 + _TOLERANCE) - before) / dose)
            if fitting < points:
                points = max(fitting, 0)
                self.reached = (
                    f"the light was turned off after {taken + points} time points: {before + points * dose:.3g} J/cm2 "
                    f"are on the sample, and what follows would exceed {name}; all frames until then are kept"
                )
        for name, dose in point.colours.items():
            self._colours[name] += points * (dose or 0.0)
        self._together += points * (point.together or 0.0)
        return points

    def measured(self, dose_j_cm2: float | None) -> None:
        """Take into account what was measured together, where it is more, as after more power was asked for."""
        if dose_j_cm2 is not None and dose_j_cm2 > self._together * (1 + _TOLERANCE):
            more = dose_j_cm2 - self._together
            self._together = dose_j_cm2
            # Whose light it was is not known.
            for name in self._colours:
                self._colours[name] += more

    def left(self) -> dict[str, float | None]:
        """Return the limits of what follows the light that was counted, by their names in a plan."""
        most = max(self._colours.values(), default=0.0)
        return {
            "dose_j_cm2": _rest(self._limits.dose_j_cm2, most),
            "total_dose_j_cm2": _rest(self._limits.total_dose_j_cm2, self._together),
        }


def _rest(limit: float | None, before: float) -> float | None:
    return None if limit is None else max(limit - before, 0.0) + _TOLERANCE * limit


def check_together(plan: Plan, singles: Estimate, series: Estimate) -> None:
    """Refuse a plan whose single frames and series of patterns together exceed a limit.

    Args:
        plan: of the run; an endless one is not judged.
        singles: all of its single frames.
        series: of one time point with patterns.

    Raises:
        ConfigError: with the dose, the limit and what to do.
    """
    points, limits = plan.time.points, plan.limits
    single, one = singles.total_dose_j_cm2, series.total_dose_j_cm2
    limit = min((most for most in (limits.dose_j_cm2, limits.total_dose_j_cm2) if most is not None), default=None)
    if points is None or single is None or one is None or limit is None:
        return
    together = single + one * -(-points // plan.check_every)
    if together > limit:
        raise ConfigError(
            f"single frames and series of patterns together would give {together:.3g} J/cm2, above the limit of "
            f"{limit:g}; take fewer checks (check_every), or lower power_percent, exposure_ms or time.points"
        )
