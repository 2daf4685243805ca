"""The log of one recording, beside it: each event is written when it happens, so that a crash loses none."""

from pathlib import Path

from rdl_live.view.log.events import Event

NAME = "log.tsv"


class LogFile:
    """Appends events to a file in the folder of a recording, once that is there."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._waiting: list[Event] = []
        """From the start of the recording until its folder is known and made."""
        self._open = self._failed = False

    def begin(self) -> None:
        """Another recording begins: keep its events from now on."""
        self._folder, self._waiting, self._open, self._failed = None, [], True, False

    def end(self) -> None:
        """The recording has ended: what happens from now on is not of it."""
        self._open, self._waiting = False, []

    def folder(self, folder: Path) -> None:
        """Say where the recording is."""
        self._folder = folder

    def write(self, events: list[Event]) -> str:
        """Append events; return what is wrong, once, where that cannot be done."""
        if not self._open:
            return ""
        self._waiting.extend(events)
        if self._folder is None or self._failed or not self._waiting or not self._folder.is_dir():
            return ""
        path = self._folder / NAME
        try:
            with path.open("a", encoding="utf-8") as file:
                file.writelines(f"{event.line}\n" for event in self._waiting)
        except OSError as error:
            self._failed = True
            return f"{path}: the log cannot be written ({error}); the recording itself goes on"
        self._waiting = []
        return ""
