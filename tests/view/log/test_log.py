"""The acquisition log: what it notes, and what is beside each recording."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from rdl_live.acquire.lamp import Lamp
from rdl_live.files import load_microscope
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.session import (
    Activity,
    Counts,
    Light,
    Notice,
    Recording,
    Severity,
    Snapshot,
    StagePlace,
)
from rdl_live.view.live.sim_widget import SimWidget
from rdl_live.view.log.events import KEPT, Log, What
from rdl_live.view.log.panel import LogPanel
from tests.view.fake_session import FakeSession


@pytest.fixture
def clock() -> "Clock":
    return Clock()


class Clock:
    """A time that is set."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


def seen(log: Log, base: Snapshot, **changes: object) -> Snapshot:
    now = replace(base, **changes)  # type: ignore[arg-type]
    log.see_snapshot(now)
    return now


def test_what_changes_is_an_event_and_nothing_else(clock: Callable[[], datetime]) -> None:
    log = Log(clock)
    now = seen(log, Snapshot(Activity.IDLE, "ready"))
    begun = log.begun
    now = seen(log, now, at_s=5.0, disk_free_bytes=7)
    assert log.begun == begun
    now = seen(log, now, activity=Activity.LIVE, light=Light.ON, lamps=(Lamp("488", 5.0),))
    now = seen(log, now, settings=replace(now.settings, power_percent=7.5))
    now = seen(log, now, stage=StagePlace((1.0, 2.0), 3.0))
    now = seen(log, now, activity=Activity.IDLE, light=Light.UNKNOWN, lamps=())
    texts = [(one.what, one.text) for one in log.events[begun:]]
    assert texts == [
        (What.RUN, "live"),
        (What.LIGHT, "on: 488 5 % (read back)"),
        (What.SETTING, "power 7.5 %"),
        (What.STAGE, "x 1.00, y 2.00, z 3.00 um"),
        (What.RUN, "idle"),
        (What.LIGHT, "UNKNOWN: a device did not say that it went dark"),
    ]


def test_losses_are_counted_and_do_not_flood(clock: Clock) -> None:
    log = Log(clock)
    now = seen(log, Snapshot(Activity.LIVE))
    for dropped in range(1, 6):
        now = seen(log, now, counts=Counts(dropped=dropped))
    clock.at += timedelta(seconds=20)
    now = seen(log, now, counts=Counts(dropped=9))
    losses = [one.text for one in log.events if one.what is What.LOSS]
    assert len(losses) == 2
    assert losses[0].startswith("1 series dropped")
    assert losses[1].startswith("8 series dropped")
    assert losses[1].endswith("9 in this run")
    seen(log, now, counts=Counts(dropped=2))  # a new run
    assert log.events[-1].text.startswith("2 series dropped")


def test_the_log_is_bounded_and_a_line_stays_a_line(clock: Clock) -> None:
    log = Log(clock)
    for number in range(KEPT + 7):
        log.see_notice(Notice(number, Severity.WARNING, f"a\tb\n{number}"))
    assert len(log.events) == KEPT
    assert log.begun == KEPT + 7
    assert log.events[-1].line.count("\t") == 2
    assert "\n" not in log.events[-1].line


def test_each_recording_has_its_own_log(qtbot: QtBot, root: Path, tmp_path: Path) -> None:
    session = FakeSession(load_microscope(root / "configs" / "demo.yaml"))
    widget = SimWidget(session, Memory("test"), tmp_path)
    qtbot.addWidget(widget, before_close_func=lambda one: one.end())
    panel = widget.panels.get("log")
    assert isinstance(panel, LogPanel), "it notes what happens, though nobody sees it"
    for name in ("one", "two"):
        folder = tmp_path / name
        running = Recording(folder, 0, None, 0, True, 0.0, folder / "raw.ome.zarr")
        session.be(Activity.RECORDING, plan=name, recording=running, light=Light.ON, lamps=(Lamp("488", 5.0),))
        widget.refresh()
        folder.mkdir()  # made a moment later
        session.notify(Severity.WARNING, f"a warning of {name}")
        widget.refresh()
        session.be(Activity.IDLE, plan="", recording=replace(running, running=False), light=Light.OFF, lamps=())
        widget.refresh()
        session.notify(Severity.WARNING, "after it")
        widget.refresh()
    lines = (tmp_path / "two" / "log.tsv").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[1] for line in lines] == ["run", "light", "warning", "run", "run", "light"]
    assert "plan two" in lines[0]
    assert "a warning of two" in lines[2]
    assert lines[-1].endswith("\toff"), "the end and the dark are in it"
    assert "after it" not in (tmp_path / "one" / "log.tsv").read_text(encoding="utf-8")
    widget.commands["log"].trigger()
    qtbot.addWidget(panel.window())
    qtbot.waitUntil(panel.isVisible)
    assert panel.table.rowCount() == len(panel.log.events)
    panel.choice.setCurrentText("Warnings and losses")
    assert panel.table.rowCount() == 4
