"""The batches of a training, made ahead where the task wants it."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic

from rdl_live.train.loop.task import Batch


class Batches(Generic[Batch]):
    """Batches of growing steps, the next one made in another thread meanwhile if wanted. A context manager."""

    def __init__(self, draw: Callable[[int], Batch], *, ahead: bool) -> None:
        self._draw = draw
        self._thread = ThreadPoolExecutor(1) if ahead else None
        self._coming: Future[Batch] | None = None

    def __enter__(self) -> "Batches[Batch]":
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)

    def take(self, step: int, *, more: bool) -> Batch:
        """Return the batch of a step; `more` says that the next step's will be wanted as well."""
        if self._thread is None:
            return self._draw(step)
        coming = self._coming or self._thread.submit(self._draw, step)
        batch = coming.result()
        self._coming = self._thread.submit(self._draw, step + 1) if more else None
        return batch
