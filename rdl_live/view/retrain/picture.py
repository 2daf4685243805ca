"""The picture of a retraining: pieces of held-out images, as they come in, were denoised, and are denoised now."""

from pathlib import Path

from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

ROWS = 3
"""Pieces in the file."""
TITLES = ("not denoised", "old denoiser", "new denoiser")


class RetrainPicture(QWidget):
    """Shows the newest preview, as large as there is room, with a title over each column."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("retrain-picture")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setToolTip("Patches that were not used for training; all images of a row have the same contrast")
        self.image: QImage | None = None
        self._file: tuple[Path, int] | None = None

    def show_file(self, path: Path | None) -> None:
        """Show a file as it is now; nothing for None, and the last one where it cannot be read."""
        if path is None:
            self.image = self._file = None
            self.update()
            return
        try:
            state = (path, path.stat().st_mtime_ns)
        except OSError:  # it is gone where the training did not help
            return
        if state == self._file:
            return
        image = QImage(str(path))
        if not image.isNull():
            self.image, self._file = image, state
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Three columns of pieces."""
        em = self.fontMetrics().averageCharWidth()
        return QSize(80 * em, 32 * em)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """One row."""
        em = self.fontMetrics().averageCharWidth()
        return QSize(45 * em, 18 * em)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw."""
        del event
        if self.image is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        head = self.fontMetrics().height() + 4
        height = self.height() - head
        # A piece is square. As many rows of them as there is room for, as wide as there is room for.
        rows = min(ROWS, max(1, height * len(TITLES) // max(1, self.width())))
        side = min(self.width() // len(TITLES), height // rows)
        shown = QRect(0, 0, self.image.width(), self.image.height() * rows // ROWS)
        left = (self.width() - len(TITLES) * side) // 2
        painter.drawImage(QRect(left, head, len(TITLES) * side, rows * side), self.image, shown)
        for number, title in enumerate(TITLES):
            box = QRect(left + number * side, 0, side, head)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, title)
