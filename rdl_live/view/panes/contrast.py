"""How values become brightness: levels, gamma, colours. Display only; no value is ever changed by it."""

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from rdl_live.view.panes.colours import COLOURS
from rdl_live.view.panes.picture import Picture

DARK_PERCENT, BRIGHT_PERCENT = 1.0, 99.8
"""Automatic levels: black is the darkest 1 %, white the brightest 0.2 %."""
CALM = 0.08
"""Automatic levels move when they are off by more than this share of their range: noise must not make them flicker."""
UNDOABLE = 50


@dataclass(frozen=True)
class Contrast:
    """How one pane shows one colour."""

    low: float = 0.0
    """Value shown black."""
    high: float = 1.0
    """Value shown brightest."""
    gamma: float = 1.0
    colour: str = "grey"
    """One of `COLOURS`."""
    automatic: bool = True
    """Whether the levels follow the picture."""

    def with_levels(self, low: float, high: float) -> Self:
        """Return the same with levels set by hand."""
        least = max(abs(low), abs(high), 1e-6) * 1e-3
        return replace(self, low=low, high=max(high, low + least), automatic=False)

    def replaced(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def fitted(self, picture: Picture) -> Self:
        """Return the same, its levels fitted to a picture if they are automatic and no longer fit."""
        if not self.automatic:
            return self
        low, high = automatic_levels(picture.sample())
        span = high - low
        if max(abs(low - self.low), abs(high - self.high)) <= CALM * span:
            return self
        return replace(self, low=low, high=high)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for the memory of settings."""
        return {
            "low": self.low,
            "high": self.high,
            "gamma": self.gamma,
            "colour": self.colour,
            "automatic": self.automatic,
        }

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Return what `as_dict` gave; what cannot be understood is left at its default."""
        if not isinstance(values, dict):
            return cls()
        low, high, gamma = (_finite(values.get(name)) for name in ("low", "high", "gamma"))
        if low is None or high is None or gamma is None or not (high > low and 0.1 <= gamma <= 10):
            return cls()
        colour = values.get("colour")
        return cls(low, high, gamma, colour if colour in COLOURS else "grey", bool(values.get("automatic", True)))


def _finite(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def automatic_levels(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Return (black, white) for values of a picture."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(level) for level in np.percentile(finite, (DARK_PERCENT, BRIGHT_PERCENT)))
    return (low, high) if high > low else (low, low + max(abs(low) * 1e-3, 1e-3))


class ContrastHistory:
    """Contrasts of all panes, by the pane's name and the channel, with undo."""

    def __init__(self) -> None:
        self._now: dict[tuple[str, str], Contrast] = {}
        self._before: deque[tuple[tuple[str, str], Contrast]] = deque(maxlen=UNDOABLE)
        self._after: deque[tuple[tuple[str, str], Contrast]] = deque(maxlen=UNDOABLE)

    def get(self, pane: str, channel: str) -> Contrast:
        """Return the contrast of a pane for a channel."""
        return self._now.get((pane, channel), Contrast())

    def fit(self, pane: str, channel: str, picture: Picture) -> Contrast:
        """Let automatic levels follow a picture; that is nothing to undo."""
        fitted = self.get(pane, channel).fitted(picture)
        self._now[pane, channel] = fitted
        return fitted

    def put(self, pane: str, channel: str, contrast: Contrast, *, joined: bool = False) -> None:
        """Take a contrast chosen by the user.

        Args:
            pane: name of the pane.
            channel: name of the channel.
            contrast: the new one.
            joined: whether it goes on with the change before it (a drag): both are undone as one.
        """
        key = pane, channel
        goes_on = joined and self._before and self._before[-1][0] == key
        if not goes_on:
            self._before.append((key, self.get(pane, channel)))
        self._after.clear()
        self._now[key] = contrast

    def undo(self) -> tuple[str, str] | None:
        """Take the last change back; return pane and channel, or None where there is nothing to undo."""
        return self._exchange(self._before, self._after)

    def redo(self) -> tuple[str, str] | None:
        """Make the change again that was undone last."""
        return self._exchange(self._after, self._before)

    def as_list(self) -> list[dict[str, Any]]:
        """Return plain values, for the memory of settings."""
        return [
            {"pane": pane, "channel": channel, **contrast.as_dict()} for (pane, channel), contrast in self._now.items()
        ]

    def load(self, values: object) -> None:
        """Take what `as_list` gave."""
        for one in values if isinstance(values, list) else []:
            if isinstance(one, dict) and isinstance(one.get("pane"), str) and isinstance(one.get("channel"), str):
                self._now[one["pane"], one["channel"]] = Contrast.from_dict(one)

    def _exchange(
        self, source: deque[tuple[tuple[str, str], Contrast]], other: deque[tuple[tuple[str, str], Contrast]]
    ) -> tuple[str, str] | None:
        if not source:
            return None
        key, contrast = source.pop()
        other.append((key, self.get(*key)))
        self._now[key] = contrast
        return key
