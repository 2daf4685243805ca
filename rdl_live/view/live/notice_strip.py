"""Notifications: what went wrong, in the user's words, with details to copy; never a window in the way."""

from collections import deque

from qtpy.QtCore import QTimer
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
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
    """Shows the newest notice until it is dismissed, and how many there are."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notices")
        self.notices: deque[Notice] = deque(maxlen=KEPT)
        self._unread = 0
        self._shown = Notice(0, Severity.INFO, "")
        self._text = wrapped()
        self._text.setObjectName("notice-text")
        self._details = QPushButton("Details …")
        self._details.setToolTip("All messages so far, to read or to copy")
        self._details.clicked.connect(self.show_details)
        self._dismiss = QPushButton("Dismiss")
        self._dismiss.setObjectName("dismiss")
        self._dismiss.clicked.connect(self.dismiss)
        self._edge = QWidget()
        self._edge.setFixedWidth(6)
        self._edge.setAutoFillBackground(True)
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 2, 6, 2)
        row.addWidget(self._edge)
        row.addWidget(self._text, 1)
        row.addWidget(self._details)
        row.addWidget(self._dismiss)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.dismiss)
        self.setVisible(False)

    def add(self, notice: Notice) -> None:
        """Show a notice."""
        self.notices.append(notice)
        worse_is_shown = (
            self.isVisible()
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
        colour = {Severity.ERROR: RED, Severity.WARNING: AMBER}.get(self._shown.severity, GREEN)
        palette.setColor(QPalette.ColorRole.Window, QColor(colour))
        self._edge.setPalette(palette)
        self.setVisible(True)
        if self._shown.severity is Severity.INFO:
            self._timer.start(INFO_MS)
        else:
            self._timer.stop()

    @property
    def text(self) -> str:
        """What is shown; "" if nothing is."""
        return "" if self.isHidden() else self._text.text()

    def dismiss(self) -> None:
        """Hide what has been read; it stays under Details."""
        self._unread = 0
        self._timer.stop()
        self.setVisible(False)

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
