"""Threads on a computer that others use: as many as there are free cores for, or one."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from rdl_live.optics import threads
from rdl_live.optics.threads import fitting_threads, shares_cores


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    monkeypatch.setattr(threads, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    yield
    torch.set_num_threads(before)


def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    (tmp_path / "loadavg").write_text(text, encoding="ascii")
    monkeypatch.setattr(threads, "LOAD", tmp_path / "loadavg")


@pytest.mark.parametrize(
    ("wanted", "cores", "others", "taken"), [(2, 2, 0, 2), (2, 2, 1, 1), (2, 2, 20, 1), (4, 16, 12, 4), (4, 16, 13, 1)]
)
def test_only_free_cores_are_taken(wanted: int, cores: int, others: int, taken: int) -> None:
    assert fitting_threads(wanted, cores, others) == taken


@pytest.mark.parametrize(
    ("text", "inside"), [("0.10 0.2 0.3 1/166 18758", 2), ("6.1 5.9 5.0 7/166 18758", 1), ("nonsense", 2)]
)
def test_a_busy_computer_gets_one_thread_and_what_was_set_comes_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, inside: int
) -> None:
    load(monkeypatch, tmp_path, text)
    assert shares_cores(torch.get_num_threads)() == inside
    assert torch.get_num_threads() == 2

    @shares_cores
    def broken() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        broken()
    assert torch.get_num_threads() == 2


def test_other_threads_are_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    load(monkeypatch, tmp_path, "6.1 5.9 5.0 7/166 18758")
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(shares_cores(torch.get_num_threads)()))
    thread.start()
    thread.join()
    assert seen == [2]
