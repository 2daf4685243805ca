"""A map of the stage: what was imaged, where it is now, what was marked. A click drives there."""

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from rdl_live.view.panes.scale_bar import scale_bar
from rdl_live.view.stage.marks import Marks, Turn
from rdl_live.view.stage.tiles import Tile

GROUND, INK = QColor(16, 16, 18), QColor(235, 235, 235)
HERE, MARK = QColor(255, 210, 60), QColor(90, 200, 250)
CLICK_PX = 4
"""A press that moves less is a click."""


class StageMap(QWidget):
    """Paints tiles, marks and the field that is seen now; drag to pan, wheel to zoom, click to go."""

    place_wanted = Signal(float, float)
    """Stage x and y [um] that were clicked."""

    def __init__(self, marks: Marks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("stage-map")
        self.setToolTip(
            "Where the stage has been, with the images taken there. Click: go there. Drag: shift the map. Wheel: zoom."
        )
        self.setMinimumSize(160, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._marks, self.turn = marks, Turn()
        self.here: tuple[float, float] | None = None
        self.field_um = (0.0, 0.0)
        """Height and width of what is seen now."""
        self.tiles: list[Tile] = []
        self._pixmaps: dict[Tile, QImage] = {}
        self._scale = 0.0
        """Screen pixels per um; 0: not chosen yet."""
        self._centre = (0.0, 0.0)
        """What is in the middle, in the image's directions [um]."""
        self._follows = True
        self._pressed: QPointF | None = None
        self._dragged = False

    def show_tiles(self, tiles: list[Tile]) -> None:
        """Paint these from now on."""
        self.tiles = tiles
        self._pixmaps = {tile: self._pixmaps[tile] for tile in tiles if tile in self._pixmaps}
        self.update()

    def show_place(self, here: tuple[float, float] | None, field_um: tuple[float, float]) -> None:
        """Say where the stage is, and how large the field is (height, width)."""
        if (here, field_um) == (self.here, self.field_um):
            return
        self.here, self.field_um = here, field_um
        if here is not None and self._follows and self._pressed is None:
            self._centre = self.turn.to_image(*here)
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Room for a few fields."""
        return QSize(320, 220)

    @property
    def scale(self) -> float:
        """Screen pixels per um: five fields across until the user chooses."""
        side = max(self.field_um) or 20.0
        return self._scale or min(self.width(), self.height()) / (5 * side)

    def to_screen(self, x_um: float, y_um: float) -> QPointF:
        """Return a place of the stage on the widget [logical pixels]."""
        right, down = self.turn.to_image(x_um, y_um)
        return QPointF(
            self.width() / 2 + (right - self._centre[0]) * self.scale,
            self.height() / 2 + (down - self._centre[1]) * self.scale,
        )

    def to_stage(self, at: QPointF) -> tuple[float, float]:
        """Return the place of the stage at a point of the widget [um]."""
        right = self._centre[0] + (at.x() - self.width() / 2) / self.scale
        down = self._centre[1] + (at.y() - self.height() / 2) / self.scale
        return self.turn.to_stage(right, down)

    # Painting -------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint; called by Qt."""
        del event
        painter = QPainter(self)
        painter.fillRect(self.rect(), GROUND)
        for tile in self.tiles:
            painter.drawImage(self._box(tile.x_um, tile.y_um, tile.height_um, tile.width_um), self._image(tile))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for mark in self._marks:
            self._paint_mark(painter, mark.name, self.to_screen(mark.x_um, mark.y_um))
        if self.here is None:
            painter.setPen(INK)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "the stage does not answer")
        else:
            painter.setPen(QPen(HERE, 2))
            painter.drawRect(self._box(*self.here, *self.field_um))
        self._paint_scale_bar(painter)
        painter.end()

    def _paint_mark(self, painter: QPainter, name: str, at: QPointF) -> None:
        painter.setPen(QPen(MARK, 2))
        painter.drawLine(at + QPointF(-5, 0), at + QPointF(5, 0))
        painter.drawLine(at + QPointF(0, -5), at + QPointF(0, 5))
        painter.drawText(at + QPointF(7, -4), name)

    def _paint_scale_bar(self, painter: QPainter) -> None:
        bar = scale_bar(self.width() / self.scale)
        length, bottom = bar.length_um * self.scale, self.height() - 8
        painter.fillRect(QRectF(self.width() - 8 - length, bottom - 3, length, 3), INK)
        painter.setPen(INK)
        box = QRectF(self.width() - 128, bottom - 22, 120, 18)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, bar.text)

    def _box(self, x_um: float, y_um: float, height_um: float, width_um: float) -> QRectF:
        middle, scale = self.to_screen(x_um, y_um), self.scale
        return QRectF(
            middle.x() - width_um * scale / 2, middle.y() - height_um * scale / 2, width_um * scale, height_um * scale
        )

    def _image(self, tile: Tile) -> QImage:
        if tile not in self._pixmaps:
            rows, columns = tile.grey.shape
            image = QImage(tile.grey.tobytes(), columns, rows, columns, QImage.Format.Format_Grayscale8)
            self._pixmaps[tile] = image.copy()
        return self._pixmaps[tile]

    # The mouse ------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Begin a click or a drag."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._pressed, self._dragged = event.position(), False

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Shift the map."""
        if event is None or self._pressed is None:
            return
        way = event.position() - self._pressed
        if not self._dragged and abs(way.x()) + abs(way.y()) < CLICK_PX:
            return
        self._dragged, self._follows, self._pressed = True, False, event.position()
        self._centre = (self._centre[0] - way.x() / self.scale, self._centre[1] - way.y() / self.scale)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """A click drives there."""
        clicked = self._pressed is not None and not self._dragged
        self._pressed = None
        if clicked and event is not None:
            self.place_wanted.emit(*self.to_stage(event.position()))

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        """Zoom."""
        if event is not None:
            self._scale = min(max(self.scale * 1.0015 ** event.angleDelta().y(), 1e-3), 1e3)
            self.update()
            event.accept()

    def show_all(self) -> None:
        """Follow the stage again, at the first zoom."""
        self._follows, self._scale = True, 0.0
        if self.here is not None:
            self._centre = self.turn.to_image(*self.here)
        self.update()
