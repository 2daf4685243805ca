"""A verdict as a small lamp, wherever one is shown."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from rdl_live.view.patterns.verdicts import Verdict


def verdict_label(state: Verdict) -> QLabel:
    """Return a small lamp: a mark on the verdict's colour."""
    label = QLabel()
    side = round(1.25 * label.fontMetrics().height())
    label.setFixedSize(side, side)
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    show_verdict(label, state)
    return label


def show_verdict(label: QLabel, state: Verdict) -> None:
    """Let a lamp show another verdict."""
    if label.accessibleName() == state.value:
        return
    label.setText(state.mark)
    radius = label.height() // 2
    label.setStyleSheet(f"background: {state.colour}; color: white; font-weight: bold; border-radius: {radius}px;")
    label.setToolTip(state.value)
    label.setAccessibleName(state.value)
