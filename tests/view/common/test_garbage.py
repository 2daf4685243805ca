"""Garbage with windows in it is collected in Qt's thread, and between its events."""

import gc
import threading
from collections.abc import Callable, Iterator

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QCoreApplication, QThread, QTimer
from qtpy.QtWidgets import QApplication, QWidget

from rdl_live import _garbage
from rdl_live.view.common.garbage import GarbageCollector, collect_in_host, collecting_between_events


class Circle:
    """Garbage that only the collector deletes; it remembers in which thread."""

    def __init__(self, deleted_in: list[int]) -> None:
        self.me = self
        self.deleted_in = deleted_in

    def __del__(self) -> None:
        self.deleted_in.append(threading.get_ident())


def in_a_thread(work: Callable[[], object]) -> None:
    """Do that in another thread, while Qt's events are handled."""
    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        QThread.msleep(1)
        QCoreApplication.processEvents()


@pytest.fixture
def host(qtbot: QtBot) -> Iterator[GarbageCollector]:
    del qtbot
    collector = collect_in_host()
    yield collector
    _garbage.collect_here_again(collector.ask)
    collector.setParent(None)


def test_without_windows_it_is_collected_at_once() -> None:
    deleted: list[int] = []
    Circle(deleted)
    _garbage.collect()
    assert deleted == [threading.get_ident()]


def test_another_thread_has_it_collected_in_that_of_qt(qtbot: QtBot, host: GarbageCollector) -> None:
    del host
    deleted: list[int] = []
    Circle(deleted)
    in_a_thread(_garbage.collect)
    qtbot.waitUntil(lambda: len(deleted) > 0)
    assert deleted == [threading.get_ident()]


def test_a_host_has_one_collector(host: GarbageCollector) -> None:
    assert collect_in_host() is host


def test_a_host_that_runs_its_loop_again_has_it_again(host: GarbageCollector) -> None:
    QTimer.singleShot(0, QCoreApplication.quit)
    QApplication.exec()
    assert host.ask not in _garbage._collectors
    collect_in_host()
    assert _garbage._collectors.count(host.ask) == 1


def test_a_thread_that_qt_waits_for_does_not_wait_for_ever(host: GarbageCollector) -> None:
    del host
    thread = threading.Thread(target=_garbage.collect)
    thread.start()
    thread.join()  # no event is handled here


def test_python_collects_nothing_by_itself_in_the_meantime(qtbot: QtBot) -> None:
    deleted: list[int] = []
    with collecting_between_events() as collector:
        Circle(deleted)
        kept = [[] for _ in range(200_000)]  # Python would have collected many times
        assert not deleted
        in_a_thread(lambda: [[] for _ in range(200_000)])
        collector.look()
        assert not gc.isenabled()
    del kept
    assert deleted == [threading.get_ident()]
    assert gc.isenabled()
    del qtbot


def test_a_window_in_a_circle_is_not_deleted_while_its_part_is_painted(qtbot: QtBot) -> None:
    painted: list[int] = []

    class Part(QWidget):
        def paintEvent(self, event: object) -> None:  # noqa: N802
            del event
            made = [[] for _ in range(100_000)]  # Python would collect now
            painted.append(self.width())  # RuntimeError where Qt's part is gone
            del made

    gc.collect()
    gc.enable()  # off in tests of windows, see conftest
    with collecting_between_events():
        window = QWidget()
        window.circle = window  # type: ignore[attr-defined]
        Part(window)
        window.show()
        del window
        qtbot.waitUntil(lambda: len(painted) > 0)
