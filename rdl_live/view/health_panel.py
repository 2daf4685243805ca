"""The patterns' health on the screen: a lamp, the numbers, and what to do, for each orientation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from rdl_live.view.pattern_health import Health, pattern_health, summary
from rdl_live.view.verdict_label import verdict_label
from rdl_live.view.wrapped import wrapped

if TYPE_CHECKING:  # loads torch
    from rdl_live.optics.pattern import PatternSet


class HealthPanel(QWidget):
    """Shows a verdict for each orientation."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("health")
        self.health: list[Health] = []
        self.headline = wrapped()
        self._grid = QGridLayout()
        self._grid.setColumnStretch(1, 1)
        self._grid.setVerticalSpacing(6)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.headline)
        column.addLayout(self._grid)
        column.addStretch(1)
        self.show_patterns(None)

    def show_patterns(self, patterns: "PatternSet | None", nominal: "PatternSet | None" = None) -> None:
        """Judge and show patterns; `nominal` is what the SLM should show, if that is known."""
        self.show_health(pattern_health(patterns, nominal))

    def show_health(self, health: Sequence[Health]) -> None:
        """Show verdicts; nothing is done where they are shown already."""
        if list(health) == self.health:
            return
        self.health = list(health)
        words = summary(self.health)
        self.headline.setText(f"<b>{words[0].upper()}{words[1:]}</b>")
        while self._grid.count():
            item = self._grid.takeAt(0)
            if item is not None and (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for row, one in enumerate(self.health):
            self._grid.addWidget(verdict_label(one.state), row, 0, Qt.AlignmentFlag.AlignTop)
            text = wrapped(_in_words(one))
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._grid.addWidget(text, row, 1)


def _in_words(health: Health) -> str:
    """Return title, numbers in small, and advice, for a narrow panel."""
    title, _, numbers = health.title.partition(": ")
    small = f"<br><small>{numbers}</small>" if numbers else ""
    advice = f"<br>{health.advice}" if health.advice else ""
    return f"{title}{small}{advice}"
