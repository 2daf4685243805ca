"""Notifications: what went wrong, in the user's words, with details to copy; never a window in the way."""

from collections import deque

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtGui import QColor, QMoveEvent, QPalette, QResizeEvent, QShowEvent
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from rdl_live.view.common.theme import AMBER, GREEN, RED
from rdl_live.view.common.words import brief
from rdl_live.view.common.wrapped import wrapped
from rdl_live.view.live.session import Notice, Severity

KEPT = 200
INFO_MS = 6000
"""A notice that asks for nothing goes by itself."""
LONGEST = 320
"""Characters shown in the strip; the rest is under Details."""


class NoticeStrip(QWidget):
    """Shows the newest notice until it is dismissed, and how many there are.

    Its place in the layout is two lines high, always: nothing moves when a notice comes or goes, least of all a button
    that is about to be clicked. A longer notice lies over what is below, never over the light's bar above.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notices")
        self.notices: deque[Notice] = deque(maxlen=KEPT)
        self._unread = 0
        self._shown = Notice(0, Severity.INFO, "")
        self._card = QFrame(self)
        self._card.setObjectName("notice-card")
        self._card.setAutoFillBackground(True)
        self._text = wrapped()
        self._text.setObjectName("notice-text")
        self._details = QPushButton("Details …")
        self._details.setToolTip("All messages so far, to read or to copy")
        self._details.clicked.connect(self.show_details)
        self._dismiss = QPushButton("Dismiss")
        self._dismiss.setObjectName("dismiss")
        self._dismiss.setToolTip("Hide this message; it stays under Details")
        self._dismiss.clicked.connect(self.dismiss)
        self._edge = QWidget()
        self._edge.setFixedWidth(6)
        self._edge.setAutoFillBackground(True)
        row = QHBoxLayout(self._card)
        row.setContentsMargins(6, 2, 6, 2)
        row.addWidget(self._edge)
        row.addWidget(self._text, 1)
        row.addWidget(self._details)
        row.addWidget(self._dismiss)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.dismiss)
        self._open = False
        self._reserve()
        self.dismiss()

    def _reserve(self) -> None:
        """Take the height that most notices need."""
        lines = 2 * self.fontMetrics().lineSpacing()
        self.setFixedHeight(max(lines, self._details.sizeHint().height()) + 4)

    def _place(self) -> None:
        """Lie on the reserved place, and over what is below it where the text needs more."""
        above = self.parentWidget()
        if above is None:
            return
        if self._card.parentWidget() is not above:
            self._card.setParent(above)
            self._card.show()
        needed = self._card.heightForWidth(self.width()) if self._open else 0
        room = above.height() - self.y()
        self._card.setGeometry(self.x(), self.y(), self.width(), max(self.height(), min(needed, room)))
        self._card.raise_()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Find the place."""
        super().showEvent(event)
        self._place()

    def moveEvent(self, event: QMoveEvent | None) -> None:  # noqa: N802
        """Follow the place."""
        super().moveEvent(event)
        self._place()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Follow the place."""
        super().resizeEvent(event)
        self._place()

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Reserve more for larger letters."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._reserve()

    def add(self, notice: Notice) -> None:
        """Show a notice."""
        self.notices.append(notice)
        worse_is_shown = (
            self._open
            and self._unread
            and self._shown.severity is Severity.ERROR
            and notice.severity is not Severity.ERROR
        )
        self._unread += 1
        if not worse_is_shown:
            self._shown = notice
        self._refresh()

    def _refresh(self) -> None:
        text = brief(self._shown.text)
        if len(text) > LONGEST:
            text = text[:LONGEST].rsplit(" ", 1)[0] + " …"
        more = f"   (and {self._unread - 1} more)" if self._unread > 1 else ""
        self._text.setText(text + more)
        palette = QPalette()
        self._text.setEnabled(True)
        self._edge.setVisible(True)
        self._details.setVisible(True)
        self._dismiss.setVisible(True)
        colour = {Severity.ERROR: RED, Severity.WARNING: AMBER}.get(self._shown.severity, GREEN)
        palette.setColor(QPalette.ColorRole.Window, QColor(colour))
        self._edge.setPalette(palette)
        self._open = True
        self._place()
        if self._shown.severity is Severity.INFO:
            self._timer.start(INFO_MS)
        else:
            self._timer.stop()

    @property
    def text(self) -> str:
        """What is shown; "" if nothing is."""
        return self._text.text() if self._open else ""

    def dismiss(self) -> None:
        """Hide what has been read; it stays under Details."""
        self._unread = 0
        self._timer.stop()
        self._open = False
        self._text.setText("No new messages" if self.notices else "No messages")
        self._text.setEnabled(False)  # dim
        self._edge.setVisible(False)
        self._details.setVisible(bool(self.notices))
        self._dismiss.setVisible(False)
        self._place()

    def everything(self) -> str:
        """Return all notices as text to copy."""
        return "\n\n".join(
            f"[{notice.severity.value}] {notice.text}" + (f"\n{notice.details}" if notice.details else "")
            for notice in self.notices
        )

    def show_details(self) -> None:
        """Open a window with everything that was reported."""
        window = QDialog(self.window())
        window.setWindowTitle("Messages")
        window.resize(720, 420)
        text = QPlainTextEdit(self.everything() or "Nothing was reported.")
        text.setReadOnly(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        copy = buttons.addButton("Copy", QDialogButtonBox.ButtonRole.ActionRole)
        assert copy is not None
        copy.clicked.connect(lambda: _copy(text.toPlainText()))
        buttons.rejected.connect(window.close)
        column = QVBoxLayout(window)
        column.addWidget(text)
        column.addWidget(buttons)
        window.setModal(False)
        window.show()


def _copy(text: str) -> None:
    clipboard = QApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(text)
