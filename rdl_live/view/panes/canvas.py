"""The surface that paints a picture: image, scale bar, cursor, region. Paints by QPainter alone, without OpenGL.

Decision (2026-11): not pyqtgraph's ImageItem. It maps the whole picture for each refresh, in float, and a linked
split view needs two of them clipped; here only what is seen is mapped, once a refresh, and the linked coordinates
are those of the sample.
"""

from dataclasses import dataclass, field
from typing import cast

from qtpy.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QWheelEvent,
)
from qtpy.QtWidgets import QSizePolicy, QWidget

from rdl_live.view.common.banner import Caution, paint_banner
from rdl_live.view.panes.contrast import Contrast
from rdl_live.view.panes.picture import Picture
from rdl_live.view.panes.scale_bar import scale_bar
from rdl_live.view.panes.shade import Shaded, shade
from rdl_live.view.panes.viewport import Mapping, Viewport

BACKGROUND = QColor(16, 16, 18)
INK, SHADOW = QColor(255, 255, 255), QColor(0, 0, 0, 150)
CROSS = QColor(255, 210, 60)
CLICK_PX = 5
"""A press that moves less is a click."""
GRAB_PX = 6
"""How near to the splitting line the mouse must be to move it."""


@dataclass
class Layer:
    """One picture with its contrast; a canvas shows one, or two with a line between."""

    picture: Picture | None = None
    contrast: Contrast = field(default_factory=Contrast)
    doubt: bool = False
    worth: bool = False
    title: str = ""
    caution: Caution = field(default_factory=Caution)
    """Why the picture is not to be believed, if it is not."""
    _key: object = None
    _image: tuple[QImage, Shaded] | None = None

    def image(self, mapping: Mapping, size: tuple[float, float]) -> tuple[QImage, Shaded] | None:
        """Return what is to be painted; computed anew only where something has changed."""
        key = (self.picture, self.contrast, self.doubt, self.worth, mapping, size)
        if key != self._key:
            room = None if self._image is None else self._image[1].colours
            self._key, self._image, shaded = key, None, None
            if self.picture is not None:
                shaded = shade(
                    self.picture, self.contrast, mapping, size, doubt=self.doubt, worth=self.worth, room=room
                )
            if shaded is not None:
                rows, columns = shaded.colours.shape
                # The image borrows the array's memory; both are kept together.
                image = QImage(cast(bytes, shaded.colours.data), columns, rows, 4 * columns, QImage.Format.Format_RGB32)
                self._image = image, shaded
        return self._image


