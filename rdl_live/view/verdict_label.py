"""A verdict as a small lamp, wherever one is shown."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from rdl_live.view.verdicts import Verdict


def verdict_label(state: Verdict) -> QLabel:
    """Return a small lamp: a mark on the verdict's colour."""
    label = QLabel(state.mark)
    side = round(1.25 * label.fontMetrics().height())
    label.setFixedSize(side, side)
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setStyleSheet(f"background: {state.colour}; color: white; font-weight: bold; border-radius: {side // 2}px;")
    label.setToolTip(state.value)
    label.setAccessibleName(state.value)
    return label
