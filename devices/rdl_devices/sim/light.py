"""From the lasers to the sample: power, AOTF and shutter, for each line."""

from dataclasses import dataclass
from enum import StrEnum

from rdl_devices.sim.settings import WorldSettings


class Blanking(StrEnum):
    """When the AOTF lets light through."""

    CLOSED = "Closed"
    """Never."""
    EXPOSURE = "Exposure"
    """While the camera exposes (its exposure-out line is wired to the AOTF's blanking input)."""
    OPEN = "Open"
    """Always."""


@dataclass
class Line:
    """One laser line."""

    power_mw: float
    enabled: bool = False
    aotf_percent: float = 0.0


class LightPath:
    """Lasers -> AOTF -> shutter. Everything is off at first."""

    def __init__(self, settings: WorldSettings) -> None:
        self._settings = settings
        self.lines = {nm: Line(settings.laser_mw) for nm in settings.lines}
        self.blanking = Blanking.EXPOSURE
        self.shutter_open = False

    def irradiance(self, nm: int, *, exposing: bool) -> float:
        """Return what reaches the SLM of one line, as light on the sample if a perfect grating is shown [W/cm2].

        Args:
            nm: laser line.
            exposing: whether the camera exposes.
        """
        line = self.lines[nm]
        passes = self.blanking is Blanking.OPEN or (exposing and self.blanking is Blanking.EXPOSURE)
        if not (self.shutter_open and line.enabled and passes):
            return 0.0
        share = line.power_mw / self._settings.laser_mw * line.aotf_percent / 100
        return self._settings.full_irradiance * share
