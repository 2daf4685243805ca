"""A frame that a driver had left over is named, where its metadata show it; fresh ones never are."""

import pytest

from rdl_live.acquire.frame_age import FrameAge
from rdl_live.errors import DeviceError
from rdl_live.optics.hardware import CameraRole


def started(*seconds: float) -> list[dict[str, float]]:
    return [{"Start": one} for one in seconds]


def check(tags: list[dict[str, str]] | list[dict[str, float]]) -> None:
    age = FrameAge(CameraRole(device="Cam", start_tag="Start"))
    for one in tags:
        age.check(one)


def test_a_clock_that_runs_backwards_shows_a_frame_of_before() -> None:
    with pytest.raises(DeviceError, match=r"by Start frame 2 began 0\.096 s before"):
        check(started(0.096, 0.0, 0.012))


def test_fresh_frames_are_fresh() -> None:
    check(started(7.0, 7.012, 7.024))
    check(started(0.0, 0.0, 0.012))  # a coarse clock
    check([{}, {"Start": "now"}])  # nothing that could show it


def test_when_the_core_received_it_ends_no_run() -> None:
    """IIDC counts from the first frame, whose time is 0."""
    check([{"ElapsedTime-ms": one} for one in ("0.0", "12.1", "24.0")])
    age = FrameAge(CameraRole(device="Cam"))
    age.check({"ElapsedTime-ms": "0.3"})
