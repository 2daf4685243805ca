"""Curves over time: what the light, the dye, the patterns and the computer did in the last minutes."""

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rdl_live.view.live.session import Readings, Snapshot

LENGTH = 1500
"""Points kept; at five a second the last five minutes."""
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trace:
    """One curve."""

    name: str
    title: str
    unit: str
    help: str


TRACES = (
    Trace("photons", "Light", "photons", "Mean photons per raw pixel and frame: how bright the sample is"),
    Trace(
        "brightness",
        "Remaining fluorescence",
        "%",
        "Signal for the same light, relative to the brightest so far: falls as the dye bleaches",
    ),
    Trace("modulation", "Modulation", "", "Contrast of the weakest trusted stripes, 0 to 1"),
    Trace("mcnr", "MCNR", "", "Stripes over the noise of one raw pixel: 2 is noise alone, from 4 they can be seen"),
    Trace("image_fps", "Images", "/s", "Super-resolved images a second"),
    Trace("latency_ms", "Delay", "ms", "From the last raw frame of a series to its super-resolved image"),
)


class TraceModel:
    """The last minutes of each curve."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=LENGTH)
        self._values: dict[str, deque[float]] = {trace.name: deque(maxlen=LENGTH) for trace in TRACES}
        self._last_s = -1.0

    def push(self, snapshot: Snapshot) -> bool:
        """Take the readings of a snapshot while something runs; return whether there is a new point."""
        if not snapshot.activity.busy or snapshot.at_s <= self._last_s:
            return False
        self._last_s = snapshot.at_s
        self._times.append(snapshot.at_s)
        for name, values in self._values.items():
            values.append(_value(snapshot.readings, name))
        return True

    def clear(self) -> None:
        """Forget all curves."""
        self._times.clear()
        for values in self._values.values():
            values.clear()

    def curve(self, name: str) -> tuple[Values, Values]:
        """Return times [s, 0 is now] and values; NaN where nothing was known."""
        times = np.array(self._times)
        return times - (times[-1] if times.size else 0.0), np.array(self._values[name])

    def latest(self, name: str) -> float | None:
        """Return the newest value; None where it is not known."""
        values = self._values[name]
        return values[-1] if values and np.isfinite(values[-1]) else None


def _value(readings: Readings, name: str) -> float:
    value = getattr(readings, name)
    if value is None:
        return float("nan")
    return 100.0 * value if name == "brightness" else float(value)
