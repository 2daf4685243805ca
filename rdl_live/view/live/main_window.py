"""The stand-alone window: it only hosts the widget, and gives it menus, a size and colours."""

from qtpy.QtCore import QSize
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QMessageBox

from rdl_live.view.common.host_window import HostWindow
from rdl_live.view.live.session import Activity
from rdl_live.view.live.sim_widget import SimWidget

_LARGEST = QSize(1600, 1000)
"""At the first start."""


class MainWindow(HostWindow):
    """The window of `rdl-live demo` and `rdl-live live`."""

    def __init__(self, widget: SimWidget, title: str) -> None:
        """Host a widget; when the window is closed, its session is."""
        super().__init__(widget.memory)
        self.widget = widget
        self.asks = True
        """Whether closing during a recording is asked about."""
        self.setWindowTitle(title)
        self.setCentralWidget(widget)
        self._make_menus()
        self.use_theme()
        self.place(_LARGEST, fill_small=True)

    def _make_menus(self) -> None:
        bar = self.menuBar()
        assert bar is not None
        for title, parts in (
            ("&File", ("picture",)),
            ("&Acquire", ("acquire", "devices")),
            ("&View", ("view",)),
            ("&Help", ("help",)),
        ):
            menu = self.widget.commands.menu(*parts)
            menu.setTitle(title)
            bar.addMenu(menu)
            if title == "&View":
                self.add_theme(menu)
            if title == "&File":
                menu.addSeparator()
                quit_action = menu.addAction("Quit")
                assert quit_action is not None
                quit_action.setShortcut("Ctrl+Q")
                quit_action.setToolTip("Stop, turn the light off, and close the window (Ctrl+Q)")
                quit_action.triggered.connect(self.close)

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
        self.remember_place()
        self.widget.end()
        session.close()
        event.accept()
