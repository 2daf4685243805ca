"""Where the stage is: read beside everything else, unknown where it does not answer."""

import threading
import time

import pytest

from rdl_live.app.session import stage_watch
from rdl_live.app.session.stage_watch import StageWatch
from tests.busy import PATIENCE_S


class Core:
    """As much of a core as is needed."""

    def __init__(self) -> None:
        self.at: tuple[float, float] | Exception = (1.0, 2.0)
        self.go_on = threading.Event()
        self.go_on.set()

    def getXYPosition(self, label: str) -> tuple[float, float]:  # noqa: N802
        assert label == "Stage"
        self.go_on.wait()
        if isinstance(self.at, Exception):
            raise self.at
        return self.at


def until(watch: StageWatch, wanted: tuple[float, float] | None) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while watch.position_um != wanted and time.monotonic() < deadline:
        time.sleep(0.005)
    assert watch.position_um == wanted


def test_it_follows_the_stage_and_forgets_one_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_watch, "EVERY_S", 0.01)
    monkeypatch.setattr(stage_watch, "STALE_S", 0.3)
    core = Core()
    watch = StageWatch(core, "Stage")  # type: ignore[arg-type]
    try:
        until(watch, (1.0, 2.0))
        core.at = (-5.0, 7.25)
        until(watch, (-5.0, 7.25))
        core.at = RuntimeError("serial port: no answer")
        until(watch, None)
        core.at = (0.0, 0.0)
        until(watch, (0.0, 0.0))
        core.go_on.clear()  # it hangs
        until(watch, None)
    finally:
        core.go_on.set()
        watch.close()
    assert not any(one.name == "rdl-stage" for one in threading.enumerate())
