"""What can be done, as actions: with shortcuts, tooltips in plain words, and menus made of them."""

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import QMenu, QWidget


class Actions:
    """The actions of one widget, by name."""

    def __init__(self, owner: QWidget) -> None:
        """Make none yet; they will belong to `owner`, and their shortcuts work while it, or a part of it, is used."""
        self._owner = owner
        self._all: dict[str, QAction] = {}
        self._parts: dict[str, list[str]] = {}

    def __getitem__(self, name: str) -> QAction:
        return self._all[name]

    def add(
        self,
        part: str,
        name: str,
        title: str,
        shortcut: str,
        tip: str,
        do: Callable[..., object],
        *,
        checkable: bool = False,
    ) -> None:
        """Add one.

        Args:
            part: of the menus: "acquire", "view", ...
            name: for the program.
            title: for the user.
            shortcut: as "Ctrl+L"; "" for none.
            tip: what it does, in plain words.
            do: is called; with whether it is checked, where it can be.
            checkable: whether it stays on or off.
        """
        action = QAction(title, self._owner)
        action.setObjectName(name)
        action.setToolTip(f"{tip} ({shortcut})" if shortcut else tip)
        action.setCheckable(checkable)
        if shortcut:
            action.setShortcut(QKeySequence(shortcut))
            # Docked, the host's own shortcuts go on working outside of this widget.
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        if checkable:
            action.toggled.connect(do)
        else:
            action.triggered.connect(lambda _=False: do())
        self._owner.addAction(action)
        self._all[name] = action
        self._parts.setdefault(part, []).append(name)

    def menu(self, *parts: str) -> QMenu:
        """Return a new menu with the actions of some parts."""
        menu = QMenu(self._owner)
        menu.setToolTipsVisible(True)
        for part in parts:
            if not menu.isEmpty():
                menu.addSeparator()
            for name in self._parts[part]:
                menu.addAction(self._all[name])
        return menu

    def tick(self, name: str, on: bool) -> None:
        """Show an action as on or off, without doing it."""
        action = self._all[name]
        action.blockSignals(True)
        action.setChecked(on)
        action.blockSignals(False)
