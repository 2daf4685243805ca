"""Help that is a table: the keys that work, and what each panel is for."""

from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

_SIZE = 760, 560


def keys_of(owner: QWidget) -> list[tuple[str, str, str]]:
    """Return key, title and purpose of each action of a widget that has a key, and Esc; as they are now."""
    rows = [("Esc", "STOP", "Stop everything and turn the light off; works in every window, dialog and menu")]
    for action in owner.findChildren(QAction):
        keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        if keys:
            title = action.text().replace("&", "").removesuffix(" …")
            tip = action.toolTip().removesuffix(f" ({action.shortcut().toString()})")
            rows.append((keys, title, "" if tip == title else tip))
    return list(dict.fromkeys(rows))


class TableWindow(QDialog):
    """A table to read; a double-click on a row may open something."""

    def __init__(
        self,
        owner: QWidget,
        name: str,
        title: str,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        hint: str = "",
        do: Callable[[int], object] | None = None,
    ) -> None:
        """Make it.

        Args:
            owner: whose window it belongs to.
            name: for the program.
            title: for the user.
            head: of the columns.
            rows: what stands there.
            hint: what can be done, above the table.
            do: called with the number of a row that was clicked twice, or entered.
        """
        super().__init__(owner.window())
        self.setObjectName(name)
        self.setWindowTitle(title)
        self.table = QTableWidget(len(rows), len(head))
        self.table.setObjectName(f"{name}-table")
        self.table.setHorizontalHeaderLabels(list(head))
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setToolTip(hint or title)
        self.table.setWordWrap(True)
        for row, texts in enumerate(rows):
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
                self.table.setItem(row, column, item)
        header, side = self.table.horizontalHeader(), self.table.verticalHeader()
        assert header is not None
        assert side is not None
        for index in range(len(head) - 1):
            header.setSectionResizeMode(index, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(len(head) - 1, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        side.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        side.setVisible(False)
        if do is not None:
            self.table.cellActivated.connect(lambda row, _: do(row))
        column_ = QVBoxLayout(self)
        if hint:
            column_.addWidget(QLabel(hint))
        column_.addWidget(self.table)
        self.resize(*_SIZE)
