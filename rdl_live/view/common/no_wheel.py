"""The wheel scrolls a panel; it turns a number or a choice only where that has the focus."""

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QWidget


class _NoWheel(QObject):
    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Keep the wheel from widgets without focus; called by Qt."""
        turned = event is not None and event.type() == QEvent.Type.Wheel
        if turned and event is not None and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)


def without_wheel(widget: QWidget) -> None:
    """Let the wheel pass over a widget that has no focus; scrolling past a power must not turn it."""
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    widget.installEventFilter(_NoWheel(widget))
