"""Qt's application: made where there is none."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qtpy.QtWidgets import QApplication


def qt_application() -> "QApplication":
    """Return Qt's application; one is made where there is none."""
    from qtpy.QtWidgets import QApplication

    found = QApplication.instance()
    application = found if isinstance(found, QApplication) else QApplication(["rdl-live"])
    application.setApplicationName("rdl-live")
    return application
