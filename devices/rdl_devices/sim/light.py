"""From the lasers to the sample: power, AOTF and shutter, for each line."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


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

    def __init__(self, lines: tuple[int, ...], laser_mw: float) -> None:
        """Prepare laser lines [nm] of at most `laser_mw` each."""
        self.laser_mw = laser_mw
        self.lines = {nm: Line(laser_mw) for nm in lines}
        self.blanking = Blanking.EXPOSURE
        self.shutter_open = False
        self.interlock: Callable[[], bool] = lambda: True
        """Whether a hardware interlock lets light through."""

    def share(self, nm: int, *, exposing: bool) -> float:
        """Return the light of one line that reaches the SLM, 0 to 1 (everything at its maximum).

        Args:
            nm: laser line.
            exposing: whether the camera exposes.
        """
        line = self.lines[nm]
        passes = self.blanking is Blanking.OPEN or (exposing and self.blanking is Blanking.EXPOSURE)
        if not (self.shutter_open and line.enabled and passes and self.interlock()):
            return 0.0
        return line.power_mw / self.laser_mw * line.aotf_percent / 100
