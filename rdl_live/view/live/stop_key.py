"""Esc: one STOP for the whole application, at its first press, whatever window, dialog, menu or field has the focus.

Shortcuts of Qt belong to a window, and popups and text fields take Esc before any of them. So the application's events
are looked at before they are sent on.
"""

from typing import TYPE_CHECKING, Self

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QApplication

from rdl_live.view.live.session import Light

if TYPE_CHECKING:
    from rdl_live.view.live.session import Session


class StopKey(QObject):
    """Stops all sessions of the application. While there is light, or something runs, Esc does nothing besides.

    A dialog, a menu, a drop-down list then stays open; a second Esc closes it.
    """

    _ours: "StopKey | None" = None

    def __init__(self, application: QApplication) -> None:
        """Look at an application's keys; by `of` only, for one is enough."""
        super().__init__(application)
        self._sessions: list[Session] = []
        self._handled = self._used_up = False
        # Windows of the system have their own keys, which never come to Qt.
        QApplication.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs)
        application.installEventFilter(self)

    @classmethod
    def of(cls, application: QApplication) -> Self:
        """Return the application's."""
        if not isinstance(cls._ours, cls) or cls._ours.parent() is not application:
            cls._ours = cls(application)
        return cls._ours

    def add(self, session: "Session") -> None:
        """Stop this session, too."""
        if session not in self._sessions:
            self._sessions.append(session)

    def remove(self, session: "Session") -> None:
        """Do so no more."""
        if session in self._sessions:
            self._sessions.remove(session)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Look for Esc; called by Qt before anybody else sees an event."""
        del watched
        if event is None or event.type() not in (QEvent.Type.KeyPress, QEvent.Type.ShortcutOverride):
            return False
        if not isinstance(event, QKeyEvent) or event.key() != Qt.Key.Key_Escape:
            return False
        return self._pressed(event)

    def _pressed(self, event: QKeyEvent) -> bool:
        """Stop; return whether the key is used up by that.

        One press is seen several times: as a question for shortcuts, by a window, by the widget in it.
        """
        if self._handled:
            if self._used_up:
                event.accept()
            return self._used_up
        to_stop = [one for one in self._sessions if one.snapshot.activity.busy or one.snapshot.light is Light.ON]
        self._used_up = bool(to_stop)
        if not to_stop and event.type() == QEvent.Type.ShortcutOverride:
            return False  # the key press comes yet
        # Until this press has been dealt with: it follows its override at once.
        self._handled = True
        QTimer.singleShot(0, self._forget)
        # What was asked for a moment ago may not show yet: all are stopped.
        for session in self._sessions:
            session.stop()
        if self._used_up:
            event.accept()
        return self._used_up

    def _forget(self) -> None:
        self._handled = False
