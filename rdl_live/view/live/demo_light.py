"""The light of a simulated microscope in photons a pixel, with marks: what a user of the demo turns first."""

import math

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QVBoxLayout, QWidget

from rdl_live.view.common.no_wheel import without_wheel
from rdl_live.view.live.session import Settings

MARKS = (2, 5, 20, 100)
"""Photons per pixel and frame: dim for any microscope, kind to living cells, usual, bright."""
LEAST, MOST = 1.0, 200.0
STEPS = 400


class DemoLight(QWidget):
    """A slider over photons per raw pixel and frame, with a button at each mark."""

    changed = Signal(float)
    """Photons that the user chose."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        tip = "Mean photons in each pixel of a raw frame, by the laser's power; see how far down the images hold"
        self._words = QLabel("")
        self._words.setToolTip(tip)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName("demo-light")
        self.slider.setRange(0, STEPS)
        self.slider.setToolTip(tip)
        self.slider.valueChanged.connect(lambda step: self._choose(_photons(step)))
        without_wheel(self.slider)
        marks = QHBoxLayout()
        marks.setContentsMargins(0, 0, 0, 0)
        marks.setSpacing(2)
        self.marks = {}
        for photons in MARKS:
            button = self.marks[photons] = QPushButton(str(photons))
            button.setObjectName(f"demo-light-{photons}")
            button.setToolTip(f"{photons} photons per pixel and frame")
            button.setCheckable(True)
            button.setMinimumWidth(button.fontMetrics().averageCharWidth() * 4)
            button.clicked.connect(lambda _=False, one=photons: self._choose(float(one)))
            marks.addWidget(button, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        column.addWidget(self._words)
        column.addWidget(self.slider)
        column.addLayout(marks)

    def show_photons(self, photons: float) -> None:
        """Show what is set, unless the user is dragging."""
        if self.slider.isSliderDown():
            return
        self._show(photons)

    def _show(self, photons: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(_step(photons))
        self.slider.blockSignals(False)
        self._words.setText(f"Light: {photons:.3g} photons per pixel")
        for mark, button in self.marks.items():
            button.setChecked(abs(photons / mark - 1) < 0.01)

    def _choose(self, photons: float) -> None:
        self._show(photons)
        self.changed.emit(photons)


def photons_of(settings: Settings, photons_per_ms: float) -> float:
    """Return mean photons per raw pixel and frame for the light that is set; `photons_per_ms` at full power."""
    return settings.power_percent / 100 * settings.exposure_ms * photons_per_ms


def light_for(photons: float, settings: Settings, photons_per_ms: float) -> dict[str, float]:
    """Return the settings of power and, where full power is too little or the least too much, exposure."""
    power = 100 * photons / (settings.exposure_ms * photons_per_ms)
    within = min(max(power, 0.1), 100.0)
    if within == power:
        return {"power_percent": power}
    return {"power_percent": within, "exposure_ms": settings.exposure_ms * power / within}


def _photons(step: int) -> float:
    value = LEAST * math.pow(MOST / LEAST, step / STEPS)
    return float(round(value, 1 - math.floor(math.log10(value))))


def _step(photons: float) -> int:
    return round(STEPS * math.log(min(max(photons, LEAST), MOST) / LEAST) / math.log(MOST / LEAST))
