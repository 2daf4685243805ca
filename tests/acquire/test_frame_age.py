"""A frame that a driver had left over is named, where its metadata show it; fresh ones never are."""

import pytest

from rdl_live.acquire.frame_age import FrameAge
from rdl_live.errors import DeviceError
from rdl_live.optics.hardware import CameraRole

FRAME_S = 0.012


def elapsed(*milliseconds: float) -> list[dict[str, str]]:
    return [{"ElapsedTime-ms": f"{one:.4f}", "ImageNumber": str(i)} for i, one in enumerate(milliseconds)]


def started(*seconds: float) -> list[dict[str, float]]:
    return [{"Start": one} for one in seconds]


def check(tags: list[dict[str, str]] | list[dict[str, float]], frame_s: float = FRAME_S) -> None:
    age = FrameAge(CameraRole(device="Cam", start_tag="Start"), frame_s)
    for one in tags:
        age.check(one)


def test_a_first_frame_that_came_too_soon_was_taken_before() -> None:
    with pytest.raises(DeviceError, match=r"Cam: sent a frame of an earlier sequence: it came after 0\.3 ms"):
        check(elapsed(0.3, 12.4, 24.1))


def test_a_clock_that_runs_backwards_shows_a_frame_of_before() -> None:
    with pytest.raises(DeviceError, match=r"by Start frame 2 began 0\.096 s before"):
        check(started(0.096, 0.0, 0.012))


def test_fresh_frames_are_fresh() -> None:
    check(elapsed(12.4, 12.5, 24.6, 400.0))  # the host was busy, then late
    check(started(7.0, 7.012, 7.024))
    check(started(0.0, 0.0, 0.012))  # a coarse clock
    check([{}, {"ElapsedTime-ms": "soon"}, {"Start": "now"}])  # nothing that could show it
    check(elapsed(0.1), frame_s=0.001)
