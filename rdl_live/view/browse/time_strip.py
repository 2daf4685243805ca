"""The strip below the time slider: what is wrong with which series, at a glance and by a click."""

import numpy as np
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from rdl_live.view.browse.marks import Marks
from rdl_live.view.patterns.verdicts import Verdict

GOOD, STORED = QColor(120, 125, 130), QColor("#56b4e9")


class TimeStrip(QWidget):
    """One column for each series: grey is complete, amber to be checked, red lacks frames; blue below: SR recorded."""

    chosen = Signal(int)
    """A time point that was clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("time-strip")
        self.marks: Marks | None = None
        self._time = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)

    def show_marks(self, marks: Marks) -> None:
        """Show the series of another image."""
        self.marks = marks
        self.update()

    def show_time(self, time: int) -> None:
        """Show which series is looked at."""
        self._time = time
        self.update()

    def time_at(self, x: float) -> int:
        """Return the time point at a place of the strip."""
        count = len(self.marks) if self.marks is not None else 1
        return min(max(int(x / max(self.width(), 1) * count), 0), count - 1)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Half a line of text high."""
        return QSize(200, round(0.95 * self.fontMetrics().height()))

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint; called by Qt."""
        del event
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().base())
        if self.marks is not None and len(self.marks):
            self._paint(painter, self.marks)
        painter.end()

    def _paint(self, painter: QPainter, marks: Marks) -> None:
        count, width, height = len(marks), self.width(), self.height()
        # At most one column a pixel; of several series in it the worst is shown.
        columns = min(count, width)
        edges = np.linspace(0, count, columns + 1).astype(int)
        missing = np.add.reduceat(marks.counts[:, 0], edges[:-1]) > 0
        odd = np.add.reduceat(marks.counts[:, 1:].sum(axis=1), edges[:-1]) > 0
        stored = np.logical_or.reduceat(marks.stored, edges[:-1])
        step, foot = width / columns, 0.28 * height
        gap = 1.0 if step > 5 else 0.0
        for column in range(columns):
            colour = (
                QColor(Verdict.BAD.colour) if missing[column] else QColor(Verdict.CHECK.colour) if odd[column] else GOOD
            )
            painter.fillRect(QRectF(column * step, 0, step - gap, height - foot - 1), colour)
            if stored[column]:
                painter.fillRect(QRectF(column * step, height - foot, step - gap, foot), STORED)
        x = (self._time + 0.5) / count * width
        painter.setPen(QPen(self.palette().text().color(), 2))
        painter.drawLine(QPointF(x, 0), QPointF(x, height))

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Go there."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(self.time_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Go on with a drag."""
        if event is not None and event.buttons() & Qt.MouseButton.LeftButton:
            self.chosen.emit(self.time_at(event.position().x()))

    def event(self, event: QEvent | None) -> bool:
        """Tell what is wrong with the series under the cursor."""
        if isinstance(event, QHelpEvent) and self.marks is not None and len(self.marks):
            time = self.time_at(event.pos().x())
            stored = "image recorded" if self.marks.stored[time] else "no image recorded"
            text = f"Time point {time + 1}: {self.marks.words(time)}; {stored}"
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)
