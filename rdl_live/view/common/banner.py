"""A warning painted on an image: on the screen, and on every copy of what is seen."""

from typing import NamedTuple

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPen

GRAVE = QColor(255, 255, 255), QColor(190, 74, 0, 235)
DOUBT = QColor(0, 0, 0), QColor(240, 160, 32, 235)
"""Ink and ground; not the red that says that there is light on the sample."""
MARGIN = 6.0
TALLEST = 0.25
"""Share of the image that a warning may cover; where all of it takes more, only its first line stands there."""
_WRAPPED = int(Qt.AlignmentFlag.AlignLeft) | int(Qt.AlignmentFlag.AlignTop) | int(Qt.TextFlag.TextWordWrap)


class Caution(NamedTuple):
    """What stands on an image; nothing if it may be believed."""

    words: str = ""
    """What is wrong; on further lines what to do."""
    grave: bool = True
    """Not to be believed at all, rather than in doubt."""


def paint_banner(painter: QPainter, area: QRectF, caution: Caution) -> None:
    """Paint a warning at the top of an area, and a frame around it.

    Args:
        painter: its font is used, and left as it was.
        area: the whole image.
        caution: what is wrong is painted in bold.
    """
    ink, ground = GRAVE if caution.grave else DOUBT
    head, _, more = caution.words.partition("\n")
    painter.save()
    plain, bold = QFont(painter.font()), QFont(painter.font())
    bold.setBold(True)
    inner = area.adjusted(2 * MARGIN, MARGIN, -2 * MARGIN, 0)
    upper = _room(painter, bold, inner, head)
    lower = _room(painter, plain, QRectF(inner.left(), upper.bottom() + 2, inner.width(), inner.height()), more)
    shows_more = bool(more) and lower.bottom() + MARGIN - area.top() <= TALLEST * area.height()
    bottom = (lower if shows_more else upper).bottom() + MARGIN
    painter.fillRect(QRectF(area.left(), area.top(), area.width(), bottom - area.top()), ground)
    painter.setPen(ink)
    painter.setFont(bold)
    painter.drawText(upper, _WRAPPED, head)
    if shows_more:
        painter.setFont(plain)
        painter.drawText(lower, _WRAPPED, more)
    painter.setPen(QPen(ground, 4))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(area.adjusted(2, 2, -2, -2))
    painter.restore()


def _room(painter: QPainter, font: QFont, box: QRectF, text: str) -> QRectF:
    """Return the room that wrapped text takes from the top of a box."""
    painter.setFont(font)
    room = painter.boundingRect(box, _WRAPPED, text)
    return QRectF(box.left(), box.top(), box.width(), room.height())
