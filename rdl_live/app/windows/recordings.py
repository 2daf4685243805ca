"""Windows for recordings beside the live window. What they need is loaded when the first is wanted."""

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from rdl_live.errors import RdlError
from rdl_live.view.live.session import Severity

if TYPE_CHECKING:
    from rdl_live.view.browse.source import Source
    from rdl_live.view.browse.window import BrowserWindow
    from rdl_live.view.live.sim_widget import SimWidget

_LOG = logging.getLogger(__name__)


class RecordingWindows(QObject):
    """Opens windows for recordings beside a live window, and keeps them.

    The journal of a night takes seconds to read, so it is read by a thread: the live window goes on.
    """

    _read = Signal(object, str)
    """A recording that was read, or None and why not."""

    def __init__(self, widget: "SimWidget") -> None:
        """Open a window whenever the widget's user asks for one."""
        super().__init__(widget)
        self._widget = widget
        self._closed = False
        self.windows: list[BrowserWindow] = []
        widget.open_wanted.connect(self.ask)
        self._read.connect(self._show)

    def ask(self) -> None:
        """Ask which recording, beginning with the one made last, and show it in a window of its own."""
        from qtpy.QtWidgets import QFileDialog

        last = self._widget.session.snapshot.recording
        start = self._widget.controls.folder if last is None or last.running else last.folder
        title = "Open a recording (its folder, or the .ome.zarr in it)"
        chosen = QFileDialog.getExistingDirectory(self._widget, title, str(start))
        if chosen:
            self.show(Path(chosen))

    def show(self, path: Path) -> None:
        """Read a recording, and show it when it is read; what is wrong with it is reported in the live window."""
        self._widget.notify(f"opening {path.name} …")
        threading.Thread(target=self._open, args=(path,), name="rdl-open", daemon=True).start()

    def _open(self, path: Path) -> None:
        from rdl_live.app.windows.browser import open_recording_source

        source, problem = None, ""
        try:
            source = open_recording_source(path)
        except RdlError as error:
            problem = str(error)
        except Exception as error:  # a defect: reported like any other problem, and not lost with the thread
            _LOG.exception("a recording could not be opened")
            problem = f"{path}: {type(error).__name__}: {error}. This is a defect of rdl-live; please report it"
        self._read.emit(source, problem)

    def _show(self, source: "Source | None", problem: str) -> None:
        if source is None:
            self._widget.notify(problem, Severity.ERROR)
            return
        if self._closed:
            source.close()
            return
        from rdl_live.app.windows.browser import window_of

        window = window_of(source)
        self.windows = [one for one in self.windows if one.isVisible()]
        self.windows.append(window)
        window.show()

    def close(self) -> None:
        """Close all of them."""
        self._closed = True
        for window in self.windows:
            window.close()
