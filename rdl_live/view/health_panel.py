"""The patterns' health on the screen: a lamp, the numbers, and what to do, for each orientation."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from rdl_live.view.pattern_health import Health, pattern_health, summary
from rdl_live.view.verdict_label import show_verdict, verdict_label
from rdl_live.view.verdicts import Verdict
from rdl_live.view.wrapped import wrapped

if TYPE_CHECKING:  # loads torch
    from rdl_live.optics.pattern import PatternSet


class HealthPanel(QWidget):
    """Shows a verdict for each orientation."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("health")
        self.health: list[Health] = []
        self._rows: list[tuple[QLabel, QLabel]] = []
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
        while len(self._rows) < len(self.health):
            self._rows.append(self._new_row(len(self._rows)))
        # Rows stay and are told anew: to make them each time would let the panel flicker.
        for row, one in zip_longest(self._rows, self.health):
            for widget in row:
                widget.setVisible(one is not None)
            if one is not None:
                show_verdict(row[0], one.state)
                row[1].setText(_in_words(one))

    def _new_row(self, number: int) -> tuple[QLabel, QLabel]:
        lamp, text = verdict_label(Verdict.UNKNOWN), wrapped()
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._grid.addWidget(lamp, number, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(text, number, 1)
        return lamp, text


def _in_words(health: Health) -> str:
    """Return title, numbers in small, and advice, for a narrow panel."""
    title, _, numbers = health.title.partition(": ")
    small = f"<br><small>{numbers}</small>" if numbers else ""
    advice = f"<br>{health.advice}" if health.advice else ""
    return f"{title}{small}{advice}"
