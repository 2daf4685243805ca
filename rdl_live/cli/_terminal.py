"""A terminal that may be gone: what is written to it must not keep a run from its orderly end.

When a terminal is closed or SSH is lost, writing raises EIO; where a pipe's reader has ended, EPIPE. Then nobody reads
any more, and everything else that is written goes to the null device.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any


class LastingStream:
    """A text stream whose end is no error. Everything but writing is the stream's own."""

    def __init__(self, stream: IO[str]) -> None:
        """Write to this stream, as long as it takes it."""
        self._stream = stream
        self.gone = False
        """Whether nobody reads any more."""

    def write(self, text: str) -> int:
        """Write, or drop it where the stream has ended."""
        if not self.gone:
            try:
                return self._stream.write(text)
            except OSError:
                self._lose()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Likewise."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Likewise."""
        if not self.gone:
            try:
                self._stream.flush()
            except OSError:
                self._lose()

    def _lose(self) -> None:
        """Let what is buffered, and what libraries write to the same file by its number, go nowhere."""
        self.gone = True
        with suppress(OSError, ValueError):
            number = self._stream.fileno()
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, number)
            os.close(null)
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)


@contextmanager
def lasting_streams() -> Iterator[None]:
    """Use `LastingStream` for stdout and stderr within the block, and flush both at its end."""
    before = sys.stdout, sys.stderr
    ours = [LastingStream(stream) if stream is not None else None for stream in before]
    sys.stdout, sys.stderr = ours
    try:
        yield
    finally:
        for stream in ours:
            if stream is not None:
                stream.flush()
        if (sys.stdout, sys.stderr) == tuple(ours):
            sys.stdout, sys.stderr = before
