"""Windows for recordings beside the live window. What they need is loaded when the first is wanted."""

from pathlib import Path
from typing import TYPE_CHECKING

from rdl_live.errors import RdlError
from rdl_live.view.session import Severity

if TYPE_CHECKING:
    from rdl_live.view.browser_window import BrowserWindow
    from rdl_live.view.sim_widget import SimWidget


class RecordingWindows:
    """Opens windows for recordings beside a live window, and keeps them."""

    def __init__(self, widget: "SimWidget") -> None:
        """Open a window whenever the widget's user asks for one."""
        self._widget = widget
        self.windows: list[BrowserWindow] = []
        widget.open_wanted.connect(self.ask)

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
        """Show a recording; what is wrong with it is told in the live window."""
        from rdl_live.app.open_window import made_window

        try:
            window = made_window(path)
        except RdlError as error:
            self._widget.tell(str(error), Severity.ERROR)
            return
        self.windows = [one for one in self.windows if one.isVisible()]
        self.windows.append(window)
        window.show()

    def close(self) -> None:
        """Close all of them."""
        for window in self.windows:
            window.close()
