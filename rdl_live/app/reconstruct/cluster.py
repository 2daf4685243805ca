"""Images of a recording from the workers of a dask cluster, in order, with few of them in memory at a time.

Each worker opens the raw file itself, so it must see it under the same path; only images travel. dask trusts its
cluster, for tasks are pickled: use a scheduler of your own network only.
"""

import contextlib
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rdl_live.app.reconstruct.cluster_name import check_cluster
from rdl_live.app.reconstruct.machine import Machine
from rdl_live.app.reconstruct.run import OfflineRun, Options
from rdl_live.app.reconstruct.series_stream import Computed, Images
from rdl_live.errors import DataError, DeviceError
from rdl_live.optics import PatternSet
from rdl_live.optics.quality.defects import Defects

TASK_BYTES = 64 * 2**20
"""Images that a task gives at most: large enough that sending them costs little, small enough to be held."""
TASK_SERIES = 32
AHEAD = 2
"""Tasks that wait for each worker, computed or not."""
RETRIES = 3
"""A worker that dies takes its tasks with it; others do them again so often."""
CONNECT_S = 10.0


@dataclass(frozen=True)
class Order:
    """What a worker must know; the same for all tasks of a recording."""

    raw: str
    microscope: str
    options: Options
    patterns: str
    """As JSON."""
    levels: str = "null"
    """Usual light of every frame (angle, phase), as JSON."""
    defects: str = "[[], [], 0]"
    """Rows, columns and number of hot ones of the pixels to be filled, as JSON."""
    model: int = 0
    """Series that decides on the weights."""
    otf_damping: tuple[float, float] = (0.0, 0.0)
    """See `Channel`."""
    contrast: tuple[float, ...] | None = None
    """See `OfflineRun`."""
    starts: tuple[int, ...] | None = None
    """Where series begin, if they were aligned anew; see `OfflineRun`."""


def cluster_images(run: OfflineRun, patterns: PatternSet, name: str) -> Iterator[Computed]:
    """Go through the images of all time points of a run, in order, computed by a cluster.

    Raises:
        ConfigError: see `check_cluster`.
        DeviceError: the scheduler is not there, or has no workers.
        DataError: a worker cannot read the recording.
    """
    plain = replace(run.options, cluster=None, workers=1)
    order = Order(
        str(run.raw.resolve()),
        str(run.microscope.resolve()),
        plain,
        patterns.model_dump_json(),
        json.dumps(None if run.levels is None else run.levels.tolist()),
        json.dumps([run.defects.rows.tolist(), run.defects.columns.tolist(), run.defects.hot])
        if run.defects.mended
        else "[[], [], 0]",
        run.model,
        run.channel.otf_damping,
        run.contrast,
        run.starts,
    )
    total, size = len(run.recording), 4 * 4 * int(np.prod(run.recording.shape[-2:]))
    step = max(1, min(TASK_SERIES, TASK_BYTES // size))
    with open_client(name) as client:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        if not workers:
            raise DeviceError(f"--cluster {name}: the scheduler has no workers; start some with `dask worker {name}`")
        step = min(step, max(1, -(-total // (4 * workers))))
        waiting: deque[Any] = deque()
        try:
            for start in range(0, total, step):
                if len(waiting) == workers * AHEAD:
                    yield from _taken(run, *waiting.popleft())
                stop = min(start + step, total)
                waiting.append((start, client.submit(images_of_range, order, start, stop, pure=False, retries=RETRIES)))
            while waiting:
                yield from _taken(run, *waiting.popleft())
        finally:
            for _, future in waiting:
                future.cancel()


def _taken(run: OfflineRun, start: int, future: Any) -> Iterator[Computed]:
    from distributed import KilledWorker

    try:
        images: list[Images] = future.result()
    except KilledWorker as error:
        raise DeviceError(f"--cluster: workers died again and again over series {start} and on: {error}") from error
    future.release()
    for number, made in enumerate(images):
        # Read here as well: it is the check of the frames, and what the report's first series is taken from.
        yield Computed(start + number, run.series(start + number), *made)


@contextlib.contextmanager
def open_client(name: str) -> Iterator[Any]:
    """Give a client of a cluster, which is started where `name` is local:N.

    Raises:
        ConfigError: see `check_cluster`.
        DeviceError: no scheduler is there.
    """
    count = check_cluster(name)
    from distributed import Client, LocalCluster

    with contextlib.ExitStack() as opened:
        address: Any = name
        if count is not None:
            address = opened.enter_context(
                LocalCluster(  # type: ignore[no-untyped-call]
                    n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None
                )
            )
        try:
            client = Client(address, timeout=CONNECT_S)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise DeviceError(
                f"--cluster {name}: no scheduler answers there ({error}); start `dask scheduler`"
            ) from error
        yield opened.enter_context(client)


# In a worker ------------------------------------------------------------------------------------------------


def images_of_range(order: Order, start: int, stop: int) -> list[Images]:
    """Return the images of the series from `start` to before `stop`; called in a worker.

    Raises:
        DataError: the worker cannot read the recording.
    """
    import socket

    torch.set_num_threads(1)
    try:
        run, machine = _opened(order)
        return [machine(run.series(index)) for index in range(start, stop)]
    except DataError as error:
        raise DataError(f"worker on {socket.gethostname()}: {error}") from error


@lru_cache(maxsize=1)
def _opened(order: Order) -> tuple[OfflineRun, Machine]:
    """Return the recording and what makes its images; kept for the next task."""
    run = OfflineRun(Path(order.raw), Path(order.microscope), torch.device("cpu"), order.options)
    run.settle_camera()
    if order.starts is not None:
        run.begin_series_at(order.starts)
    patterns = PatternSet.model_validate_json(order.patterns)
    levels, (rows, columns, hot) = json.loads(order.levels), json.loads(order.defects)
    run.channel = run.channel.replace(otf_damping=order.otf_damping)
    run.defects = Defects(np.array(rows, np.int64), np.array(columns, np.int64), hot)
    run.contrast = order.contrast
    run.levels, run.model = None if levels is None else np.array(levels), order.model
    return run, run.machine(patterns, run.series(order.model))
