"""Saving and copying pictures with scale bar and caption: the dialog and the clipboard."""

from pathlib import Path

from qtpy.QtGui import QImage
from qtpy.QtWidgets import QApplication, QFileDialog, QWidget

from rdl_live.view.panes.picture_file import Shot, render, save

FILTERS = {"Picture with scale bar and caption (*.png)": ".png", "Values, 32-bit TIFF (*.tif)": ".tif"}


def ask_and_save(parent: QWidget, shot: Shot, start: Path) -> Path | None:
    """Ask for a name, and whether a file of that name may be replaced; return it, or None if nothing was saved.

    Raises:
        OutputError: the file cannot be written.
    """
    chosen, kind = QFileDialog.getSaveFileName(parent, "Save picture", str(start), ";;".join(FILTERS))
    if not chosen:
        return None
    path, typed = Path(chosen), True
    if not path.suffix:
        # The dialog has asked about the name that was typed, not about the one with the ending added.
        path, typed = path.with_suffix(FILTERS.get(kind, ".png")), False
    save(shot, path, overwrite=typed)
    return path


def copy(shot: Shot) -> None:
    """Put a picture with scale bar and caption on the clipboard."""
    clipboard = QApplication.clipboard()
    if clipboard is not None:
        clipboard.setImage(as_image(shot))


def as_image(shot: Shot) -> QImage:
    """Return a picture with scale bar and caption as Qt has it."""
    sheet = render(shot)
    rows, columns = sheet.shape[:2]
    # A copy, so that Qt owns the pixels.
    return QImage(sheet.tobytes(), columns, rows, 3 * columns, QImage.Format.Format_RGB888).copy()
