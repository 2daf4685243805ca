"""The head of the live window: what is done most, how it is in words, and the large stop."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QToolButton, QWidget

from rdl_live.view.common.theme import AMBER, RED
from rdl_live.view.common.wrapped import wrapped
from rdl_live.view.live.actions import Actions
from rdl_live.view.live.session import Activity, Snapshot

_STOP = "STOP   (Esc)"
_WIDTH, _STOP_WIDTH = 13, 30
"""Of buttons [letters]."""


class Head(QWidget):
    """Buttons for actions of the window, and its state."""

    def __init__(self, commands: Actions) -> None:
        """Make buttons for some of the window's actions."""
        super().__init__()
        self._commands = commands
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self.buttons: dict[str, QPushButton] = {}
        for name in ("live", "snap", "record", "plan"):
            row.addWidget(self._button(name))
        self.menu_button = QToolButton()
        self.menu_button.setText("View and picture")
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.menu_button.setMenu(commands.menu("view", "picture", "devices", "help"))
        self.menu_button.setToolTip("Panes, pictures, devices and help")
        self.menu_button.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        row.addWidget(self.menu_button)
        self.state = wrapped()
        self.state.setObjectName("state")
        self.state.setAlignment(Qt.AlignmentFlag.AlignCenter)
        row.addWidget(self.state, 1)
        stop = self._button("stop")
        stop.setMinimumWidth(stop.fontMetrics().averageCharWidth() * _STOP_WIDTH)
        stop.setStyleSheet(
            f"QPushButton {{ background: {RED}; color: white; font-weight: bold; border-radius: 4px; padding: 6px; }}"
            "QPushButton:pressed { background: #7f0000; }"
        )
        row.addWidget(stop)

    def _button(self, name: str) -> QPushButton:
        action = self._commands[name]
        button = QPushButton(action.text())
        button.setObjectName(f"button-{name}")
        button.setToolTip(action.toolTip())
        button.setMinimumHeight(2 * button.fontMetrics().height() + 2)
        button.setMinimumWidth(button.fontMetrics().averageCharWidth() * _WIDTH)
        button.clicked.connect(action.trigger)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.buttons[name] = button
        return button

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show how it is, and offer what can be done now."""
        activity = snapshot.activity
        ready = activity not in (Activity.OPENING, Activity.BROKEN, Activity.CLOSED)
        for name in ("live", "snap", "record"):
            enabled = ready and not (name != "live" and activity is Activity.RECORDING)
            enabled = enabled and not (name == "live" and activity in (Activity.LIVE, Activity.RECORDING))
            self._commands[name].setEnabled(enabled)
            self.buttons[name].setEnabled(enabled)
        self.buttons["stop"].setText("STOPPING …" if activity is Activity.STOPPING else _STOP)
        text = snapshot.says
        if snapshot.stalled_s:
            text = f"<b style='color:{AMBER}'>no frames from the camera for {snapshot.stalled_s:.0f} s</b>"
        if text != self.state.text():
            self.state.setText(text)
