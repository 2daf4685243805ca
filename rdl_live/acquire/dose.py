"""The light on the sample: planned before the start, counted during the run, and kept below the plan's limit.

Dose [J/cm2] = irradiance at full power [W/cm2] x share of full power x exposure [s]. Each plane of a stack lights the
whole depth, and positions whose fields of view overlap share their light. Light between exposures is not counted:
have the AOTF blanked by the camera.
"""

from collections import defaultdict
from dataclasses import dataclass

from rdl_live.acquire.plan import Plan, PlanChannel, light_of
from rdl_live.files.recorder import FrameTag
from rdl_live.optics.microscope import Microscope


@dataclass(frozen=True)
class _Point:
    """What one time point costs [J/cm2]: by colour, on the field of view that gets most of it, and all together."""

    colours: dict[str, float | None]
    together: float | None


def fields_of_view(plan: Plan, size_um: tuple[float, float] | None) -> list[list[int]]:
    """Return for each position those positions, itself included, whose light falls on its field of view.

    Args:
        plan: the plan.
        size_um: (y, x) of a field of view; None: no two overlap.
    """
    places = plan.positions
    if not places or size_um is None:
        return [[index] for index in range(max(len(places), 1))]
    height, width = size_um
    overlap = [
        [abs(one.x_um - other.x_um) < width and abs(one.y_um - other.y_um) < height for other in places]
        for one in places
    ]
    return [[index for index, shares in enumerate(row) if shares] for row in overlap]


def point_dose(plan: Plan, microscope: Microscope, size_um: tuple[float, float] | None = None) -> _Point:
    """Return what one time point costs."""
    most = max(len(group) for group in fields_of_view(plan, size_um))
    colours = {c.name: _series_dose(microscope, c, most * plan.z.planes) for c in plan.channels}
    known = [dose for dose in colours.values() if dose is not None]
    return _Point(colours, sum(known) if len(known) == len(colours) else None)


def _series_dose(microscope: Microscope, channel: PlanChannel, series: int) -> float | None:
    full = light_of(microscope, channel.name).full_irradiance_w_cm2
    if full is None:
        return None
    return full * 1e-2 * channel.power_percent * 1e-3 * channel.exposure_ms * microscope.pattern.frames * series


class DoseGuard:
    """Says before each time point whether its light is within the plan's limits. Belongs to the acquisition's thread.

    It counts what is to be exposed, so that the light is off before the limit and not soon after it.
    """

    def __init__(self, microscope: Microscope, size_um: tuple[float, float] | None) -> None:
        """Begin with no light."""
        self._microscope, self._size_um = microscope, size_um
        self._colours: dict[str, float] = defaultdict(float)
        self._together = 0.0
        self._points = 0
        self.reached: str | None = None
        """What to tell the user, once a limit has ended the run."""

    def admit(self, plan: Plan) -> bool:
        """Count one more time point of a plan; False where a limit does not allow it."""
        point, limits = point_dose(plan, self._microscope, self._size_um), plan.limits
        for name, dose in point.colours.items():
            limit = limits.dose_j_cm2
            if dose is not None and limit is not None and _exceeds(self._colours[name] + dose, limit):
                return self._refuse(f"limits.dose_j_cm2 {limit:g} of channel {name!r}", self._colours[name])
        limit = limits.total_dose_j_cm2
        if point.together is not None and limit is not None and _exceeds(self._together + point.together, limit):
            return self._refuse(f"limits.total_dose_j_cm2 {limit:g}", self._together)
        for name, dose in point.colours.items():
            self._colours[name] += dose or 0.0
        self._together += point.together or 0.0
        self._points += 1
        return True

    def _refuse(self, limit: str, so_far: float) -> bool:
        self.reached = (
            f"the light was turned off after {self._points} time points: {so_far:.3g} J/cm2 are on the sample, and "
            f"another time point would exceed {limit} J/cm2; all frames until then are kept"
        )
        return False


class DoseMeter:
    """Counts the light on the sample from the frames' tags: irradiance x power x exposure."""

    def __init__(
        self, microscope: Microscope, channels: tuple[str, ...], fields: list[list[int]] | None = None
    ) -> None:
        """Take the irradiance of each colour from the microscope file.

        Args:
            microscope: with its hardware section.
            channels: of the plan, in its order.
            fields: from `fields_of_view`; by default no two overlap.
        """
        self._full = [light_of(microscope, name).full_irradiance_w_cm2 for name in channels]
        self._channels, self._fields = channels, fields
        self._dose: dict[int, float] = defaultdict(float)
        self._colours: dict[tuple[int, int], float] = defaultdict(float)
        """By position and channel."""

    def count(self, tag: FrameTag) -> None:
        """Count one exposure; a missing frame was exposed like any other."""
        full = self._full[tag.channel]
        if full is None:
            return
        percent, exposure_ms = tag.metadata.get("power_percent", 0.0), tag.metadata.get("exposure_ms", 0.0)
        dose = full * 1e-2 * percent * 1e-3 * exposure_ms
        for position in [tag.position] if self._fields is None else self._fields[tag.position]:
            self._dose[position] += dose
            self._colours[position, tag.channel] += dose

    @property
    def j_cm2(self) -> float | None:
        """Dose of the field of view that had most, all colours together; None if the file gives no irradiance."""
        if any(full is None for full in self._full):
            return None
        return max(list(self._dose.values()), default=0.0)

    @property
    def colours_j_cm2(self) -> dict[str, float | None]:
        """Dose of each channel on the field of view that had most of it; None where the file gives no irradiance."""
        found: dict[str, float | None] = {}
        for number, (name, full) in enumerate(zip(self._channels, self._full, strict=True)):
            doses = [dose for (_, channel), dose in list(self._colours.items()) if channel == number]
            found[name] = None if full is None else max(doses, default=0.0)
        return found


def _exceeds(dose: float, limit: float) -> bool:
    return dose > limit * (1 + 1e-9)  # sums of many small numbers are a little off
