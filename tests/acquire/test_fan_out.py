"""The fan-out: everybody gets each frame at once; what fails fails alone, unless it records; verdicts come in time."""

import numpy as np
import pytest

from rdl_live.acquire.fan_out import Calls, FanOut, Frame
from rdl_live.acquire.pattern_check import PatternCheck
from rdl_live.errors import OutputError
from rdl_live.files.recorder import FrameFlag, FrameTag
from tests.stream.conftest import Frames, Scene, frames_of, scene_of

from .conftest import Keeper


class Listener:
    """Writes down what comes, and fails when told to."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.came: list[tuple[bool, FrameTag, float]] = []
        self._fails_at = fails_at

    def offer(self, frame: Frame | None, tag: FrameTag, arrived_s: float) -> None:
        self.came.append((frame is not None, tag, arrived_s))
        if len(self.came) == self._fails_at:
            raise ValueError("no such array")


def check_of(scene: Scene) -> PatternCheck:
    camera = scene.scope.camera
    side = (scene.side, scene.side)
    pixel = scene.scope.optics.pixel_size_um
    return PatternCheck(scene.patterns, side, pixel, camera.offset_adu, camera.gain_e_per_adu, camera.read_noise_e)


def wrongly(series: Frames) -> Frames:
    """Return a series in which the SLM did not step once: angle 1, phase 1 shows the pattern of phase 0."""
    wrong = series.copy()
    wrong[1, 1] = series[1, 0]
    return wrong


@pytest.fixture
def bright() -> Scene:
    return scene_of(128)


def test_each_frame_is_with_everybody_before_the_next_one_comes(bright: Scene) -> None:
    keeper, listener = Keeper(), Listener()
    fan_out = FanOut(keeper, {0: check_of(bright)}, 9, pytest.fail)
    fan_out.listen(listener)
    for number, (frame, tag) in enumerate(frames_of(bright.series(1), 0), start=1):
        fan_out(frame, tag, float(number))
        assert len(keeper.tags) == len(listener.came) == number
        assert keeper.frames[-1] is frame
    assert [arrived for _, _, arrived in listener.came] == list(range(1, 10))
    assert (fan_out.wrong_patterns, fan_out.unjudged) == (0, 0)


def test_a_listener_that_fails_is_reported_once_and_costs_nobody_a_frame() -> None:
    told: list[str] = []
    keeper, first, second = Keeper(), Listener(fails_at=3), Listener()
    fan_out = FanOut(keeper, {}, 9, told.append)
    calls: list[FrameTag] = []
    for listener in (first, second, Calls(lambda _, tag: calls.append(tag))):
        fan_out.listen(listener)
    for number in range(6):
        fan_out(np.zeros((4, 4), np.uint16), FrameTag(0, 0, number), 0.0)
    assert [len(first.came), len(second.came), len(calls), len(keeper.tags)] == [3, 6, 6, 6]
    assert isinstance(fan_out.listener_error, ValueError)
    assert len(told) == 1
    assert "no such array" in told[0]
    assert "the recording goes on" in told[0]


def test_a_recorder_that_fails_is_heard_and_its_frame_goes_nowhere_else() -> None:
    class Full(Keeper):
        def append(self, frame: Frame, tag: FrameTag) -> None:
            raise OutputError(f"the disk is full at {tag}, {frame.shape}")

    listener = Listener()
    fan_out = FanOut(Full(), {}, 9, pytest.fail)
    fan_out.listen(listener)
    with pytest.raises(OutputError, match="disk is full"):
        fan_out(np.zeros((4, 4), np.uint16), FrameTag(0), 0.0)
    assert not listener.came


def test_the_verdict_is_with_everybody_before_the_last_frame(bright: Scene) -> None:
    told: list[str] = []
    keeper, listener = Keeper(), Listener()
    fan_out = FanOut(keeper, {0: check_of(bright)}, 9, told.append)
    fan_out.listen(listener)
    for time, series in enumerate((bright.series(1), wrongly(bright.series(1)), bright.series(1))):
        for frame, tag in frames_of(series, time):
            fan_out(frame, tag, 0.0)
    flagged = [(tag.time, tag.angle, tag.phase) for tag in keeper.tags if tag.flags & FrameFlag.WRONG_PATTERN]
    assert flagged == [(1, 1, 1)]
    (verdict,) = (number for number, (there, *_) in enumerate(listener.came) if not there)
    before, after = listener.came[:verdict], listener.came[verdict + 1 :]
    assert (len(before), len(after)) == (9 + 8, 1 + 9)
    assert (fan_out.wrong_patterns, len(told)) == (1, 1)
    assert "angle 1 phase 1" in told[0]


def test_a_last_frame_that_is_wrong_says_so_itself(bright: Scene) -> None:
    series = bright.series(1)
    series[2, 2] = series[2, 1]
    listener = Listener()
    fan_out = FanOut(None, {0: check_of(bright)}, 9, lambda _: None)
    fan_out.listen(listener)
    for frame, tag in frames_of(series, 0):
        fan_out(frame, tag, 0.0)
    assert len(listener.came) == 9
    assert listener.came[-1][1].flags is FrameFlag.WRONG_PATTERN


def test_a_series_that_lacks_a_frame_gets_no_verdict(bright: Scene) -> None:
    keeper = Keeper()
    fan_out = FanOut(keeper, {0: check_of(bright)}, 9, pytest.fail)
    for number, (frame, tag) in enumerate(frames_of(wrongly(bright.series(1)), 0)):
        hole = FrameTag(tag.time, tag.angle, tag.phase, tag.pattern_id, flags=FrameFlag.MISSING)
        fan_out(*((None, hole) if number == 7 else (frame, tag)), 0.0)
    assert fan_out.wrong_patterns == fan_out.unjudged == 0
    assert sum(frame is None for frame in keeper.frames) == 1


def test_saturated_frames_are_flagged_for_everybody() -> None:
    keeper, listener = Keeper(), Listener()
    fan_out = FanOut(keeper, {}, 9, pytest.fail, saturation_adu=4095)
    fan_out.listen(listener)
    for number, brightest in enumerate((4094, 4095, 100)):
        frame = np.zeros((4, 4), np.uint16)
        frame[1, 2] = brightest
        fan_out(frame, FrameTag(0, 0, number), 0.0)
    assert [tag.flags for tag in keeper.tags] == [FrameFlag.NONE, FrameFlag.SATURATED, FrameFlag.NONE]
    assert [tag.flags for _, tag, _ in listener.came] == [tag.flags for tag in keeper.tags]
