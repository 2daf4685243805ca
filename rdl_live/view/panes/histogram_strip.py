"""The histogram below a pane: black and white are dragged in it, double-click makes them automatic."""

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from rdl_live.view.panes.colours import colour_table
from rdl_live.view.panes.contrast import Contrast
from rdl_live.view.panes.picture import Picture

BINS = 128
GRAB_PX = 9


class HistogramStrip(QWidget):
    """Shows how often which value occurs (square root, so that rare ones are seen), and the levels over it."""

    levels_dragged = Signal(float, float, bool)
    """New black and white, and whether the drag goes on from the change before."""
    automatic_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.contrast = Contrast()
        self._counts: npt.NDArray[Any] = np.zeros(BINS)
        self._span = (0.0, 1.0)
        self._held: str | None = None
        self._moved = False
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "How often each brightness occurs. Drag the two marks to choose what is shown as black and as brightest; "
            "double-click for automatic contrast."
        )

    def sizeHint(self) -> QSize:  # noqa: N802
        """A strip two lines of text high."""
        return QSize(120, 2 * self.fontMetrics().height() + 4)

    def show_picture(self, picture: Picture, contrast: Contrast) -> None:
        """Count the values of a picture."""
        values = picture.sample()
        values = values[np.isfinite(values)]
        self.contrast = contrast
        if values.size and self._held is None:
            low, high = float(values.min()), float(np.percentile(values, 99.95))
            low, high = min(low, contrast.low), max(high, contrast.high)
            room = max(0.08 * (high - low), 1e-6)
            self._span = (low - room, high + room)
        self._counts = np.histogram(values, BINS, self._span)[0]
        self.update()

    def show_contrast(self, contrast: Contrast) -> None:
        """Move the marks."""
        self.contrast = contrast
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint; called by Qt."""
        del event
        painter = QPainter(self)
        ink = self.palette().windowText().color()
        text_height = painter.fontMetrics().height()
        base = self.height() - text_height
        painter.fillRect(QRectF(0, 0, self.width(), base), self.palette().base())
        self._paint_counts(painter, base, ink)
        self._paint_marks(painter, base, ink)
        painter.end()

    def _paint_counts(self, painter: QPainter, base: float, ink: QColor) -> None:
        top = float(np.sqrt(self._counts.max())) or 1.0
        heights = np.sqrt(self._counts) / top * (base - 2)
        step = self.width() / BINS
        outline = [QPointF(0, base)]
        for index, height in enumerate(heights.tolist()):
            outline += [QPointF(index * step, base - height), QPointF((index + 1) * step, base - height)]
        outline.append(QPointF(self.width(), base))
        fill = QColor(ink)
        fill.setAlpha(90)
        painter.setBrush(fill)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawPolygon(QPolygonF(outline))

    def _paint_marks(self, painter: QPainter, base: float, ink: QColor) -> None:
        low, high = self._x(self.contrast.low), self._x(self.contrast.high)
        table = colour_table(self.contrast.colour, self.contrast.gamma)
        for index in range(0, 256, 8):
            left = low + (high - low) * index / 256
            painter.fillRect(QRectF(left, base - 3, (high - low) / 32 + 1, 3), QColor(int(table[index])))
        painter.setPen(QPen(ink, 2))
        painter.drawLine(QPointF(low, 0), QPointF(low, base))
        painter.drawLine(QPointF(high, 0), QPointF(high, base))
        painter.setPen(ink)
        darkest, brightest = _number(self.contrast.low), _number(self.contrast.high)
        middle = "automatic" if self.contrast.automatic else ""
        box = QRectF(2, base, self.width() - 4, self.height() - base)
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft, darkest)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight, brightest)
        taken = painter.fontMetrics().horizontalAdvance(darkest + brightest + middle) + 24
        if taken < self.width():
            faint = QColor(ink)
            faint.setAlpha(140)
            painter.setPen(faint)
            painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, middle)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Take hold of the nearer mark."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        x = event.position().x()
        low, high = self._x(self.contrast.low), self._x(self.contrast.high)
        self._held = "low" if abs(x - low) < abs(x - high) or (low == high and x < low) else "high"
        self._moved = False

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Move the mark that is held."""
        if event is None or self._held is None:
            return
        value = self._value(event.position().x())
        low, high = self.contrast.low, self.contrast.high
        if self._held == "low":
            low = min(value, high)
        else:
            high = max(value, low)
        self.levels_dragged.emit(low, high, self._moved)
        self._moved = True

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Let go."""
        del event
        self._held = None

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Make the levels automatic."""
        del event
        self._held = None
        self.automatic_wanted.emit()

    def _x(self, value: float) -> float:
        first, last = self._span
        return (value - first) / (last - first) * self.width()

    def _value(self, x: float) -> float:
        first, last = self._span
        return first + x / max(self.width(), 1) * (last - first)


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
