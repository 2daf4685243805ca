"""Qt's application: made where there is none, kept to the end, and its windows deleted before it."""

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qtpy.QtWidgets import QApplication, QWidget

_kept: "list[QApplication]" = []
"""An application that was made here. When its last reference goes, PyQt deletes every object that Python owns, in the
order of its hash table; that has crashed where windows were left, so it is kept until the interpreter's end."""


def qt_application() -> "QApplication":
    """Return Qt's application; one is made where there is none."""
    from qtpy.QtWidgets import QApplication

    found = QApplication.instance()
    if isinstance(found, QApplication):
        application = found
    else:
        application = QApplication(["rdl-live"])
        _kept.append(application)
    application.setApplicationName("rdl-live")
    return application


def delete_windows(*windows: "QWidget") -> None:
    """Delete windows with all that is in them, now, while Qt's application is there; they must be closed.

    Left to the end of the process they would be deleted by PyQt in no order, which can end it with a crash.
    """
    from qtpy.QtCore import QCoreApplication, QEvent

    for window in windows:
        window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    # What Python owns without a parent (timers, scenes of plots) and holds in circles.
    gc.collect()
