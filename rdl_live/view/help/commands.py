"""The entries of the Help menu, as actions: docked, too."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QApplication, QDialog, QMessageBox, QWidget

from rdl_live.errors import DataError
from rdl_live.view.help.pages import FOLDERS, find_page
from rdl_live.view.live.session import Severity

if TYPE_CHECKING:
    from rdl_live.view.help.diagnostics import Diagnostics
    from rdl_live.view.live.actions import Actions
    from rdl_live.view.live.panel import PanelKind

_WINDOW = ("The window", "Panes, buttons, bars, lamps", "window.md")


class HelpCommands:
    """Keys, pages, versions, diagnostics. Each is loaded when it is wanted."""

    def __init__(
        self,
        owner: QWidget,
        kinds: "Sequence[PanelKind]",
        messages: Callable[[], str],
        notify: Callable[[str, Severity], None],
    ) -> None:
        """Take what is needed; `add_to` adds the actions.

        Args:
            owner: the widget whose actions and panels are explained.
            kinds: its panels.
            messages: returns what the window has reported.
            notify: shows a notice.
        """
        self._owner, self._kinds, self._messages, self._notify = owner, kinds, messages, notify
        self._diagnostics: Diagnostics | None = None
        self._program: tuple[str, ...] | None = None
        self.folders: tuple[Path, ...] = FOLDERS
        """Where the documentation is looked for."""
        self.window: QDialog | None = None
        """What was opened last."""

    def add_to(self, commands: "Actions") -> None:
        """Add the actions."""
        for name, title, key, tip, do in (
            ("shortcuts", "Keyboard shortcuts", "F1", "All commands of this window that have a key", self.show_keys),
            ("what", "What is what", "", "What each panel is for, with its page of the documentation", self.show_pages),
            (
                "diagnostics",
                "Copy diagnostics",
                "",
                "Copy versions, the report of `rdl-live doctor` and the messages so far, to send with a problem; "
                "no device is touched",
                self.copy_diagnostics,
            ),
            ("about", "About rdl-live", "", "Version of this program, and of those that it uses", self.show_about),
        ):
            commands.add("help", name, title, key, tip, do)

    def end(self) -> None:
        """Ask for diagnostics no more."""
        if self._diagnostics is not None:
            self._diagnostics.end()

    # What the user does ---------------------------------------------------------------------------------

    def show_keys(self) -> None:
        """Show the keys that work now."""
        from rdl_live.view.help.tables import TableWindow, keys_of

        # The stand-alone window has entries of its own; a host's own keys are not ours to explain.
        window = self._owner.window()
        whole = window if window is not None and window.property("hosts-one-widget") else self._owner
        head = ("Key", "Command", "What it does")
        self._show(TableWindow(self._owner, "shortcuts-window", "Keyboard shortcuts", head, keys_of(whole)))

    def show_pages(self) -> None:
        """Show what each panel is for; a double-click opens its page."""
        from rdl_live.view.help.tables import TableWindow

        rows = self.pages()
        shown = [(title, tip) for title, tip, _ in rows]
        hint = "Double-click a row to open its page; it needs no internet."
        head = ("Panel", "What it is for")
        self._show(
            TableWindow(
                self._owner, "what-window", "What is what", head, shown, hint, lambda row: self.open(rows[row][2])
            )
        )

    def pages(self) -> list[tuple[str, str, str]]:
        """Return title, purpose and page of each panel."""
        own = [(one.title, one.opened.tip if one.opened else one.tip, one.page or _WINDOW[2]) for one in self._kinds]
        return [_WINDOW, *own]

    def open(self, page: str) -> None:
        """Open a page of the documentation, as "window.md#stage-and-focus"."""
        from rdl_live.view.help.page_window import open_page

        try:
            window = open_page(find_page(page, self.folders), self._owner)
        except DataError as error:
            self._notify(str(error), Severity.ERROR)
            return
        self.window = window or self.window

    def show_about(self) -> None:
        """Show versions."""
        from rdl_live.view.help.versions import versions

        box = QMessageBox(self._owner.window())
        box.setObjectName("about-window")
        box.setWindowTitle("About rdl-live")
        rows = "".join(f"<tr><td>{name}&nbsp;&nbsp;</td><td>{version}</td></tr>" for name, version in versions())
        box.setText(f"<b>rdl-live</b>: live super-resolved images in low light<table>{rows}</table>")
        box.setStandardButtons(QMessageBox.StandardButton.Close)
        box.setModal(False)
        self._show(box)

    def copy_diagnostics(self) -> None:
        """Gather, and copy to the clipboard when it is there."""
        from rdl_live.view.help.diagnostics import PROGRAM, Diagnostics

        if self._diagnostics is None:
            self._diagnostics = Diagnostics(self._owner, self._messages, self._copied, self._program or PROGRAM)
        if not self._diagnostics.busy:
            self._notify("Gathering diagnostics: this takes some seconds. The microscope goes on.", Severity.INFO)
        self._diagnostics.ask()

    def _copied(self, report: str, wrong: str) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is None:
            self._notify("There is no clipboard here; run `rdl-live doctor` in a terminal instead.", Severity.WARNING)
            return
        clipboard.setText(report)
        if wrong:
            text = f"`rdl-live doctor` failed ({wrong}); versions, messages and what it reported were copied."
            self._notify(text, Severity.WARNING)
        else:
            self._notify("Diagnostics were copied: paste them into your mail or issue.", Severity.INFO)

    def _show(self, window: QDialog) -> None:
        self.window = window
        # Opened again, it is made again: keys and panels may have changed.
        window.setModal(False)
        window.finished.connect(window.deleteLater)
        window.show()
        window.raise_()
