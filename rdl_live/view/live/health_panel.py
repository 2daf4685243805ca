"""The patterns' health on the screen: a lamp, the numbers, and what to do, for each orientation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from rdl_live.view.common.wrapped import wrapped
from rdl_live.view.live.session import Snapshot
from rdl_live.view.patterns.health import Health, common_advice, pattern_health, summary
from rdl_live.view.patterns.verdict_label import show_verdict, verdict_label
from rdl_live.view.patterns.verdicts import Verdict

if TYPE_CHECKING:  # loads torch
    from rdl_live.optics.pattern import PatternSet


class HealthPanel(QWidget):
    """Shows a verdict for each orientation."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("health")
        self.health: list[Health] = []
        self._shown: object = None
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
        self.show_patterns(None, running=False)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Judge and show the patterns of the moment, where they are others than before."""
        shown = (snapshot.patterns, snapshot.activity.busy)
        if shown != self._shown:
            self._shown = shown
            self.show_patterns(snapshot.patterns, snapshot.nominal, running=snapshot.activity.busy)

    def show_patterns(
        self, patterns: "PatternSet | None", nominal: "PatternSet | None" = None, *, running: bool = True
    ) -> None:
        """Judge and show patterns.

        Args:
            patterns: as estimated; None while there are none.
            nominal: the patterns that were planned, if that is known.
            running: whether frames come that patterns could be found in.
        """
        self.show_health(pattern_health(patterns, nominal, running=running))

    def show_health(self, health: Sequence[Health]) -> None:
        """Show verdicts; nothing is done where they are shown already."""
        if list(health) == self.health:
            return
        self.health = list(health)
        words = summary(self.health)
        common, advice = common_advice(self.health)
        self.headline.setText(f"<b>{words[0].upper()}{words[1:]}</b>" + (f"<br>{common}" if common else ""))
        while len(self._rows) < len(self.health):
            self._rows.append(self._new_row(len(self._rows)))
        # Rows stay and get new texts: to make them each time would let the panel flicker.
        for number, (lamp, text) in enumerate(self._rows):
            needed = number < len(self.health)
            lamp.setVisible(needed)
            text.setVisible(needed)
            if needed:
                show_verdict(lamp, self.health[number].state)
                text.setText(_in_words(self.health[number].title, advice[number]))

    def _new_row(self, number: int) -> tuple[QLabel, QLabel]:
        lamp, text = verdict_label(Verdict.UNKNOWN), wrapped()
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._grid.addWidget(lamp, number, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(text, number, 1)
        return lamp, text


def _in_words(title: str, advice: str) -> str:
    """Return title, numbers in small, and advice, for a narrow panel."""
    title, _, numbers = title.partition(": ")
    small = f"<br><small>{numbers}</small>" if numbers else ""
    return f"{title}{small}<br>{advice}" if advice else f"{title}{small}"
