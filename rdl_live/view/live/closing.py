"""Whether a widget was closed, by itself or with the dock or window that it is in."""

from qtpy.QtWidgets import QDockWidget, QWidget


class Closing:
    """Watches one widget."""

    def __init__(self, widget: QWidget) -> None:
        """Nothing is shown yet."""
        self._widget = widget
        self._was_shown = False

    @property
    def is_closed(self) -> bool:
        """Whether window or dock was closed after it had been shown; not where it is minimised, or behind a tab."""
        widget = self._widget
        self._was_shown = self._was_shown or widget.isVisible()
        if not self._was_shown or widget.isVisible():
            return False
        parent: QWidget | None = widget
        while parent is not None and not isinstance(parent, QDockWidget):
            parent = parent.parentWidget()
        action = None if parent is None else parent.toggleViewAction()
        window = widget.window()
        return (window is not None and window.isHidden()) or (action is not None and not action.isChecked())
