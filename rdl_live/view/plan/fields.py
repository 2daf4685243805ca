"""Fields of the plan editor: each is bound to one place of the draft."""

from collections.abc import Callable, Mapping
from typing import Any

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QDoubleSpinBox, QSizePolicy, QSpinBox, QWidget

from rdl_live.view.common.no_wheel import without_wheel
from rdl_live.view.plan.model import FieldPath, PlanModel


class Bound:
    """A widget that shows a value of the draft and changes it."""

    def __init__(self, model: PlanModel, path: FieldPath, widget: QWidget, show: Callable[[Any], None]) -> None:
        self._model, self._path, self._widget, self._show = model, path, widget, show

    def refresh(self) -> None:
        """Show the draft."""
        blocker = QSignalBlocker(self._widget)
        self._show(self._model.get(*self._path))
        blocker.unblock()

    def change(self, value: Any) -> None:
        """Write to the draft."""
        self._model.set(self._path, value)


class _PlainBox(QDoubleSpinBox):
    """Shows 10 as 10 and not as 10.00."""

    def textFromValue(self, value: float) -> str:  # noqa: N802
        """Return the number without trailing zeros; called by Qt."""
        text, point = super().textFromValue(value), self.locale().decimalPoint()
        return text.rstrip("0").rstrip(point) if point in text else text


def number_box(low: float, high: float, unit: str, digits: int, tip: str, name: str) -> QDoubleSpinBox:
    """Return a box for a number with its unit."""
    box = _PlainBox()
    box.setDecimals(digits)
    box.setRange(low, high)
    box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
    _prepare(box, unit, tip, name)
    return box


def count_box(low: int, high: int, unit: str, tip: str, name: str) -> QSpinBox:
    """Return a box for a whole number."""
    box = QSpinBox()
    box.setRange(low, high)
    box.setGroupSeparatorShown(True)
    _prepare(box, unit, tip, name)
    return box


def bound_number(model: PlanModel, path: FieldPath, box: QDoubleSpinBox) -> Bound:
    """Bind a number; where the draft has none (no limit), the box shows its lowest value, and writes none."""
    optional = bool(box.specialValueText())
    bound = Bound(model, path, box, lambda value: box.setValue(box.minimum() if value is None else value))
    box.valueChanged.connect(lambda value: bound.change(None if optional and value == box.minimum() else value))
    return bound


def bound_count(model: PlanModel, path: FieldPath, box: QSpinBox) -> Bound:
    """Bind a whole number; where the draft has none, the box stays as it is."""
    bound = Bound(model, path, box, lambda value: None if value is None else box.setValue(value))
    box.valueChanged.connect(bound.change)
    return bound


def bound_choice(
    model: PlanModel, path: FieldPath, choices: Mapping[str | None, str] | Mapping[str, str], tip: str, name: str
) -> tuple[QComboBox, Bound]:
    """Return a box for one of several words, with what they mean."""
    box = QComboBox()
    for value, words in choices.items():
        box.addItem(words, value)
    box.setToolTip(tip)
    box.setObjectName(name)
    box.setMinimumContentsLength(8)
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    without_wheel(box)
    bound = Bound(model, path, box, lambda value: box.setCurrentIndex(max(box.findData(value), 0)))
    box.currentIndexChanged.connect(lambda _: bound.change(box.currentData()))
    return box, bound


def _prepare(box: QAbstractSpinBox, unit: str, tip: str, name: str) -> None:
    assert isinstance(box, QDoubleSpinBox | QSpinBox)
    box.setSuffix(unit)
    box.setToolTip(tip)
    box.setObjectName(name)
    box.setKeyboardTracking(False)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    box.setMinimumWidth(box.fontMetrics().averageCharWidth() * 14)
    without_wheel(box)
