"""A column of fields that scrolls up and down only, and is always as wide as they need."""

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QWidget

_SCROLL_BAR = 18
"""Room for the bar [pixels]."""


class Column(QScrollArea):
    """Holds one widget; nothing of it is cut off at the sides, also after its words or the theme have changed."""

    def __init__(self, widget: QWidget) -> None:
        """Hold a widget."""
        super().__init__()
        self._held = widget
        self.setWidget(widget)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        widget.installEventFilter(self)
        self._fit()

    def _fit(self) -> None:
        width = self._held.minimumSizeHint().width() + _SCROLL_BAR
        if width != self.minimumWidth():
            self.setMinimumWidth(width)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Fit again where the widget's layout has changed."""
        if watched is self._held and event is not None and event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return super().eventFilter(watched, event)
