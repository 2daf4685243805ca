"""The stand-alone window: it only hosts the widget, and gives it menus, a size and colours."""

from qtpy.QtCore import QByteArray, QSize
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QApplication, QMainWindow, QMenu, QMessageBox

from rdl_live.view.common.theme import Theme, apply_theme
from rdl_live.view.live.session import Activity
from rdl_live.view.live.sim_widget import SimWidget


class MainWindow(QMainWindow):
    """The window of `rdl-live demo` and `rdl-live live`."""

    def __init__(self, widget: SimWidget, title: str) -> None:
        """Host a widget; when the window is closed, its session is."""
        super().__init__()
        self.widget = widget
        self.asks = True
        """Whether closing during a recording is asked about."""
        self.setWindowTitle(title)
        self.setCentralWidget(widget)
        self._theme = Theme.DARK if widget.memory.get("theme") != Theme.LIGHT.value else Theme.LIGHT
        self._make_menus()
        self._use_theme()
        self._place()

    def _make_menus(self) -> None:
        bar = self.menuBar()
        assert bar is not None
        for title, parts in (("&File", ("picture",)), ("&Acquire", ("acquire", "devices")), ("&View", ("view",))):
            menu = self.widget.commands.menu(*parts)
            menu.setTitle(title)
            bar.addMenu(menu)
            if title == "&View":
                self._add_theme(menu)
            if title == "&File":
                menu.addSeparator()
                quit_action = menu.addAction("Quit")
                assert quit_action is not None
                quit_action.setShortcut("Ctrl+Q")
                quit_action.triggered.connect(self.close)

    def _add_theme(self, menu: QMenu) -> None:
        menu.addSeparator()
        self.light_action = menu.addAction("Light colours")
        assert self.light_action is not None
        self.light_action.setCheckable(True)
        self.light_action.setChecked(self._theme is Theme.LIGHT)
        self.light_action.toggled.connect(lambda on: self.use_theme(Theme.LIGHT if on else Theme.DARK))

    def use_theme(self, theme: Theme) -> None:
        """Use light or dark colours from now on."""
        self._theme = theme
        self._use_theme()

    def _use_theme(self) -> None:
        application = QApplication.instance()
        if isinstance(application, QApplication):
            apply_theme(application, self._theme)

    def _place(self) -> None:
        """Be where the window was; on a screen that is smaller now, fit it."""
        remembered = self.widget.memory.get("window")
        if isinstance(remembered, str) and self.restoreGeometry(
            QByteArray.fromHex(remembered.encode("ascii", "ignore"))
        ):
            return
        screen = QApplication.primaryScreen()
        room = screen.availableSize() if screen is not None else QSize(1366, 768)
        if room.width() <= 1440 or room.height() <= 850:
            self.resize(room)
            self.showMaximized()
        else:
            self.resize(min(1600, round(0.9 * room.width())), min(1000, round(0.9 * room.height())))

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802
        """Ask if a recording runs; then stop, go dark, remember."""
        if event is None:
            return
        session = self.widget.session
        if self.asks and session.snapshot.activity is Activity.RECORDING:
            button = QMessageBox.question(
                self, "Recording", "A recording is running. Stop it and quit? What was recorded is kept."
            )
            if button is not QMessageBox.StandardButton.Yes:
                event.ignore()
                return
        geometry = self.saveGeometry().toHex().data().decode("ascii")
        self.widget.memory.put(window=geometry, theme=self._theme.value)
        self.widget.end()
        session.close()
        event.accept()
