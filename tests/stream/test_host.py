"""The host: errors stay in it, slow processing drops whole series, everything is counted and told once."""

import threading
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import torch

from rdl_live.errors import OutputError
from rdl_live.files.recorder import FrameTag
from rdl_live.stream import Pipeline, Result, SeriesQueue, ThreadHost, background
from rdl_live.stream.series import Frame
from tests.busy import PATIENCE_S

from .conftest import AtOnce, Before, Scene, frames_of


class Acting(Before):
    """A stage that does as it is told."""

    def __init__(self, act: Callable[[int], None]) -> None:
        super().__init__("stage", self._counted)
        self._act, self.calls = act, 0

    def _counted(self, photons: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self._act(self.calls)
        return photons


class Hosted:
    """A queue, a pipeline and its host."""

    def __init__(self, scene: Scene, act: Callable[[int], None] = lambda _: None, capacity: int = 3) -> None:
        self.told: list[str] = []
        self.results: list[Result] = []
        self.queue = SeriesQueue((3, 3, scene.side, scene.side), capacity)
        self.stage = Acting(act)
        side = (scene.side, scene.side)
        channels = scene.scope.channels[:1]
        self.pipeline = Pipeline(
            scene.scope,
            channels,
            side,
            AtOnce(),
            patterns=(scene.patterns,),
            stage=self.stage,
            warn=self.told.append,
        )
        self.scene, self.series = scene, scene.series(1)

    def host(self, *receivers: Callable[[Result], None]) -> ThreadHost:
        host = ThreadHost(self.pipeline, self.queue, (*receivers, self.results.append), self.told.append)
        host.start()
        return host

    def offer(self, first: int, count: int, pause_s: float = 0.0) -> None:
        for number in range(first, first + count):
            for frame, tag in frames_of(self.series, number):
                self.queue.offer(frame, tag, time.perf_counter())
            if pause_s:
                time.sleep(pause_s)


def test_every_series_that_fits_comes_out(scene: Scene) -> None:
    hosted = Hosted(scene, capacity=10)
    host = hosted.host()
    hosted.offer(0, 8)
    assert host.stop()
    assert [result.key.time for result in hosted.results] == list(range(8))
    assert not hosted.told
    assert not host.status.failures


class Deferring:
    """A pipeline that puts something off with each image."""

    def __init__(self, pipeline: Pipeline, fails: bool) -> None:
        self._pipeline, self._fails = pipeline, fails
        self.has_deferred, self.done = False, 0

    def push(
        self, frame: Frame | None, tag: FrameTag, arrived_s: float | None = None, block: Frame | None = None
    ) -> Result | None:
        result = self._pipeline.push(frame, tag, arrived_s, block)
        self.has_deferred = self.has_deferred or result is not None
        return result

    def run_deferred(self) -> None:
        self.has_deferred = False
        self.done += 1
        if self._fails:
            raise ValueError("put off and broken")

    def __getattr__(self, name: str) -> object:
        return getattr(self._pipeline, name)


@pytest.mark.parametrize("fails", [False, True])
def test_what_was_put_off_is_done_when_no_frame_waits(scene: Scene, fails: bool) -> None:
    hosted = Hosted(scene, capacity=100)
    deferring = Deferring(hosted.pipeline, fails)
    host = ThreadHost(deferring, hosted.queue, (hosted.results.append,), hosted.told.append)  # type: ignore[arg-type]
    hosted.offer(0, 30)  # all there before it starts: it is never idle between them
    host.start()
    deadline = time.monotonic() + 30
    while len(hosted.results) < 30 or deferring.has_deferred:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert host.stop()
    assert deferring.done == 1
    assert len(hosted.results) == 30
    assert host.status.failures == fails
    assert [text for text in hosted.told if "put off and broken" in text] == hosted.told
    assert len(hosted.told) == fails


def test_slow_processing_drops_whole_series_and_keeps_memory_flat(scene: Scene) -> None:
    hosted = Hosted(scene, lambda _: time.sleep(0.02), capacity=2)
    host = hosted.host()
    hosted.offer(0, 20)
    tracemalloc.start()
    hosted.offer(20, 300)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert host.stop()
    status = hosted.queue.status
    assert status.dropped_series > 100
    assert len(hosted.results) + status.dropped_series == 320
    assert hosted.results[-1].key.time == 319
    assert hosted.pipeline.status.refused == 0
    assert peak < 60 * hosted.series[0, 0].nbytes


def test_the_acquisition_never_waits(scene: Scene) -> None:
    go_on = threading.Event()
    hosted = Hosted(scene, lambda _: go_on.wait(PATIENCE_S), capacity=2)
    host = hosted.host()
    began = time.perf_counter()
    hosted.offer(0, 20)  # it returns, though not one series can be done
    assert time.perf_counter() - began < PATIENCE_S
    assert not hosted.results
    go_on.set()
    assert host.stop()


def test_a_failing_pipeline_is_told_once_and_given_up(scene: Scene) -> None:
    def fail(_: int) -> None:
        raise ValueError("broken")

    hosted = Hosted(scene, fail, capacity=100)
    host = hosted.host()
    hosted.offer(0, 40)
    assert host.stop()
    assert host.status.failed
    assert host.status.failures == 20
    assert isinstance(host.status.error, ValueError)
    assert len(hosted.told) == 2
    assert "ValueError: broken" in hosted.told[0]
    assert "disabled" in hosted.told[1]


def test_images_go_on_after_a_failure(scene: Scene) -> None:
    def fail_twice(call: int) -> None:
        if call in (2, 4):
            raise OutputError("no luck")

    hosted = Hosted(scene, fail_twice, capacity=10)
    host = hosted.host()
    hosted.offer(0, 6)
    assert host.stop()
    assert [result.key.time for result in hosted.results] == [0, 2, 4, 5]
    assert (host.status.failures, host.status.failed) == (2, False)
    assert len(hosted.told) == 1


def test_one_receiver_in_trouble_does_not_take_the_others_along(scene: Scene) -> None:
    calls = []

    def full(result: Result) -> None:
        calls.append(result)
        raise OutputError("disk full")

    hosted = Hosted(scene, capacity=10)
    host = hosted.host(full)
    hosted.offer(0, 5)
    assert host.stop()
    assert len(calls) == 1
    assert len(hosted.results) == 5
    assert len(hosted.told) == 1
    assert "disk full" in hosted.told[0]


def test_a_host_that_is_stuck_is_left_in_time(scene: Scene) -> None:
    go_on = threading.Event()
    hosted = Hosted(scene, lambda _: go_on.wait(PATIENCE_S), capacity=5)
    host = hosted.host()
    hosted.offer(0, 5)
    began = time.perf_counter()
    host.stop(timeout_s=0.2)
    assert time.perf_counter() - began < PATIENCE_S
    assert hosted.queue.status.dropped_series >= 2
    go_on.set()


def test_a_slow_computer_gets_the_time_for_its_last_images(scene: Scene) -> None:
    hosted = Hosted(scene, lambda _: time.sleep(0.3), capacity=8)
    host = hosted.host()
    hosted.offer(0, 8)
    assert host.stop(timeout_s=1.5)  # 2.4 s, with an image every 0.3 s
    assert hosted.queue.status.dropped_series == 0
    assert len(hosted.results) == 8


def test_images_that_are_missing_at_the_end_are_no_good_end(scene: Scene) -> None:
    go_on = threading.Event()
    hosted = Hosted(scene, lambda _: go_on.wait(PATIENCE_S), capacity=5)
    host = hosted.host()
    hosted.offer(0, 4)
    threading.Timer(0.6, go_on.set).start()  # after it is given up
    assert not host.stop(timeout_s=0.3)


def test_the_background_computes_beside_the_stream() -> None:
    with background() as executor:
        assert executor.submit(lambda: float(torch.from_numpy(np.ones(4)).sum())).result(PATIENCE_S) == 4.0


def test_a_stopped_host_leaves_no_thread(scene: Scene) -> None:
    before = threading.active_count()
    for _ in range(20):
        hosted = Hosted(scene)
        assert hosted.host().stop()
    assert threading.active_count() <= before
