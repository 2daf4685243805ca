"""Series through threads: in order, few at a time, errors where their series would have come, each core its own."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from rdl_live.app.reconstruct.series_stream import AHEAD, Images, SeriesStream, usual_workers
from rdl_live.errors import DataError

COUNT = 23


class Machine:
    """Makes an image that tells its series; slow ones come late."""

    def __init__(self) -> None:
        self.users = 0

    def __call__(self, series: np.ndarray) -> Images:
        self.users += 1
        assert self.users == 1, "two threads use one machine"
        time.sleep(0.002 if int(series[0]) % 3 == 0 else 0.0)
        self.users -= 1
        return series.astype(np.float32) * 2, None


class Reader:
    """Gives series, and counts those that are not taken yet."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.thread = threading.get_ident()

    def __call__(self, index: int) -> np.ndarray:
        assert threading.get_ident() == self.thread, "files are read by one thread"
        self.read.append(index)
        return np.array([index])


def stream(reader: Reader, workers: int) -> SeriesStream[Machine]:
    return SeriesStream(reader, Machine, lambda machine, series: machine(series), workers, Machine())


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_all_come_in_order_and_few_wait(workers: int) -> None:
    reader, seen = Reader(), []
    for made in stream(reader, workers).run(2, COUNT):
        assert made.sr[0] == 2 * made.index == 2 * made.series[0]
        seen.append(made.index)
        assert len(reader.read) - len(seen) <= workers + AHEAD
    assert seen == list(range(2, COUNT))


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("where", ["read", "compute"])
def test_an_error_comes_where_its_series_would_have_come(workers: int, where: str) -> None:
    reader, seen = Reader(), list[int]()

    def read(index: int) -> np.ndarray:
        if where == "read" and index == 7:
            raise DataError("series 7 is damaged")
        return reader(index)

    def compute(machine: Machine, series: np.ndarray) -> Images:
        if where == "compute" and series[0] == 7:
            raise DataError("series 7 is damaged")
        return machine(series)

    threads = threading.active_count()
    images = SeriesStream(read, Machine, compute, workers, Machine()).run(0, COUNT)
    with pytest.raises(DataError, match="series 7"):
        seen.extend(made.index for made in images)
    assert seen == list(range(len(seen)))
    assert len(seen) == 7 if where == "compute" else len(seen) <= 7
    assert threading.active_count() <= threads


def test_left_early_it_computes_no_more() -> None:
    reader, threads = Reader(), threading.active_count()
    images = stream(reader, 2).run(0, COUNT)
    assert next(images).index == 0
    images.close()  # type: ignore[attr-defined]
    assert len(reader.read) <= 2 + AHEAD + 1
    assert threading.active_count() <= threads


def test_each_worker_computes_with_one_thread() -> None:
    counts: list[int] = []

    def compute(machine: Machine, series: np.ndarray) -> Images:
        counts.append(torch.get_num_threads())
        return machine(series)

    list(SeriesStream(Reader(), Machine, compute, 2, Machine()).run(0, 6))
    assert counts == [1] * 6


def test_usual_workers() -> None:
    assert usual_workers(torch.device("cuda"), 100) == 1
    assert usual_workers(torch.device("cpu"), 1) == 1
    assert usual_workers(torch.device("cpu"), 10**6) >= 1
