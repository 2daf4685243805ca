"""Runs a reader on broken inputs and keeps what it must not do: other errors, hangs, blow-ups of memory."""

import gc
import resource
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rdl_live.errors import RdlError

HANG_S = 8
"""An input that computes longer is a finding; all are a few kilobytes."""
WAIT_S = 90
"""Likewise one that takes longer by the clock: generous, for the machine may have other things to do."""
GROWTH = 512 * 2**20
"""Bytes by which the peak memory may grow through one input; the largest of them declares a few kilobytes of pixels."""
ADDRESS_SPACE = 6 * 2**30
"""Beyond what the process has taken at the start (libraries reserve gigabytes that they never touch)."""


@dataclass(frozen=True)
class Target:
    """A reader, inputs that it takes, and how they are broken."""

    name: str
    seeds: tuple[bytes, ...]
    mutate: Callable[..., bytes]
    read: Callable[[bytes, Path], None]
    """Called with an input and an empty folder; may raise `RdlError` only."""


class Hang(BaseException):
    """An input took too long."""


@dataclass
class Outcome:
    """What came out of a target."""

    tried: int = 0
    refused: int = 0
    """Inputs that ended in an `RdlError`."""
    slowest_s: float = 0.0
    findings: dict[str, bytes] = field(default_factory=dict)
    """What must not be, by its trace, with the first input that showed it."""


class Runner:
    """Tries inputs on one target."""

    def __init__(self, target: Target, folder: Path, last: Path | None = None) -> None:
        """Work in `folder`, which nothing else uses; write each input to `last` before it is tried."""
        self.target, self.outcome = target, Outcome()
        self._inside, self._outside = folder / "inside", folder / "outside"
        self._outside.mkdir(parents=True)
        self._last = last
        self._peak = _peak()

    def attempt(self, content: bytes) -> bool:
        """Try one input; return whether all was well."""
        if self._last is not None:
            self._last.write_bytes(content)
        shutil.rmtree(self._inside, ignore_errors=True)
        self._inside.mkdir()
        start, found = time.perf_counter(), ""
        try:
            with _deadline():
                self.target.read(content, self._inside)
        except RdlError as error:
            self.outcome.refused += 1
            found = blow_up(error)
        except Hang:
            found = f"hang: more than {HANG_S} s, at {_where(traceback.format_exc())}"
        except Exception:
            found = _where(traceback.format_exc())
        self.outcome.tried += 1
        self.outcome.slowest_s = max(self.outcome.slowest_s, time.perf_counter() - start)
        found = found or self._looked_after()
        if found:
            self.outcome.findings.setdefault(found, content)
        return not found

    def _looked_after(self) -> str:
        if [*self._outside.iterdir()] or len([*self._outside.parent.iterdir()]) > 2:
            return "a file outside of the folder was written"
        peak = _peak()
        grown, self._peak = peak - self._peak, max(peak, self._peak)
        if grown > GROWTH:
            gc.collect()
            return f"memory: more than {GROWTH / 2**20:.0f} MiB"
        return ""


def limit_memory() -> None:
    """Let no input take the machine's memory."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + ADDRESS_SPACE, resource.RLIM_INFINITY))


@contextmanager
def _deadline() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGPROF, ring)
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_PROF, HANG_S)
    signal.setitimer(signal.ITIMER_REAL, WAIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def blow_up(error: BaseException) -> str:
    """Name the place of a MemoryError that was turned into a clean error; empty if there was none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            return f"memory: {_where(''.join(traceback.format_exception(cause)))}"
        cause = cause.__cause__
    return ""


def _where(trace: str) -> str:
    """Return the last place and the error of a trace; they tell two findings apart."""
    lines = [line.strip() for line in trace.strip().splitlines()]
    places = [line for line in lines if line.startswith("File ")]
    ours = [place for place in places if "rdl_" in place]
    kind = lines[-1].split(":")[0]
    return " | ".join([kind, *ours[-2:], *places[-1:]])


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
