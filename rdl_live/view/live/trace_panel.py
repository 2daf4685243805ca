"""The curves on the screen: small, one below the other, each with its newest value. Painted without a plot library,
whose loading alone takes a quarter of the time until the window is there."""

import math

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from rdl_live.view.common.theme import AMBER
from rdl_live.view.common.words import span
from rdl_live.view.live.session import Snapshot
from rdl_live.view.live.traces import TRACES, Trace, TraceModel

LEAST_TOP = 1e-6
"""A curve that is nowhere higher is one of zeros, and its axis ends at 1."""


class TracePanel(QWidget):
    """All curves."""

    def __init__(self, model: TraceModel | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model = model or TraceModel()
        self.setObjectName("traces")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        self._curves = [_Curve(trace, model) for trace in TRACES]
        for curve in self._curves:
            column.addWidget(curve)
        self._axis = QLabel()
        self._axis.setObjectName("trace-axis")
        self._axis.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._axis.setToolTip("Time span of the curves above")
        column.addWidget(self._axis)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Add the readings of the moment, and paint what is new."""
        if self.model.push(snapshot):
            self.refresh()

    def refresh(self) -> None:
        """Paint the curves anew."""
        self._axis.setText(f"<small>the last {span(shown_span(self.model))}</small>")
        for curve in self._curves:
            curve.update()


class _Curve(QWidget):
    def __init__(self, trace: Trace, model: TraceModel) -> None:
        super().__init__()
        self._trace, self._model = trace, model
        self.setToolTip(trace.help)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:  # noqa: N802
        """A line of text and two lines of curve."""
        return QSize(160, round(2.9 * self.fontMetrics().height()))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """A line of text and one of curve."""
        return QSize(100, round(2.0 * self.fontMetrics().height()))

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint; called by Qt."""
        del event
        painter = QPainter(self)
        text_height = painter.fontMetrics().height()
        ink = self.palette().windowText().color()
        painter.setPen(ink)
        line = QRectF(0, 0, self.width(), text_height)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft, self._trace.title)
        newest = self._model.latest(self._trace.name)
        value = "-" if newest is None else f"{_short(newest)} {self._trace.unit}".strip()
        painter.drawText(line, Qt.AlignmentFlag.AlignRight, value)
        gutter = round(0.8 * painter.fontMetrics().horizontalAdvance("0000"))
        box = QRectF(gutter, text_height + 1, self.width() - gutter, self.height() - text_height - 2)
        painter.fillRect(box, self.palette().base())
        self._paint_curve(painter, box)
        painter.end()

    def _paint_curve(self, painter: QPainter, box: QRectF) -> None:
        times, values = self._model.curve(self._trace.name)
        step = max(1, times.size // max(int(box.width()), 1))
        times, values = times[::-1][::step][::-1], values[::-1][::step][::-1]
        known = np.isfinite(values)
        if known.sum() < 2:
            return
        top = float(values[known].max())
        low, high = 0.0, round_up(top) if top > LEAST_TOP else 1.0
        span_s = shown_span(self._model)
        x = box.right() + times / span_s * box.width()
        y = box.bottom() - 1 - (values - low) / (high - low) * (box.height() - 3)
        self._paint_axis(painter, box, high)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(AMBER), 1.4))
        # Where nothing was known the curve is broken.
        edges = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(np.int8), [0]])))
        for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            points = [QPointF(px, py) for px, py in zip(x[first:last].tolist(), y[first:last].tolist(), strict=True)]
            painter.drawPolyline(QPolygonF(points))

    def _paint_axis(self, painter: QPainter, box: QRectF, high: float) -> None:
        """Write the ends of the axis beside it: 0 below, a round number above, so that a height can be read."""
        font = painter.font()
        font.setPointSizeF(max(font.pointSizeF() * 0.72, 5.0))
        painter.save()
        painter.setFont(font)
        faint = self.palette().windowText().color()
        faint.setAlpha(130)
        painter.setPen(faint)
        gutter = QRectF(0, box.top() - 2, box.left() - 3, box.height() + 4)
        painter.drawText(gutter, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, f"{high:g}")
        painter.drawText(gutter, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, "0")
        painter.restore()


def shown_span(model: TraceModel) -> float:
    """Return the time that the curves show [s]: all there is, but at least 20 s."""
    times, _ = model.curve(TRACES[0].name)
    return max(-float(times[0]) if times.size else 0.0, 20.0)


def round_up(value: float) -> float:
    """Return the smallest round number (1, 1.5, 2, 3, 4, 5, 6, 8 x 10^n) that is not below a positive value."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * (1 - 1e-9))


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