class ImageCanvas(QWidget):
    """Paints one layer, or two split by a line that is dragged; the mouse zooms, pans and drags a region."""

    region_dragged = Signal(float, float, float, float)
    """Left, top, width, height of a region that was dragged [um]."""
    double_clicked = Signal()
    place_clicked = Signal(float, float)
    """x, y of a place that was clicked while `moves` [um]."""
    dragged = Signal(float, float)
    """Way to the right and down of a drag while `moves` [um]."""

    def __init__(self, viewport: Viewport, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewport = viewport
        self.layer, self.other = Layer(), Layer()
        self.split: float | None = None
        """Where the line is, 0 (left) to 1 (right); None: the first layer alone."""
        self.choosing_region = False
        """Whether the next drag chooses a region."""
        self.moves = False
        """Whether clicks and drags move the sample, and not the picture on the screen."""
        self._began: QPoint | None = None
        """Where a click or drag that moves the sample began,"""
        self._here: QPoint | None = None
        """and where it is."""
        self.busy_text = ""
        """Shown in the middle where there is no picture."""
        self._pressed: QPoint | None = None
        self._dragging_split = False
        self._corner_um: tuple[float, float] | None = None
        self._far_um: tuple[float, float] | None = None
        self.setMouseTracking(True)
        self.setMinimumSize(80, 60)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setCursor(Qt.CursorShape.CrossCursor)
        viewport.changed.connect(self._repaint)
        viewport.pointed.connect(self._repaint)

    def show_layers(self, first: Layer, second: Layer | None = None) -> None:
        """Paint these from now on."""
        self.layer, self.other = first, second or Layer()
        self.update()

    @property
    def mapping(self) -> Mapping:
        """From the sample to the widget [logical pixels]."""
        return self.viewport.mapping(self.width(), self.height())

    # Painting -------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint; called by Qt."""
        del event
        painter = QPainter(self)
        self.paint_to(painter, cursor=True)
        painter.end()

    def paint_to(self, painter: QPainter, *, cursor: bool = False) -> None:
        """Paint all of it, with or without the cursor's cross."""
        self._paint_ground(painter)
        if self.layer.picture is None and self.other.picture is None:
            if self.busy_text:
                painter.setPen(QColor(170, 170, 175))
                box = QRectF(self.rect()).adjusted(12, 12, -12, -12)
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.busy_text)
            return
        if self.split is None:
            self._paint_layer(painter, self.layer)
        else:
            self._paint_split(painter, self.split)
        self._paint_scale_bar(painter)
        caution = self.layer.caution if self.layer.caution.words else self.other.caution
        if caution.words:
            paint_banner(painter, QRectF(self.rect()), caution)
        self._paint_region(painter)
        if cursor:
            self._paint_cross(painter)
            self._paint_move(painter)

    def _paint_ground(self, painter: QPainter) -> None:
        """Paint what no picture covers."""
        made = self._made(self.layer) if self.split is None else None
        if made is None:
            painter.fillRect(self.rect(), BACKGROUND)
            return
        width, height = self.width(), self.height()
        covered = self._target(*made).toRect().adjusted(1, 1, -1, -1)
        left, top = max(covered.left(), 0), max(covered.top(), 0)
        right, bottom = min(covered.right(), width), min(covered.bottom(), height)
        for bare in (
            QRect(0, 0, width, top),
            QRect(0, bottom, width, height - bottom),
            QRect(0, top, left, bottom - top),
            QRect(right, top, width - right, bottom - top),
        ):
            painter.fillRect(bare, BACKGROUND)

    def _paint_layer(self, painter: QPainter, layer: Layer) -> None:
        made = self._made(layer)
        if made is not None:
            painter.drawImage(self._target(*made), made[0], QRectF(made[0].rect()))

    def _made(self, layer: Layer) -> tuple[QImage, Shaded] | None:
        """Return a layer's image; it is computed once."""
        ratio = self.devicePixelRatioF()
        size = (self.width() * ratio, self.height() * ratio)
        return layer.image(self.viewport.mapping(*size), size)

    def _target(self, image: QImage, shaded: Shaded) -> QRectF:
        """Return where an image lies in the widget [logical pixels]."""
        mapping = self.mapping
        left, top = mapping.to_screen(shaded.left_um, shaded.top_um)
        side = shaded.pixel_um * mapping.scale
        return QRectF(left, top, image.width() * side, image.height() * side)

    def _paint_split(self, painter: QPainter, split: float) -> None:
        line = round(split * self.width())
        for layer, box in (
            (self.layer, QRectF(0, 0, line, self.height())),
            (self.other, QRectF(line, 0, self.width() - line, self.height())),
        ):
            painter.save()
            painter.setClipRect(box)
            self._paint_layer(painter, layer)
            painter.restore()
        painter.setPen(QPen(CROSS, 2))
        painter.drawLine(line, 0, line, self.height())
        middle = self.height() / 2
        painter.setBrush(CROSS)
        painter.setPen(Qt.PenStyle.NoPen)
        for sign in (-1, 1):
            tip = line + sign * 11
            base = line + sign * 4
            painter.drawPolygon(QPolygonF([QPointF(tip, middle), QPointF(base, middle - 6), QPointF(base, middle + 6)]))
        self._paint_label(painter, self.layer.title, line - 8, right=True)
        self._paint_label(painter, self.other.title, line + 8, right=False)

    def _paint_label(self, painter: QPainter, text: str, x: float, *, right: bool) -> None:
        width = painter.fontMetrics().horizontalAdvance(text) + 10
        height = painter.fontMetrics().height() + 4
        box = QRectF(x - width if right else x, 6, width, height)
        painter.fillRect(box, SHADOW)
        painter.setPen(INK)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_scale_bar(self, painter: QPainter) -> None:
        scale = self.mapping.scale
        seen_um = min(self.width(), self.viewport.field_um[1] * scale) / scale
        if seen_um <= 0:
            return
        bar = scale_bar(seen_um)
        length, metrics = bar.length_um * scale, painter.fontMetrics()
        width = max(length, metrics.horizontalAdvance(bar.text)) + 12
        box = QRectF(self.width() - width - 8, self.height() - metrics.height() - 18, width, metrics.height() + 12)
        painter.fillRect(box, SHADOW)
        painter.setPen(INK)
        painter.drawText(box.adjusted(0, 1, 0, -7), Qt.AlignmentFlag.AlignCenter, bar.text)
        painter.fillRect(QRectF(box.center().x() - length / 2, box.bottom() - 6, length, 3), INK)

    def _paint_region(self, painter: QPainter) -> None:
        if self._corner_um is None or self._far_um is None:
            return
        near = QPointF(*self.mapping.to_screen(*self._corner_um))
        far = QPointF(*self.mapping.to_screen(*self._far_um))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(CROSS, 1, Qt.PenStyle.DashLine))
        painter.drawRect(QRectF(near, far).normalized())

    def _paint_cross(self, painter: QPainter) -> None:
        cursor = self.viewport.cursor_um
        if cursor is None or self.underMouse():
            return
        x, y = self.mapping.to_screen(*cursor)
        painter.setPen(QPen(CROSS, 1))
        painter.drawLine(QPointF(x - 9, y), QPointF(x + 9, y))
        painter.drawLine(QPointF(x, y - 9), QPointF(x, y + 9))

    def _paint_move(self, painter: QPainter) -> None:
        """Show that a click moves the stage, and the way of a drag."""
        if not self.moves:
            return
        painter.setPen(QPen(CROSS, 1, Qt.PenStyle.DashLine))
        painter.drawRect(QRectF(self.rect()).adjusted(1, 1, -2, -2))
        metrics, text = painter.fontMetrics(), "Click: centre here. Drag: move"
        box = QRectF(
            6, self.height() - metrics.height() - 10, metrics.horizontalAdvance(text) + 10, metrics.height() + 4
        )
        if box.right() < self.width():
            painter.fillRect(box, SHADOW)
            painter.setPen(CROSS)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        if self._began is not None and self._here is not None:
            painter.setPen(QPen(CROSS, 2))
            painter.drawLine(self._began, self._here)
            painter.drawEllipse(self._here, 4, 4)

    # The mouse ------------------------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        """Zoom at the cursor."""
        if event is None:
            return
        position = event.position()
        self.viewport.zoom_at(*self.mapping.to_sample(position.x(), position.y()), 1.0015 ** event.angleDelta().y())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Begin to pan, to move the line, or to drag a region."""
        if event is None or event.button() not in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            return
        if self.moves and event.button() == Qt.MouseButton.LeftButton and not self._near_split(event.pos()):
            self._began = self._here = event.pos()
            return
        self._pressed = event.pos()
        self._dragging_split = self._near_split(event.pos())
        if self.choosing_region:
            self._corner_um = self._far_um = self._within(event.pos())

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Tell what is under the cursor, and go on with a drag."""
        if event is None:
            return
        here = event.pos()
        if self._began is not None:
            self._here = here
            self.update()
        elif self._pressed is None:
            self._cursor_shape(here)
        elif self._dragging_split:
            self.split = min(max(here.x() / max(self.width(), 1), 0.02), 0.98)
            self.update()
        elif self._corner_um is not None:
            self._far_um = self._within(here)
            self.update()
        else:
            scale = self.mapping.scale
            self.viewport.pan((self._pressed.x() - here.x()) / scale, (self._pressed.y() - here.y()) / scale)
            self._pressed = here
        self.viewport.point(self.mapping.to_sample(here.x() + 0.5, here.y() + 0.5))

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """End a drag."""
        if self._began is not None and event is not None:
            self._end_move(self._began, event.pos())
            return
        self._pressed, self._dragging_split = None, False
        corner, far, self._corner_um, self._far_um = self._corner_um, self._far_um, None, None
        if corner is None or far is None:
            return
        self.choosing_region = False
        self.update()
        width, height = abs(far[0] - corner[0]), abs(far[1] - corner[1])
        if min(width, height) > 0:
            self.region_dragged.emit(min(corner[0], far[0]), min(corner[1], far[1]), width, height)

    def _end_move(self, began: QPoint, here: QPoint) -> None:
        """Tell what a click or drag asks for; where the picture ends, so does the sample."""
        self._began = self._here = None
        self.update()
        way = here - began
        if way.manhattanLength() >= CLICK_PX:
            self.dragged.emit(way.x() / self.mapping.scale, way.y() / self.mapping.scale)
        elif self.viewport.field_um[0] > 0:
            self.place_clicked.emit(*self._within(here))

    def cancel_move(self) -> None:
        """Move nothing after all."""
        self._began = self._here = None
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Tell it: the pane is to be maximised."""
        if not self.moves and event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.double_clicked.emit()

    def leaveEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """The cursor is elsewhere."""
        del event
        self.viewport.point(None)

    def cancel_region(self) -> None:
        """Choose no region after all."""
        self.choosing_region, self._corner_um, self._far_um = False, None, None
        self.update()

    def _near_split(self, here: QPoint) -> bool:
        return self.split is not None and abs(here.x() - self.split * self.width()) <= GRAB_PX

    def _cursor_shape(self, here: QPoint) -> None:
        near = self._near_split(here)
        self.setCursor(Qt.CursorShape.SplitHCursor if near else Qt.CursorShape.CrossCursor)

    def _within(self, here: QPoint) -> tuple[float, float]:
        x, y = self.mapping.to_sample(here.x(), here.y())
        rows_um, columns_um = self.viewport.field_um
        return min(max(x, 0.0), columns_um), min(max(y, 0.0), rows_um)

    def _repaint(self) -> None:
        self.update()
