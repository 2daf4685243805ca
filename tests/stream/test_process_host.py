"""The pipeline in its own process: the same images, and whatever becomes of the process costs no more than a series."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rdl_live.errors import ConfigError, OutputError
from rdl_live.files.recorder import FrameTag
from rdl_live.restore.live import GUARD_EVERY_S
from rdl_live.stream import PipelineRecipe, ProcessHost, Processing, Result, SeriesQueue, ThreadHost
from rdl_live.stream.host import Host
from rdl_live.stream.turnover import TRIES
from rdl_live.stream.worker_process import SPAWN, ending, take_worker

from .conftest import Scene, frames_of

PATIENCE_S = 240.0
SHM = Path("/dev/shm")


class Hosted:
    """A queue and a process that serves it."""

    def __init__(self, scene: Scene, capacity: int = 50, hang_s: float = 20.0, **changes: object) -> None:
        self.told: list[str] = []
        self.results: list[Result] = []
        self.queue = SeriesQueue((3, 3, scene.side, scene.side), capacity, shared=True)
        self.scene, self.series = scene, scene.series(1)
        fields: dict[str, object] = {"patterns": (scene.patterns,), **changes}
        shape = (scene.side, scene.side)
        self.recipe = PipelineRecipe(scene.scope, scene.scope.channels[:1], shape, **fields)  # type: ignore[arg-type]
        self.hang_s = hang_s

    def host(self, *receivers: Callable[[Result], None], method: str | None = None) -> ProcessHost:
        host = ProcessHost(
            self.recipe,
            self.queue,
            (self.results.append, *receivers),
            self.told.append,
            hang_s=self.hang_s,
            method=method,
        )
        host.start()
        assert host.wait_ready(PATIENCE_S)
        return host

    def offer(self, first: int, count: int = 1) -> None:
        for number in range(first, first + count):
            for frame, tag in frames_of(self.series, number):
                self.queue.offer(frame, tag, time.perf_counter())

    def images(self, count: int) -> None:
        """Wait for so many images."""
        _until(lambda: len(self.results) >= count)


def _until(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not fact():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def _kill(host: ProcessHost, number: int = signal.SIGKILL) -> int:
    """Kill the worker and return its number."""
    _until(lambda: host.worker_pid is not None)
    pid = host.worker_pid
    assert pid is not None
    os.kill(pid, number)
    return pid


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """No thread and no shared memory outlives a host."""
    threads = set(threading.enumerate())
    blocks = set(SHM.glob("psm_*")) if SHM.is_dir() else set()
    yield
    _until(lambda: not {t for t in threading.enumerate() if t.name.startswith("rdl-")} - threads)
    if SHM.is_dir():
        # Other programs may share the place; ours are unlinked when the host stops.
        _until(lambda: not set(SHM.glob("psm_*")) - blocks)


def test_images_are_those_of_a_thread(scene: Scene) -> None:
    hosted = Hosted(scene)
    host = hosted.host()
    hosted.offer(0, 3)
    assert host.stop()
    in_thread: list[Result] = []
    queue = SeriesQueue((3, 3, scene.side, scene.side), 50)
    other = ThreadHost(Processing(hosted.recipe, hosted.told.append), queue, (in_thread.append,))
    other.start()
    for number in range(3):
        for frame, tag in frames_of(hosted.series, number):
            queue.offer(frame, tag, time.perf_counter())
    assert other.stop()
    assert [result.key.time for result in hosted.results] == [0, 1, 2]
    for ours, theirs in zip(hosted.results, in_thread, strict=True):
        np.testing.assert_allclose(ours.sr.numpy(), theirs.sr.numpy(), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(ours.widefield.numpy(), theirs.widefield.numpy(), rtol=1e-6)
        assert ours.patterns == theirs.patterns
        assert (ours.quality, ours.exposed_s, ours.denoiser) == (theirs.quality, theirs.exposed_s, theirs.denoiser)
        assert ours.ready_s >= ours.arrived_s
    assert host.pipeline_status == other.pipeline_status
    assert not hosted.told


def test_patterns_are_found_in_the_process(scene: Scene) -> None:
    hosted = Hosted(scene, patterns=None, estimate_every_s=0.0)
    host = hosted.host()
    number = 0
    while len(hosted.results) < 3 and number < 1000:
        hosted.offer(number)
        number += 1
        time.sleep(0.05)
    assert host.stop()
    assert hosted.results[0].patterns.trusted
    assert host.pipeline_status.estimations >= 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_killed_worker_is_replaced_and_every_series_accounted_for(scene: Scene, number: int) -> None:
    hosted = Hosted(scene)
    host = hosted.host()
    hosted.offer(0, 5)
    hosted.images(5)
    first = _kill(host, number)
    _until(lambda: host.status.restarts == 1)
    hosted.offer(5, 10)
    hosted.images(15)
    assert host.worker_pid != first
    assert host.stop()
    assert [result.key.time for result in hosted.results] == list(range(15))
    assert len(hosted.told) == 1
    assert signal.Signals(number).name in hosted.told[0]
    assert "the recording goes on" in hosted.told[0]
    assert not _alive(first)
    status = host.status
    assert (status.restarts, status.lost_series, status.failures, status.failed) == (1, 0, 0, False)
    assert host.pipeline_status.results == 15


def test_what_was_with_a_killed_worker_is_lost_and_counted(scene: Scene) -> None:
    hosted = Hosted(scene)
    host = hosted.host()
    frames = frames_of(hosted.series, 0)
    for frame, tag in frames[:5]:
        hosted.queue.offer(frame, tag, time.perf_counter())
    _until(lambda: hosted.queue.status.waiting_frames == 0)
    _kill(host)
    _until(lambda: host.status.restarts == 1)
    for frame, tag in frames[5:]:
        hosted.queue.offer(frame, tag, time.perf_counter())
    hosted.offer(1, 4)
    assert host.stop()
    assert [result.key.time for result in hosted.results] == [1, 2, 3, 4]
    assert host.status.lost_series == 1
    assert host.pipeline_status.refused == 0
    assert len(hosted.told) == 1
    assert "1 series lost" in hosted.told[0]


def test_estimated_patterns_are_handed_on(scene: Scene) -> None:
    hosted = Hosted(scene, patterns=None, estimate_every_s=1000.0)
    host = hosted.host()
    number = 0
    while not hosted.results:
        hosted.offer(number)
        number += 1
        time.sleep(0.05)
    found = hosted.results[0].patterns
    _kill(host)
    _until(lambda: host.status.restarts == 1)
    before, awaiting = len(hosted.results), host.pipeline_status.awaiting_patterns
    hosted.offer(10_000)  # the first series that the new one gets
    hosted.images(before + 1)
    assert hosted.results[-1].patterns == found
    assert host.pipeline_status.awaiting_patterns == awaiting
    assert host.stop()


def test_a_worker_that_hangs_is_replaced(scene: Scene) -> None:
    hosted = Hosted(scene, hang_s=1.5)
    host = hosted.host()
    hosted.offer(0)
    hosted.images(1)
    first = _kill(host, signal.SIGSTOP)
    hosted.offer(1)
    _until(lambda: host.status.restarts >= 1)
    hosted.offer(2)
    hosted.images(2)
    assert host.stop()
    assert hosted.results[-1].key.time == 2
    assert "did not answer for 1.5 s" in hosted.told[0]
    assert not _alive(first)


def test_a_slow_receiver_is_no_hang(scene: Scene) -> None:
    hosted = Hosted(scene, hang_s=0.5)
    host = hosted.host(lambda _: time.sleep(0.8))
    hosted.offer(0, 4)
    assert host.stop(PATIENCE_S)
    assert len(hosted.results) == 4
    assert host.status.restarts == 0


def test_a_slow_computer_gets_the_time_for_its_last_images(scene: Scene) -> None:
    hosted = Hosted(scene, hang_s=1.5)
    host = hosted.host(lambda _: time.sleep(0.5))
    hosted.offer(0, 5)
    assert host.stop(timeout_s=1.5)  # 2.5 s, with an image every 0.5 s
    assert len(hosted.results) == 5


def test_a_worker_that_is_stopped_at_the_end_is_ended(scene: Scene) -> None:
    hosted = Hosted(scene, hang_s=1.0)
    host = hosted.host()
    _kill(host, signal.SIGSTOP)
    hosted.offer(0)
    assert host.stop(timeout_s=0.5)
    assert "did not answer for 1 s" in hosted.told[0]


def test_a_hungry_worker_that_is_killed_again_and_again_is_given_up(scene: Scene) -> None:
    hosted = Hosted(scene)
    host = hosted.host()
    for _ in range(TRIES):
        known = host.worker_pid
        _kill(host)
        _until(lambda known=known: host.status.failed or host.worker_pid not in (known, None))  # type: ignore[misc]
    _until(lambda: host.status.failed)
    hosted.offer(0, 3)
    assert host.stop()
    assert not hosted.results
    assert host.status.lost_series == 3
    assert "disabled" in hosted.told[-1]
    assert len(hosted.told) == TRIES


def test_frames_never_wait_for_it(scene: Scene) -> None:
    hosted = Hosted(scene, capacity=2)
    host = hosted.host()
    pid = _kill(host, signal.SIGSTOP)
    began = time.perf_counter()
    hosted.offer(0, 50)
    assert time.perf_counter() - began < PATIENCE_S
    os.kill(pid, signal.SIGCONT)
    assert host.stop()
    assert len(hosted.results) + hosted.queue.status.dropped_series == 50
    assert hosted.queue.status.dropped_series >= 40
    assert hosted.results[-1].key.time == 49


def test_frames_of_another_size_are_refused(scene: Scene) -> None:
    hosted = Hosted(scene)
    host = hosted.host()
    for shape in ((32, 32), (256, 256)):
        hosted.queue.offer(np.zeros(shape, np.uint16), FrameTag(shape[0]), time.perf_counter())
    hosted.offer(1000)
    assert host.stop()
    assert [result.key.time for result in hosted.results] == [1000]
    assert host.pipeline_status.refused == 2
    assert any("unfit frame" in text for text in hosted.told)


def test_a_denoiser_is_exchanged_while_it_runs(scene: Scene) -> None:
    hosted = Hosted(scene)
    host = hosted.host()
    hosted.offer(0)
    hosted.images(1)
    with pytest.raises(ConfigError, match="no-such"):
        host.use_denoiser("no-such").result(PATIENCE_S)
    hosted.offer(1)
    hosted.images(2)
    host.use_denoiser("rdl").result(PATIENCE_S)
    hosted.offer(2)
    hosted.images(3)
    _kill(host)
    _until(lambda: host.status.restarts == 1)
    hosted.offer(3)
    hosted.images(4)
    host.use_denoiser("none").result(PATIENCE_S)
    hosted.offer(4)
    assert host.stop(PATIENCE_S)
    assert [result.denoiser for result in hosted.results] == ["none", "none", "rdl", "rdl", "none"]
    assert hosted.results[2].main == "denoised"
    assert hosted.results[2].sim is not None
    assert (hosted.results[4].main, sorted(hosted.results[4].images)) == ("sim", ["sim", "widefield"])


def test_a_verdict_that_is_due_comes_after_the_image_and_is_of_it(scene: Scene) -> None:
    hosted = Hosted(scene, denoise="rdl")
    host = hosted.host()
    hosted.offer(0)
    hosted.images(1)
    time.sleep(GUARD_EVERY_S + 0.1)
    hosted.series = scene.series(2)  # other noise
    hosted.offer(1)
    hosted.images(2)
    hosted.series = scene.series(1)
    time.sleep(1.0)
    hosted.offer(2)
    assert host.stop()
    first, second, third = (result.guards for result in hosted.results)
    assert first is not None
    assert second is not None
    assert third is not None
    assert second.residual == first.residual
    assert third.residual != first.residual


def test_a_thread_exchanges_denoisers_too(scene: Scene) -> None:
    hosted = Hosted(scene)
    host: Host = ThreadHost(Processing(hosted.recipe, hosted.told.append), hosted.queue, (hosted.results.append,))
    host.start()
    assert host.wait_ready(0.0)
    with pytest.raises(ConfigError, match="no-such"):
        host.use_denoiser("no-such").result(PATIENCE_S)
    host.use_denoiser("rdl").result(PATIENCE_S)
    hosted.offer(0)
    assert host.stop(PATIENCE_S)
    assert [result.denoiser for result in hosted.results] == ["rdl"]


def test_one_receiver_in_trouble_does_not_take_the_others_along(scene: Scene) -> None:
    def full(_: Result) -> None:
        raise OutputError("disk full")

    hosted = Hosted(scene)
    host = hosted.host(full)
    hosted.offer(0, 3)
    assert host.stop()
    assert len(hosted.results) == 3
    assert len(hosted.told) == 1
    assert "disk full" in hosted.told[0]


def test_what_cannot_be_built_is_told_and_given_up(scene: Scene, tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    hosted = Hosted(scene, denoise=str(broken))
    host = ProcessHost(hosted.recipe, hosted.queue, (hosted.results.append,), hosted.told.append)
    host.start()
    assert not host.wait_ready(PATIENCE_S)
    assert host.stop()
    assert host.status.failed
    assert "cannot be started" in hosted.told[0]  # found before a process is begun
    assert "broken.safetensors" in hosted.told[0]


def test_a_worker_ends_with_a_parent_that_is_killed(root: Path, tmp_path: Path) -> None:
    """Kill -9 of the program leaves no worker behind, and no shared memory."""
    import subprocess
    import sys

    script = tmp_path / "parent.py"
    # Without `if __name__ == "__main__"`, as users' scripts are.
    script.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(root)!r})\n"
        "from tests.stream.conftest import scene_of\n"
        "from tests.stream.test_process_host import Hosted\n"
        "hosted = Hosted(scene_of(64))\n"
        "host = hosted.host()\n"
        "print(host.worker_pid, flush=True)\n"
        "time.sleep(60)\n",
        encoding="utf-8",
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert _alive(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _until(lambda: not _alive(pid))


def test_ctrl_c_is_not_for_the_worker(scene: Scene) -> None:
    hosted = Hosted(scene)
    host = hosted.host()
    pid = _kill(host, signal.SIGINT)
    hosted.offer(0)
    hosted.images(1)
    assert host.worker_pid == pid
    assert host.stop()
    assert host.status.restarts == 0


def test_a_host_that_never_started_stops(scene: Scene) -> None:
    hosted = Hosted(scene)
    assert ProcessHost(hosted.recipe, hosted.queue, ()).stop()


def test_a_process_that_is_a_fresh_python(scene: Scene) -> None:
    """As on Windows: with one in reserve, which takes over at once."""
    hosted = Hosted(scene)
    try:
        host = hosted.host(method=SPAWN)
        hosted.offer(0)
        hosted.images(1)
        _kill(host)
        _until(lambda: host.status.restarts == 1)
        hosted.offer(1)
        hosted.images(2)
        assert host.stop()
        assert [result.key.time for result in hosted.results] == [0, 1]
    finally:
        reserve = take_worker(SPAWN)
        reserve.wait_started(30.0)
        reserve.kill()
        reserve.end(5.0)


def test_ends_are_told_in_words() -> None:
    assert ending(-9) == "was killed (SIGKILL; was the memory full?)"
    assert ending(-11) == "was killed (SIGSEGV)"
    assert ending(3) == "ended with exit code 3"
