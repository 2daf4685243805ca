"""The marked places as a table: named by typing, reached by a button or a double-click on their position."""

from collections.abc import Callable

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rdl_live.view.stage.marks import Marks

COLUMNS = ("Name", "x [µm]", "y [µm]", "z [µm]")


class MarkTable(QWidget):
    """Shows `Marks`."""

    mark_wanted = Signal()
    """Mark where the stage is."""
    go_wanted = Signal(int)
    """Go to the place of this row."""
    plan_wanted = Signal()
    """Make the marked places those of the plan."""
    changed = Signal()
    """The places are other ones than before."""

    def __init__(self, marks: Marks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._marks = marks
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setObjectName("stage-marks")
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setToolTip("Marked places. Type to name one; double-click its position to go there")
        header, rows = self.table.horizontalHeader(), self.table.verticalHeader()
        assert header is not None
        assert rows is not None
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        rows.setVisible(False)
        self.table.itemChanged.connect(self._renamed)
        self.table.cellDoubleClicked.connect(lambda row, column: column and self.go_wanted.emit(row))
        self.table.setMinimumHeight(round(5 * self.fontMetrics().height()))
        line = QHBoxLayout()
        self.mark_button = self._button(
            "Mark this place", "Remember where stage and focus are now", self.mark_wanted.emit
        )
        self.go_button = self._button("Go", "Drive to the selected place, with its z", self._go)
        self._button_row = [
            self.mark_button,
            self.go_button,
            self._button("Remove", "Forget the selected places", self._remove),
            self._button("Use in plan", "Add the marked places to the plan, with z", self.plan_wanted.emit),
        ]
        for button in self._button_row:
            line.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)
        column.addLayout(line)
        self.refresh()

    def refresh(self) -> None:
        """Show the places."""
        blocker = QSignalBlocker(self.table)
        self.table.setRowCount(len(self._marks))
        for row, mark in enumerate(self._marks):
            z = "" if mark.z_um is None else f"{mark.z_um:.2f}"
            for column, text in enumerate((mark.name, f"{mark.x_um:.1f}", f"{mark.y_um:.1f}", z)):
                item = QTableWidgetItem(text)
                if column:
                    item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                self.table.setItem(row, column, item)
        blocker.unblock()

    def _renamed(self, item: QTableWidgetItem) -> None:
        self._marks.rename(item.row(), item.text())
        self.refresh()
        self.changed.emit()

    def _go(self) -> None:
        rows = sorted({index.row() for index in self.table.selectedIndexes()})
        if rows:
            self.go_wanted.emit(rows[0])

    def _remove(self) -> None:
        for row in sorted({index.row() for index in self.table.selectedIndexes()}, reverse=True):
            self._marks.remove(row)
        self.refresh()
        self.changed.emit()

    def _button(self, text: str, tip: str, do: Callable[[], object]) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(f"marks-{text.split()[0].lower()}")
        button.setToolTip(tip)
        button.clicked.connect(lambda _=False: do())
        return button
