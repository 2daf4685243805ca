"""The window of `rdl-live open`: hosts a browser, opens other recordings."""

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QSize
from qtpy.QtGui import QAction, QCloseEvent, QKeySequence
from qtpy.QtWidgets import QApplication, QFileDialog, QMenu, QMessageBox

from rdl_live._names import NO_DENOISER, RAW_RECORDING, SR_RECORDING
from rdl_live.errors import RdlError
from rdl_live.view.browse.browser import Browser
from rdl_live.view.browse.images import SeriesImages
from rdl_live.view.browse.source import Source, Where
from rdl_live.view.common.host_window import HostWindow
from rdl_live.view.common.memory import Memory

Opener = Callable[[Path, Path | None], Source]
"""Opens a recording, with a microscope file if one is given; raises RdlError."""
MakeImages = Callable[[Source], SeriesImages]
"""What makes the images of a recording."""


_LARGEST = QSize(1500, 950)
"""At the first start."""


class BrowserWindow(HostWindow):
    """Shows one recording at a time."""

    def __init__(
        self,
        source: Source,
        opener: Opener,
        images_of: MakeImages,
        memory: Memory | None = None,
        denoisers: tuple[str, ...] = (NO_DENOISER,),
        *,
        microscope: Path | None = None,
    ) -> None:
        """Show a recording; the window owns it.

        Args:
            source: the recording.
            opener: opens others.
            images_of: makes the images of each.
            memory: what is remembered for the next start.
            denoisers: names of weights to choose from, and "none".
            microscope: the file that was given with the recording.
        """
        super().__init__(memory or Memory("browser"))
        self._opener, self._images_of = opener, images_of
        self._denoisers, self._microscope = denoisers, microscope
        self.browser = self._host(source)
        self.place(_LARGEST)

    # Recordings -----------------------------------------------------------------------------------------

    def open_path(self, path: Path, microscope: Path | None = None, where: Where | None = None) -> bool:
        """Show another recording; return whether it could be opened. If not, the one before stays."""
        try:
            QApplication.setOverrideCursor(self.cursor())
            try:
                source = self._opener(path, microscope)
            finally:
                QApplication.restoreOverrideCursor()
        except RdlError as error:
            QMessageBox.warning(self, "This cannot be opened", str(error))
            return False
        self._microscope = microscope
        self.browser.remember()
        before, self.browser = self.browser, self._host(source)
        before.end()
        before.deleteLater()
        if where is not None:
            self.browser.controls.go(where)
        return True

    def ask_folder(self) -> None:
        """Ask for the folder of a recording, and show it."""
        start = str(self.browser.source.path.parent.parent)
        chosen = QFileDialog.getExistingDirectory(self, "Open a recording (its folder, or the .ome.zarr in it)", start)
        if chosen:
            self.open_path(Path(chosen), None)

    def ask_file(self) -> None:
        """Ask for a raw file and for its microscope file, and show it."""
        start = str(self.browser.source.path.parent)
        chosen, _ = QFileDialog.getOpenFileName(
            self, "Open a raw file", start, "Raw series (*.tif *.tiff *.mrc);;All files (*)"
        )
        if not chosen:
            return
        scope, _ = QFileDialog.getOpenFileName(
            self, "Which microscope recorded it?", str(Path(chosen).parent), "Microscope files (*.yaml *.yml)"
        )
        if scope:
            self.open_path(Path(chosen), Path(scope))

    def reload(self) -> None:
        """Read the recording again: it may have grown."""
        browser = self.browser
        self.open_path(browser.source.path, self._microscope, browser.controls.where)

    def _host(self, source: Source) -> Browser:
        browser = Browser(source, self._images_of(source), self.memory, self._denoisers)
        self.setCentralWidget(browser)
        self.setWindowTitle(f"{_name(source.path)} - rdl-live")
        self._make_menus(browser)
        self.use_theme()
        return browser

    # Menus and place ------------------------------------------------------------------------------------

    def _make_menus(self, browser: Browser) -> None:
        bar = self.menuBar()
        assert bar is not None
        bar.clear()
        menu = QMenu("&File", self)
        self._add(menu, "Open recording …", "Ctrl+O", self.ask_folder)
        self._add(menu, "Open raw file …", "Ctrl+Shift+O", self.ask_file)
        self._add(menu, "Reload", "F5", self.reload)
        menu.addSeparator()
        menu.addActions([browser.commands[name] for name in ("save", "copy")])
        menu.addSeparator()
        self._add(menu, "Close", "Ctrl+W", self.close)
        bar.addMenu(menu)
        for title, part in (("&Go", "go"), ("&View", "view")):
            made = browser.commands.menu(part)
            made.setTitle(title)
            bar.addMenu(made)
        self.add_theme(made)

    def _add(self, menu: QMenu, title: str, shortcut: str, do: Callable[[], object]) -> QAction:
        action = menu.addAction(title)
        assert action is not None
        if shortcut:
            action.setShortcut(QKeySequence(shortcut))
        action.triggered.connect(lambda _=False: do())
        return action

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802
        """Remember, and let go of the files."""
        self.remember_place()
        self.browser.end()
        if event is not None:
            event.accept()


def _name(path: Path) -> str:
    """Return the name of a recording: that of its run's folder, where it lies in one."""
    return path.parent.name if path.name in (RAW_RECORDING, SR_RECORDING) else path.name
