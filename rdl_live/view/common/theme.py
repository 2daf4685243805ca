"""Light and dark colours. Only the stand-alone window sets them; docked, the host's colours are used."""

from enum import StrEnum

from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QApplication

RED, DEEP_RED, AMBER, GREEN, GREY = "#d32f2f", "#8e1b1b", "#f0a020", "#2fa84f", "#808080"
"""Colours that mean something: danger and light, recording, to be checked, right, unknown."""


class Theme(StrEnum):
    """Colours of the window."""

    DARK = "dark"
    LIGHT = "light"


def apply_theme(application: QApplication, theme: Theme) -> None:
    """Give the whole application its colours."""
    application.setStyle("Fusion")
    application.setPalette(palette(theme))


def palette(theme: Theme) -> QPalette:
    """Return the colours of a theme."""
    dark = theme is Theme.DARK
    window, base, text = ("#202124", "#17181a", "#e6e6e6") if dark else ("#f2f2f2", "#ffffff", "#1a1a1a")
    button, faint, highlight = ("#303236", "#7a7d82", "#3d7bd9") if dark else ("#e4e4e4", "#8a8a8a", "#2f6fd0")
    made = QPalette()
    role = QPalette.ColorRole
    for colour, roles in {
        window: (role.Window, role.AlternateBase),
        base: (role.Base, role.ToolTipBase),
        text: (role.WindowText, role.Text, role.ButtonText, role.ToolTipText),
        button: (role.Button,),
        highlight: (role.Highlight, role.Link),
        "#ffffff": (role.HighlightedText, role.BrightText),
        faint: (role.PlaceholderText,),
    }.items():
        for one in roles:
            made.setColor(one, QColor(colour))
    for one in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, one, QColor(faint))
    return made
