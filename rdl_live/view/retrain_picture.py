"""The picture of a retraining: pieces of held-out images, as they come in, were denoised, and are denoised now."""

from pathlib import Path

from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

TITLES = ("not denoised", "old denoiser", "new denoiser")


class RetrainPicture(QWidget):
    """Shows the newest preview, as large as there is room, with a title over each column."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("retrain-picture")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setToolTip("Pieces of images that the training has not learnt from, all with one contrast each row")
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
        return QSize(80 * em, 60 * em)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw."""
        del event
        if self.image is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        head = self.fontMetrics().height() + 4
        room = QSize(self.width(), max(1, self.height() - head))
        size = self.image.size().scaled(room, Qt.AspectRatioMode.KeepAspectRatio)
        left = (self.width() - size.width()) // 2
        painter.drawImage(QRect(left, head, size.width(), size.height()), self.image)
        width = size.width() // len(TITLES)
        for number, title in enumerate(TITLES):
            box = QRect(left + number * width, 0, width, head)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, title)
