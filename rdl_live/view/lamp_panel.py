"""The pattern lamps on the screen: a shape and a colour for each orientation, and words beside it."""

from collections.abc import Sequence

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPolygonF
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from rdl_live.view.pattern_health import Health, summary
from rdl_live.view.verdicts import Verdict


class LampPanel(QWidget):
    """Lamps of all orientations, and one sentence for all on top."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("lamps")
        self.shown: list[Health] = []
        """What is shown."""
        self.headline = QLabel("")
        self.headline.setWordWrap(True)
        self._rows = QGridLayout()
        self._rows.setColumnStretch(1, 1)
        self._rows.setVerticalSpacing(4)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.headline)
        column.addLayout(self._rows)

    def show_health(self, health: Sequence[Health]) -> None:
        """Show these; nothing is done where they are shown already."""
        if list(health) == self.shown:
            return
        self.shown = list(health)
        self.headline.setText(summary(self.shown).capitalize())
        while self._rows.count():
            item = self._rows.takeAt(0)
            if item is not None and (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for row, one in enumerate(self.shown):
            title, _, numbers = one.title.partition(": ")
            small = f"<br><small>{numbers}</small>" if numbers else ""
            advice = f"<br><b>{one.advice}</b>" if one.advice else ""
            label = QLabel(f"{title}{small}{advice}")
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
            self._rows.addWidget(LampShape(one.state), row, 0, Qt.AlignmentFlag.AlignTop)
            self._rows.addWidget(label, row, 1)


class LampShape(QWidget):
    """A dot (good), triangle (to be checked) or cross (bad): told apart without seeing colours."""

    def __init__(self, state: Verdict, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = state
        self.setToolTip(state.value)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802
        """As large as a line of text."""
        side = self.fontMetrics().height() + 2
        return QSize(side, side)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint; called by Qt."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self.state.colour))
        box = QRectF(self.rect()).adjusted(2, 2, -2, -2)
        if self.state is Verdict.CHECK:
            top = QPointF(box.center().x(), box.top())
            painter.drawPolygon(QPolygonF([top, box.bottomRight(), box.bottomLeft()]))
        elif self.state is Verdict.BAD:
            painter.translate(box.center())
            painter.rotate(45)
            reach, half = box.width() * 0.62, box.width() * 0.14
            painter.drawRect(QRectF(-reach, -half, 2 * reach, 2 * half))
            painter.drawRect(QRectF(-half, -reach, 2 * half, 2 * reach))
        else:
            painter.drawEllipse(box)
        painter.end()
