"""What `rdl-live doctor` says, asked in a process of its own: the window does not wait, and no device is touched."""

import sys
from collections.abc import Callable

from qtpy.QtCore import QObject, QProcess, QProcessEnvironment

from rdl_live.view.help.versions import versions

PROGRAM = (sys.executable, "-m", "rdl_live", "doctor")
_WIDTH = "200"
"""Columns of its table: no line is broken."""


class Diagnostics(QObject):
    """Asks the doctor, and hands on all that a report of a fault needs."""

    def __init__(
        self, owner: QObject, messages: Callable[[], str], done: Callable[[str, str], object], program: tuple[str, ...]
    ) -> None:
        """Ask nothing yet.

        Args:
            owner: that it belongs to.
            messages: returns what the window has reported.
            done: called with the report, and with what went wrong ("" for nothing).
            program: that is asked.
        """
        super().__init__(owner)
        self._messages, self._done, self._program = messages, done, program
        self._process: QProcess | None = None

    @property
    def busy(self) -> bool:
        """Whether it is being asked."""
        return self._process is not None

    def ask(self) -> None:
        """Ask, unless that is going on; `done` follows."""
        if self._process is not None:
            return
        self._process = process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        for name, value in (("COLUMNS", _WIDTH), ("PYTHONIOENCODING", "utf-8"), ("NO_COLOR", "1")):
            environment.insert(name, value)
        process.setProcessEnvironment(environment)
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._failed)
        process.start(self._program[0], list(self._program[1:]))

    def end(self) -> None:
        """Ask no more."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.waitForFinished(2000)

    def _finished(self, code: int, how: QProcess.ExitStatus) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        said = bytes(process.readAllStandardOutput().data()).decode("utf-8", "replace").strip()
        wrong = "" if said and code in (0, 1) and how is QProcess.ExitStatus.NormalExit else f"exit code {code}"
        if wrong:
            said += "\n" + bytes(process.readAllStandardError().data()).decode("utf-8", "replace").strip()
        process.deleteLater()
        self._done(self._report(said), wrong)

    def _failed(self, error: QProcess.ProcessError) -> None:
        if error is not QProcess.ProcessError.FailedToStart or self._process is None:
            return  # `finished` follows
        process, self._process = self._process, None
        wrong = process.errorString()
        process.deleteLater()
        self._done(self._report(""), wrong)

    def _report(self, said: str) -> str:
        lines = [f"{name}: {version}" for name, version in versions()]
        parts = ["\n".join(lines), said, "Messages of the window:\n" + (self._messages() or "none")]
        return "\n\n".join(part for part in parts if part) + "\n"
