"""A thread that always works on the newest request; what was overtaken is left unfinished."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

_LOG = logging.getLogger(__name__)
Request = TypeVar("Request")
Answer = TypeVar("Answer")


class LatestWorker(Generic[Request, Answer]):
    """Runs `steps(request)` in its thread and delivers each answer; a new request ends the old one after its step."""

    def __init__(
        self,
        steps: Callable[[Request], Iterator[Answer]],
        deliver: Callable[[Answer], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Start the thread.

        Args:
            steps: gives answers to a request, one after the other.
            deliver: is given them, in the worker's thread.
            failed: is given what nobody foresaw, in the worker's thread; the worker goes on.
        """
        self._steps, self._deliver, self._failed = steps, deliver, failed
        self._changed = threading.Condition()
        self._wanted: Request | None = None
        self._working = self._closing = False
        self._thread = threading.Thread(target=self._run, name="rdl-browse", daemon=True)
        self._thread.start()

    def ask(self, request: Request) -> None:
        """Work on this from now on; returns at once."""
        with self._changed:
            self._wanted = request
            self._changed.notify_all()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        with self._changed:
            return self._wanted is None and not self._working

    def close(self, timeout_s: float = 5.0) -> bool:
        """End the thread after the step that it is at; return whether it has ended."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._working = False
                self._changed.wait_for(lambda: self._closing or self._wanted is not None)
                if self._closing:
                    return
                request, self._wanted, self._working = self._wanted, None, True
            if request is not None:
                self._work(request)

    def _work(self, request: Request) -> None:
        try:
            for answer in self._steps(request):
                self._deliver(answer)
                with self._changed:
                    if self._closing or self._wanted is not None:
                        return
        except Exception as error:  # a defect must not end the thread: the next picture may be fine
            _LOG.exception("the images of a series could not be made")
            self._failed(error)
