"""A number with a slider beside it; the slider is logarithmic where values span decades."""

import math

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QGridLayout, QLabel, QSlider, QWidget

from rdl_live.view.common.no_wheel import without_wheel

STEPS = 400


class NumberRow(QWidget):
    """Title, number with its unit, slider. Signals what the user chose, and not what `show_value` sets."""

    changed = Signal(float)

    def __init__(
        self,
        name: str,
        title: str,
        unit: str,
        low: float,
        high: float,
        *,
        tip: str,
        zero: bool = False,
        decimals: int = 1,
        parent: QWidget | None = None,
    ) -> None:
        """Make it.

        Args:
            name: for the program.
            title: for the user.
            unit: behind the number.
            low: smallest value, above 0.
            high: largest.
            tip: what it does, in plain words.
            zero: whether 0 is possible besides.
            decimals: places behind the point.
            parent: as usual.
        """
        super().__init__(parent)
        self._low, self._high, self._zero = low, high, zero
        label = QLabel(title)
        self.box = QDoubleSpinBox()
        self.box.setObjectName(name)
        self.box.setDecimals(decimals)
        self.box.setRange(0.0 if zero else low, high)
        self.box.setSuffix(f" {unit}")
        self.box.setKeyboardTracking(False)
        self.box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName(f"{name}-slider")
        self.slider.setRange(0, STEPS)
        self.slider.setPageStep(STEPS // 10)
        for widget in (label, self.box, self.slider):
            widget.setToolTip(tip)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(0)
        grid.addWidget(label, 0, 0)
        grid.addWidget(self.box, 0, 1)
        grid.addWidget(self.slider, 1, 0, 1, 2)
        for widget in (self.box, self.slider):
            without_wheel(widget)
        self.box.valueChanged.connect(self._typed)
        self.slider.valueChanged.connect(self._slid)

    @property
    def value(self) -> float:
        """The number."""
        return self.box.value()

    def show_value(self, value: float) -> None:
        """Show a number that somebody else chose, unless the user is typing another."""
        if self.box.hasFocus() or self.slider.isSliderDown() or abs(self.box.value() - value) < 1e-9:
            return
        self._set(value)

    def _set(self, value: float) -> None:
        self.box.blockSignals(True)
        self.box.setValue(value)
        self.box.blockSignals(False)
        self._place_slider()

    def _typed(self, value: float) -> None:
        self._place_slider()
        self.changed.emit(value)

    def _slid(self, step: int) -> None:
        if self._zero and step == 0:
            value = 0.0
        else:
            value = self._low * (self._high / self._low) ** (step / STEPS)
            digits = 1 - math.floor(math.log10(value))
            value = round(value, digits)
        self.box.blockSignals(True)
        self.box.setValue(value)
        self.box.blockSignals(False)
        self.changed.emit(self.box.value())

    def _place_slider(self) -> None:
        value = self.box.value()
        step = 0 if value <= self._low else STEPS * math.log(value / self._low) / math.log(self._high / self._low)
        self.slider.blockSignals(True)
        self.slider.setValue(round(step))
        self.slider.blockSignals(False)
