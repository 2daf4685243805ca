"""How much a second."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """Frames of one size, and how long they took."""

    frames: int
    seconds: float
    per_s: float
    """Frames a second."""
    mb_per_s: float
    """Their size in memory, 1e6 bytes a second."""


def rate(frames: int, seconds: float, frame_bytes: int) -> Rate:
    """Return the rate of `frames` frames in `seconds`.

    Raises:
        ValueError: no frames, or no time.
    """
    if frames < 1 or seconds <= 0:
        raise ValueError(f"{frames} frames in {seconds:g} s are no rate")
    return Rate(frames, seconds, frames / seconds, 1e-6 * frames * frame_bytes / seconds)
