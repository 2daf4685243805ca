"""The window that browses a recording."""
