"""Whether the values of raw frames can be light on a camera."""

from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError


def check_frames(frames: npt.NDArray[Any], what: str, *, first_time: int = 0) -> None:
    """Refuse frames (t, angle, phase, y, x), or one series (angle, phase, y, x), with NaN or infinite pixels.

    Args:
        frames: raw frames [ADU] of any real number type.
        what: the file, for the message.
        first_time: number of the first time point in `frames`, where these are a part of a recording.

    Raises:
        DataError: pixels are not finite; names the first such frame and how many there are.
    """
    if frames.dtype.kind != "f":
        return
    series = frames.reshape((-1, *frames.shape[-4:]))
    for time, one in enumerate(series):  # one at a time: the boolean copy stays small
        bad = ~np.isfinite(one)
        if bad.any():
            angle, phase, y, x = (int(i[0]) for i in np.nonzero(bad))
            raise DataError(
                f"{what}: {int(bad.sum())} pixels of time point {first_time + time} are NaN or infinite, the "
                f"first in angle {angle}, phase {phase} at y {y}, x {x} (all counted from 0); "
                "replace them (dead pixels by the mean of their neighbours) or export the raw camera frames"
            )


def saturated_fraction(frames: npt.NDArray[Any], saturation: float | None) -> float:
    """Return the fraction of pixels (of any shape) at or above `saturation` [ADU], 0 where that is None."""
    if saturation is None or frames.size == 0:
        return 0.0
    return float(np.count_nonzero(frames >= saturation)) / frames.size
