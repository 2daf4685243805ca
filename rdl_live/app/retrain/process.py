"""Retraining in the background, for a window or a script: start, watch, cancel, swap the result in and back out.

The training runs in a process of its own, at low priority, on one thread and with a bound on the raw frames that it
holds. It ends when it is asked to, and by itself when the program that started it dies (its input then ends). Ask
`status` from any thread, as often as you like. No Qt here.
"""

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from rdl_live.errors import ConfigError
from rdl_live.view.retrain.state import Outcome, Phase, Progress

__all__ = ["DenoiserSwitch", "Phase", "Progress", "Retraining"]

END_S = 20.0
"""A process that was asked to end and has not by then is ended by force."""
_KEPT_LINES = 20
_LOW_PRIORITY: int = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
"""On Windows; elsewhere the process makes itself nice. It stays in the session of the program that starts it: Linux
groups processes by session, and between groups niceness does not count."""


class Retraining:
    """One retraining in its own process."""

    def __init__(
        self,
        raws: Sequence[Path],
        microscope: Path,
        out: Path,
        *,
        scheme: str = "auto",
        minutes: float = 10.0,
        steps: int | None = None,
        start: str = "rdl",
        channel: str | None = None,
        resume: bool = False,
        judge: bool = False,
    ) -> None:
        """Start it.

        Args:
            raws: recordings.
            microscope: microscope file.
            out: weight file to write.
            scheme: `tis`, `split`, or `auto` for what the measured motion asks for.
            minutes: how long, at most.
            steps: stop after so many steps instead.
            start: weights to go on from.
            channel: colour; the first where left out.
            resume: go on from the checkpoint beside `out`.
            judge: compare the new weights with the old ones at the end, as `rdl-live compare` does.

        Raises:
            ConfigError: no recording, or an unknown scheme.
        """
        if not raws:
            raise ConfigError("nothing to retrain on: record a time-lapse first")
        if scheme not in ("tis", "split", "auto"):
            raise ConfigError(f"scheme {scheme!r}: choose tis, split or auto")
        order = {
            "raws": [str(path) for path in raws],
            "microscope": str(microscope),
            "out": str(out),
            "scheme": scheme,
            "minutes": minutes,
            "steps": steps,
            "start": start,
            "channel": channel,
            "resume": resume,
            "judge": judge,
        }
        self._lock, self._progress = threading.Lock(), Progress()
        self._cancelled = False
        self._errors: deque[str] = deque(maxlen=_KEPT_LINES)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rdl_live.app.retrain.worker", json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            creationflags=_LOW_PRIORITY,
        )
        self._readers = [
            threading.Thread(target=self._listen, name="retrain-progress", daemon=True),
            threading.Thread(target=self._collect_errors, name="retrain-errors", daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def status(self) -> Progress:
        """Return where it is; any thread."""
        with self._lock:
            return self._progress

    def cancel(self) -> None:
        """Ask it to end after the step at hand; the checkpoint is kept. Returns at once."""
        self._cancelled = True
        stream = self._process.stdin
        if stream is not None and not stream.closed:
            try:
                stream.close()
            except OSError:  # it has ended by itself meanwhile
                return

    def wait(self, timeout_s: float | None = None) -> Progress:
        """Wait until it has ended, or for so long; return where it is."""
        self._readers[0].join(timeout_s)
        return self.status

    def close(self) -> None:
        """End it, by force if need be."""
        self.cancel()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join(END_S)

    def _listen(self) -> None:
        """Take in what the process says, line by line, until it ends."""
        stream = self._process.stdout
        for line in stream or ():
            self._take(json.loads(line))
        code = self._process.wait()
        self._readers[1].join(END_S)
        with self._lock:
            if not self._progress.phase.over:
                phase = Phase.CANCELLED if self._cancelled else Phase.FAILED
                words = self._progress.words
                if phase is Phase.FAILED:
                    words = (*words, f"the retraining ended with code {code}: {' '.join(self._errors)}")
                self._progress = replace(self._progress, phase=phase, words=words)
        if stream is not None:
            stream.close()

    def _collect_errors(self) -> None:
        stream = self._process.stderr
        for line in stream or ():
            self._errors.append(line.strip())
        if stream is not None:
            stream.close()

    def _take(self, said: dict[str, object]) -> None:
        with self._lock:
            self._progress = taken(self._progress, said)


def taken(before: Progress, said: Mapping[str, object]) -> Progress:
    """Return where a retraining is after its process has said so much: one line of its output."""
    paths = {name: Path(str(said[name])) for name in ("preview", "weights") if said.get(name)}
    word = said.get("word")
    return replace(
        before,
        phase=Phase(str(said.get("phase", before.phase))),
        done=float(str(said.get("done", before.done))),
        step=int(str(said.get("step", before.step))),
        loss=_number(said.get("loss"), before.loss),
        held_out=_number(said.get("held_out"), before.held_out),
        before=_number(said.get("before"), before.before),
        words=before.words if word is None else (*before.words, str(word)),
        preview=paths.get("preview", before.preview),
        weights=paths.get("weights", before.weights),
        offered=bool(said.get("offered", before.offered)),
        verdict=str(said.get("verdict", before.verdict)),
        outcome=Outcome(str(said.get("outcome", before.outcome))),
    )


class DenoiserSwitch:
    """Exchanges the denoiser between two series, and back with one call."""

    def __init__(self, use: Callable[[str], "Future[None]"], current: str) -> None:
        """Take over.

        Args:
            use: of the running pipeline: `Live.use_denoiser` or `Host.use_denoiser`.
            current: denoiser in use.
        """
        self._use, self.current = use, current
        self.previous: str | None = None
        """What `back` returns to; None where nothing was exchanged."""

    def swap(self, name: str) -> "Future[None]":
        """Use other weights from one of the next series on. The future ends well once they are in use."""
        asked = self._use(name)
        asked.add_done_callback(lambda done: self._exchanged(name) if _well(done) else None)
        return asked

    def back(self) -> "Future[None]":
        """Return to the denoiser before the last exchange.

        Raises:
            ConfigError: nothing was exchanged.
        """
        if self.previous is None:
            raise ConfigError("no denoiser was exchanged, so there is none to go back to")
        return self.swap(self.previous)

    def _exchanged(self, name: str) -> None:
        if name != self.current:
            self.current, self.previous = name, self.current


def _well(done: "Future[None]") -> bool:
    return not done.cancelled() and done.exception() is None


def _number(value: object, otherwise: float | None) -> float | None:
    return otherwise if value is None else float(str(value))
