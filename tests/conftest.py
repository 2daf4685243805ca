"""What all tests share: few threads, repeatable examples, the real data where they are."""

import gc
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

ROOT = Path(__file__).parents[1]

# One thread a process: `make test` runs several side by side, and threads that wait for each other cost the most.
THREADS = 1
torch.set_num_threads(THREADS)
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))  # of the processes that tests start

settings.register_profile("ci", deadline=None, derandomize=True, database=None, max_examples=40)
settings.load_profile("ci")


# Some machines forbid Python to write bytecode, and each process that a test starts would compile all of the source.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


LONGEST = (
    "test_readme.py",
    "cli/test_demo.py",
    "faults/test_ways_out.py",
    "train/selfsup/test_training.py",
    "app/session/test_session.py",
    "cases/test_reading.py",
    "cli/test_learn.py",
    "cli/test_every_option.py",
    "stream/test_process_host.py",
    "test_package.py",
    "app/windows/test_live.py",
    "app/retrain/test_process.py",
    "train/selfsup/test_judge.py",
    "recipes/test_stage.py",
)
"""Begun first (`--dist loadfile` gives each file to one process): at the end nobody waits for a long one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, the rest as they are."""
    place = {ROOT / "tests" / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_collection_finish() -> None:
    """Leave out of every later collection of garbage what the imports of all tests have made: half a second each time.

    The program collects after each run of a session, and so do tests that look for what is left behind.
    """
    gc.collect()
    gc.freeze()
    # As often as without that: Python collects everything when a quarter of what is known is new.
    gc.set_threshold(700, 10, 50)


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    """Undo what a command has set, `train` for instance: two threads on two busy cores made the tests after it, in the
    same process, ten times slower."""
    yield
    if torch.get_num_threads() != THREADS:
        torch.set_num_threads(THREADS)


@pytest.fixture(autouse=True)
def _windows_end_with_their_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Delete the windows of a test when it is over, in Qt's thread and between its events.

    Left to Python's collector, a dialog was once deleted in the middle of its paint event, in a later test: Qt crashes.
    """
    if "qapp" not in request.fixturenames:
        yield
        return
    gc.disable()
    yield
    from qtpy.QtCore import QCoreApplication, QEvent
    from qtpy.QtWidgets import QApplication

    for window in QApplication.topLevelWidgets():
        window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect()
    gc.enable()


@pytest.fixture(scope="session")
def root() -> Path:
    """The top folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real recordings, which lie beside the repository and are never part of it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder}")
    return folder


_SCREEN = "1600x1000x24"


def _virtual_screen() -> int | None:
    """Start Xvfb on a display number that it chooses itself, and return its process; None where there is none.

    It ends by itself when its last client has gone.
    """
    program = shutil.which("Xvfb")
    if program is None or not sys.platform.startswith("linux"):
        return None
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    quiet = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_RDWR, 0) for stream in (0, 1, 2)]
    arguments = [program, "-displayfd", str(writing), "-screen", "0", _SCREEN, "-nolisten", "tcp", "-terminate"]
    process = os.posix_spawn(program, arguments, dict(os.environ), file_actions=quiet)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        number = pipe.readline().strip()
    if not number:
        return None
    os.environ.update(DISPLAY=f":{number}", QT_QPA_PLATFORM="xcb")
    return process


@pytest.fixture(scope="session")
def screen() -> Iterator[None]:
    """A screen, before Qt looks for one: a virtual one where there is Xvfb, else Qt's own without pictures.

    `QT_QPA_PLATFORM` in the environment chooses another.
    """
    server = None
    if "QT_QPA_PLATFORM" not in os.environ:
        server = _virtual_screen()
        if server is None:
            os.environ["QT_QPA_PLATFORM"] = "offscreen"
    yield
    from qtpy.QtWidgets import QApplication

    if server is not None and QApplication.instance() is None:
        os.kill(server, signal.SIGTERM)


@pytest.fixture
def own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of the window that are remembered go here, and not into the home of whoever runs the tests."""
    folder = tmp_path / "settings"
    monkeypatch.setenv("RDL_LIVE_CONFIG_DIR", str(folder))
    return folder
