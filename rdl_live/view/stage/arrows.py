"""Buttons that move by steps: x and y around a middle, z beside them."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QPushButton, QWidget

XY_STEPS_UM, Z_STEPS_UM = (0.5, 1.0, 5.0, 10.0, 50.0, 200.0), (0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
FIELD = "a field"
"""The step that has the next field beside this one, with a little overlap."""
OVERLAP = 0.1
_ARROWS = (
    ("up", "\u25b2", 0, 1, (0, -1), "Alt+Up"),
    ("left", "\u25c0", 1, 0, (-1, 0), "Alt+Left"),
    ("right", "\u25b6", 1, 2, (1, 0), "Alt+Right"),
    ("down", "\u25bc", 2, 1, (0, 1), "Alt+Down"),
)


class Arrows(QWidget):
    """Emits ways in the image and steps of the focus."""

    xy_wanted = Signal(float, float)
    """By how much the view is to go to the right and down [um]."""
    z_wanted = Signal(float)
    """By how much the focus is to go up [um]."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field_um = (0.0, 0.0)
        """Height and width of what is seen."""
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        self.xy_buttons, self.z_buttons = [], []
        for name, text, row, column, (right, down), key in _ARROWS:
            button = self._button(name, text, f"Look further {name} by one step ({key})")
            button.clicked.connect(lambda _=False, r=right, d=down: self.step(r, d))
            grid.addWidget(button, row, column)
            self.xy_buttons.append(button)
        for name, text, row, sign, key in (
            ("z-up", "z \u25b2", 0, 1, "Alt+PgUp"),
            ("z-down", "z \u25bc", 2, -1, "Alt+PgDown"),
        ):
            button = self._button(name, text, f"Move the focus {name.removeprefix('z-')} by one step ({key})")
            button.clicked.connect(lambda _=False, s=sign: self.step_z(s))
            grid.addWidget(button, row, 4)
            self.z_buttons.append(button)
        self.xy_step = self._steps("step-xy", (*XY_STEPS_UM, FIELD), FIELD, "How far one arrow moves the stage")
        self.z_step = self._steps("step-z", Z_STEPS_UM, 0.25, "How far one arrow moves the focus")
        grid.addWidget(self.xy_step, 1, 1)
        grid.addWidget(self.z_step, 1, 4)
        grid.addWidget(QLabel(""), 0, 3)
        grid.setColumnStretch(3, 1)

    def step(self, right: int, down: int) -> None:
        """Ask for a step of the view, in units of the step that is chosen."""
        chosen = self.xy_step.currentData()
        height, width = self.field_um
        share = 1 - OVERLAP
        x, y = (share * width, share * height) if chosen == FIELD else (float(chosen), float(chosen))
        if x > 0 and y > 0:
            self.xy_wanted.emit(right * x, down * y)

    def step_z(self, up: int) -> None:
        """Ask for a step of the focus."""
        self.z_wanted.emit(up * float(self.z_step.currentData()))

    def _steps(self, name: str, steps: tuple[float | str, ...], first: float | str, tip: str) -> QComboBox:
        box = QComboBox()
        box.setObjectName(name)
        box.setToolTip(tip)
        for step in steps:
            box.addItem(step if isinstance(step, str) else f"{step:g} µm", step)
        box.setCurrentIndex(box.findData(first))
        return box

    def _button(self, name: str, text: str, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(f"stage-{name}")
        button.setToolTip(tip)
        button.setAutoRepeat(True)
        return button
