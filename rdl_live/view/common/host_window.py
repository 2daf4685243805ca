"""What the stand-alone windows share: light or dark colours, and a place on the screen that is remembered."""

from qtpy.QtCore import QByteArray, QSize
from qtpy.QtWidgets import QApplication, QMainWindow, QMenu

from rdl_live.view.common.memory import Memory
from rdl_live.view.common.theme import Theme, apply_theme

_UNKNOWN_SCREEN = QSize(1366, 768)
_SMALL_SCREEN = QSize(1440, 850)
_SHARE = 0.9
"""Of a large screen, at the first start."""


class HostWindow(QMainWindow):
    """A window that hosts one widget."""

    def __init__(self, memory: Memory) -> None:
        """Use the colours that were used last."""
        super().__init__()
        self.memory = memory
        self.setProperty("hosts-one-widget", True)  # its menus are ours, unlike those of another program
        self._theme = Theme.LIGHT if memory.get("theme") == Theme.LIGHT.value else Theme.DARK

    def add_theme(self, menu: QMenu) -> None:
        """Add the choice of colours to a menu."""
        menu.addSeparator()
        self.light_action = menu.addAction("Light theme")
        assert self.light_action is not None
        self.light_action.setToolTip(
            "Dark text on a light background; in a dark room the dark theme is easier on the eyes"
        )
        self.light_action.setCheckable(True)
        self.light_action.setChecked(self._theme is Theme.LIGHT)
        self.light_action.toggled.connect(lambda on: self.use_theme(Theme.LIGHT if on else Theme.DARK))

    def use_theme(self, theme: Theme | None = None) -> None:
        """Use light or dark colours from now on; None: those of now."""
        self._theme = theme or self._theme
        application = QApplication.instance()
        if isinstance(application, QApplication):
            apply_theme(application, self._theme)

    def place(self, largest: QSize, *, fill_small: bool = False) -> None:
        """Be where the window was; at the first start not larger than this, or all of a small screen."""
        remembered = self.memory.get("window")
        if isinstance(remembered, str) and self.restoreGeometry(
            QByteArray.fromHex(remembered.encode("ascii", "ignore"))
        ):
            return
        screen = QApplication.primaryScreen()
        room = screen.availableSize() if screen is not None else _UNKNOWN_SCREEN
        if fill_small and (room.width() <= _SMALL_SCREEN.width() or room.height() <= _SMALL_SCREEN.height()):
            self.resize(room)
            self.showMaximized()
        else:
            self.resize(largest.boundedTo(QSize(round(_SHARE * room.width()), round(_SHARE * room.height()))))

    def remember_place(self) -> None:
        """Keep place and colours for the next start."""
        geometry = self.saveGeometry().toHex().data().decode("ascii")
        self.memory.put(window=geometry, theme=self._theme.value)
