"""What the plan will take, at the foot of the editor: verdicts in colour and words, and the start."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QGridLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from rdl_live.view.patterns.verdict_label import verdict_label
from rdl_live.view.patterns.verdicts import Verdict
from rdl_live.view.plan.model import PlanModel
from rdl_live.view.plan.outlook import Line


class PlanSummary(QFrame):
    """Shows the outlook of the draft, or its mistakes."""

    def __init__(self, model: PlanModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._shown: list[Line] | None = None
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._grid = QGridLayout()
        self._grid.setColumnStretch(2, 1)
        self._grid.setVerticalSpacing(2)
        self.run = QPushButton("Run this plan")
        self.run.setObjectName("plan-run")
        self.run.setMinimumHeight(round(2.2 * self.fontMetrics().height()))
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 6)
        column.addLayout(self._grid)
        column.addWidget(self.run)

    def refresh(self, busy: str) -> None:
        """Show the draft.

        Args:
            busy: why nothing can be started now; "" if something can.
        """
        lines = self.lines
        if lines != self._shown:
            self._shown = lines
            self._fill(lines)
        self.run.setEnabled(self._model.ready and not busy)
        why = busy or "; ".join(self._model.obstacles)
        self.run.setText(
            f"Run this plan ({busy})" if busy else "Run this plan" if self._model.ready else "Cannot run yet"
        )
        self.run.setToolTip(why or "Record this plan; the light goes off at its end, and the stop button ends it early")

    @property
    def lines(self) -> list[Line]:
        """What is to be shown."""
        outlook = self._model.outlook
        lines = [Line(Verdict.BAD, "Mend", text) for text in self._model.problems]
        if outlook is not None:
            told = [line.text for line in outlook.lines]
            lines += outlook.lines
            # What a line shows in red already needs no sentence besides.
            red = any(line.state is Verdict.BAD for line in outlook.lines)
            lines += [Line(Verdict.BAD, "Limit", text) for text in outlook.obstacles if not red and text not in told]
        return lines

    def _fill(self, lines: list[Line]) -> None:
        while self._grid.count():
            item = self._grid.takeAt(0)
            if item is not None and (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for row, line in enumerate(lines):
            self._grid.addWidget(verdict_label(line.state), row, 0, Qt.AlignmentFlag.AlignTop)
            title, text = QLabel(f"<b>{line.title}</b>"), QLabel(line.text)
            text.setWordWrap(True)
            text.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
            text.setTextFormat(Qt.TextFormat.PlainText)
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            # Words wrap at whatever width the dock has; the label must not ask for more.
            text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
            self._grid.addWidget(title, row, 1, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(text, row, 2)
