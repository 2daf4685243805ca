"""Requests for another denoiser: written down by any thread, answered by the thread that runs the pipeline."""

import threading
from collections import deque
from concurrent.futures import Future
from typing import NamedTuple

from rdl_live.errors import DeviceError


class DenoiserRequest(NamedTuple):
    """One of them."""

    name: str
    """Of the denoiser that is wanted."""
    done: "Future[None]"

    def answer(self, error: BaseException | None) -> None:
        """Let whoever asked know that it is in use, or why not."""
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)

    def refuse(self, why: str) -> None:
        """Answer that it cannot be had."""
        self.answer(DeviceError(f"denoiser {self.name!r}: {why}"))


class DenoiserRequests:
    """Those that nobody has answered. Any thread."""

    def __init__(self) -> None:
        """There is none."""
        self._lock = threading.Lock()
        self._new: deque[DenoiserRequest] = deque()
        self._sent: dict[int, DenoiserRequest] = {}
        self._number = 0
        self._ended = False

    def add(self, name: str) -> "Future[None]":
        """Ask for a denoiser; returns at once."""
        request = DenoiserRequest(name, Future())
        with self._lock:
            ended = self._ended
            if not ended:
                self._new.append(request)
        if ended:
            request.refuse(_ENDED)
        return request.done

    def take(self) -> DenoiserRequest | None:
        """Return the oldest one, which is then the caller's to answer; None if there is none."""
        with self._lock:
            return self._new.popleft() if self._new else None

    def send(self) -> tuple[int, str] | None:
        """Return number and name of the oldest one, which is answered by its number; None if there is none."""
        with self._lock:
            if not self._new:
                return None
            self._number += 1
            self._sent[self._number] = request = self._new.popleft()
            return self._number, request.name

    def answer(self, number: int, error: BaseException | None) -> str:
        """Answer one that was sent; return its name."""
        with self._lock:
            request = self._sent.pop(number)
        request.answer(error)
        return request.name

    def refuse_sent(self) -> None:
        """Refuse those that were sent to a process that has ended."""
        with self._lock:
            sent, self._sent = self._sent, {}
        for request in sent.values():
            request.refuse("the processing ended meanwhile; try again")

    def end(self) -> None:
        """Refuse what nobody has taken, and whatever comes from now on: the processing has ended."""
        with self._lock:
            self._ended = True
            new, self._new = self._new, deque()
        for request in new:
            request.refuse(_ENDED)


_ENDED = "the processing has ended; start again"
