"""A list of values that hardware steps through, one at each exposure of the camera."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Sequencer(Generic[T]):
    """Values triggered by the camera: exposure i after the start gets value i modulo their number."""

    def __init__(self, apply: Callable[[T], None]) -> None:
        """`apply` is called with each value, in the camera's thread."""
        self._apply = apply
        self._lock = threading.Lock()
        self._values: tuple[T, ...] = ()
        self._next = 0
        self.running = False

    def load(self, values: Sequence[T]) -> None:
        """Take the values of the next run."""
        with self._lock:
            self._values = tuple(values)

    def start(self) -> None:
        """Wait for the camera's first exposure."""
        with self._lock:
            self._next = 0
            self.running = bool(self._values)

    def stop(self) -> None:
        """Leave the value as it is now."""
        with self._lock:
            self.running = False

    def trigger(self) -> None:
        """Apply the next value: an exposure begins."""
        with self._lock:
            if not self.running:
                return
            value = self._values[self._next % len(self._values)]
            self._next += 1
        self._apply(value)
