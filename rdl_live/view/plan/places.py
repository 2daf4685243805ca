"""The positions of a plan."""

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
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

from rdl_live.view.plan.model import PlanModel

COLUMNS = (("name", "Name"), ("x_um", "x [µm]"), ("y_um", "y [µm]"), ("z_um", "z [µm]"))


class PlaceTable(QWidget):
    """A table of positions; the host says where the stage is."""

    place_wanted = Signal()
    """Add where the stage is now."""

    def __init__(self, model: PlanModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setObjectName("plan-places")
        self.table.setHorizontalHeaderLabels([title for _, title in COLUMNS])
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setToolTip("Where to image. Without any position, the stage stays where it is; z may be left empty.")
        header, rows = self.table.horizontalHeader(), self.table.verticalHeader()
        assert header is not None
        assert rows is not None
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        rows.setVisible(False)
        rows.setDefaultSectionSize(round(1.7 * self.fontMetrics().height()))
        self.table.itemChanged.connect(self._edited)
        row = QHBoxLayout()
        row.addWidget(
            self._button("Add this place", "Add where stage and focus are now", self.place_wanted.emit, "here")
        )
        row.addWidget(
            self._button("Add row", "Add a position to be typed in", lambda: model.add_place(0.0, 0.0), "row")
        )
        row.addWidget(self._button("Remove", "Remove the selected positions", self._remove, "remove"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)
        column.addLayout(row)
        self.refresh()

    def refresh(self) -> None:
        """Show the draft."""
        places = self._model.get("positions")
        blocker = QSignalBlocker(self.table)
        self.table.setRowCount(len(places))
        for row, place in enumerate(places):
            for column, (field, _) in enumerate(COLUMNS):
                text = _text(place[field])
                item = self.table.item(row, column)
                if item is None:
                    self.table.setItem(row, column, QTableWidgetItem(text))
                elif item.text() != text:
                    item.setText(text)
        blocker.unblock()
        lines = 2.4 + 1.7 * min(max(len(places), 1), 6)
        self.table.setFixedHeight(round(lines * self.fontMetrics().height()))

    def _edited(self, item: QTableWidgetItem) -> None:
        field = COLUMNS[item.column()][0]
        self._model.set(("positions", item.row(), field), _value(field, item.text().strip()))

    def _remove(self) -> None:
        self._model.remove_places(sorted({index.row() for index in self.table.selectedIndexes()}))

    def _button(self, text: str, tip: str, do: Callable[[], object], name: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.setObjectName(f"plan-place-{name}")
        button.clicked.connect(lambda _=False: do())
        return button


def _text(value: Any) -> str:
    return "" if value is None else f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _value(field: str, text: str) -> Any:
    """Return what was typed; what is no number stays as it is, and the plan says so."""
    if field == "name":
        return text
    if not text:
        return None
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text
