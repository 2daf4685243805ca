"""The acquisition log as a panel: a table, the newest last; and a file beside each recording."""

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rdl_live.view.common.theme import AMBER, RED
from rdl_live.view.live.panel import PanelHost
from rdl_live.view.live.session import Activity, Notice, Severity, Snapshot
from rdl_live.view.log.events import Event, Log, What
from rdl_live.view.log.log_file import LogFile

SHOWN = 1000
"""Rows of the table: the newest."""
_COLOURS = {What.WARNING: AMBER, What.LOSS: AMBER, What.ERROR: RED}
_CHOICES = {
    "Everything": tuple(What),
    "Light and runs": (What.LIGHT, What.RUN),
    "Warnings and losses": (What.WARNING, What.ERROR, What.LOSS),
}


class LogPanel(QWidget):
    """Notes what happens from the window's start on."""

    def __init__(self, host: PanelHost) -> None:
        super().__init__()
        self.setObjectName("log-panel")
        self._host = host
        self.log, self._file = Log(), LogFile()
        self._records = False
        self._written = 0
        self.table = QTableWidget(0, 3)
        self.table.setObjectName("log-table")
        self.table.setHorizontalHeaderLabels(["Time", "What", "Event"])
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setToolTip("Every event with its time, the newest last")
        header, rows = self.table.horizontalHeader(), self.table.verticalHeader()
        assert header is not None
        assert rows is not None
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        rows.setVisible(False)
        self.choice = QComboBox()
        self.choice.setObjectName("log-choice")
        self.choice.addItems(list(_CHOICES))
        self.choice.setToolTip("Which events are shown; all are kept")
        self.choice.currentIndexChanged.connect(lambda _: self._refill())
        copy = QPushButton("Copy")
        copy.setObjectName("log-copy")
        copy.setAutoDefault(False)
        copy.setToolTip("Copy the whole log as a table, for a mail or a spreadsheet")
        copy.clicked.connect(self._copy)
        line = QHBoxLayout()
        line.addWidget(self.choice)
        line.addStretch(1)
        line.addWidget(copy)
        column = QVBoxLayout(self)
        column.addWidget(self.table)
        column.addLayout(line)
        em = self.fontMetrics().averageCharWidth()
        self.setMinimumSize(60 * em, 20 * em)

    def show_notice(self, notice: Notice) -> None:
        """Take note of what the user is told."""
        self.log.see_notice(notice)
        self._follow()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Take note of what has changed."""
        records = snapshot.activity is Activity.RECORDING
        if records and not self._records:
            self._file.begin()
        self._records = records
        if records and snapshot.recording is not None:
            self._file.folder(snapshot.recording.folder)
        self.log.see_snapshot(snapshot)
        self._follow()
        if not records and snapshot.activity is not Activity.STOPPING:
            self._file.end()

    def showEvent(self, event: object) -> None:  # noqa: N802
        """Fill the table."""
        super().showEvent(event)  # type: ignore[arg-type]
        self._refill()

    def _follow(self) -> None:
        """Write and show what is new."""
        fresh = self.log.events[-min(self.log.begun - self._written, len(self.log.events)) :]
        if self.log.begun == self._written:
            fresh = []
        self._written = self.log.begun
        if wrong := self._file.write(fresh):
            self._host.notify(wrong, Severity.WARNING)
        if self.isVisible():
            for one in fresh:
                self._append(one)

    def _refill(self) -> None:
        self.table.setRowCount(0)
        for one in self.log.events[-SHOWN:]:
            self._append(one)

    def _append(self, event: Event) -> None:
        if event.what not in _CHOICES[self.choice.currentText()]:
            return
        if self.table.rowCount() >= SHOWN:
            self.table.removeRow(0)
        row = self.table.rowCount()
        self.table.insertRow(row)
        for column, text in enumerate((f"{event.at:%H:%M:%S}", event.what.value, event.text)):
            item = QTableWidgetItem(text)
            item.setToolTip(text)
            if event.what in _COLOURS:
                item.setForeground(QColor(_COLOURS[event.what]))
            item.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            self.table.setItem(row, column, item)
        self.table.scrollToBottom()

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText("\n".join(one.line for one in self.log.events))


def make(host: PanelHost) -> LogPanel:
    """Return the panel."""
    return LogPanel(host)
