"""Saving and copying the best image that is shown, as actions: the same live and in a recording."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QApplication, QWidget

from rdl_live.errors import RdlError
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.actions import Actions
from rdl_live.view.live.session import Severity
from rdl_live.view.panes.grid import PaneGrid

if TYPE_CHECKING:  # draws letters; loaded when the first picture is saved
    from rdl_live.view.panes.picture_file import Shot

_SPLIT_SCALE = 2.0
"""A split is copied at twice the screen's resolution."""


class PictureCommands:
    """Saves and copies pictures, with scale bar and caption."""

    def __init__(
        self,
        owner: QWidget,
        grid: PaneGrid,
        memory: Memory,
        shot: "Callable[[], Shot | None]",
        name: Callable[[], str],
        notify: Callable[[str, Severity], None],
    ) -> None:
        """Take what is needed; `add_to` adds the actions.

        Args:
            owner: the widget that dialogs belong to.
            grid: the panes.
            memory: where the folder of pictures is remembered.
            shot: gives the best image; None where there is none.
            name: gives a name for its file, with ".png".
            notify: shows a notice.
        """
        self._owner, self._grid, self._memory = owner, grid, memory
        self._shot, self._name, self._notify = shot, name, notify

    def add_to(self, commands: Actions) -> None:
        """Add the actions."""
        tip = "Save the best image that is shown, with scale bar and caption (.png) or as values (.tif)"
        commands.add("picture", "save", "Save picture …", "Ctrl+S", tip, self.save)
        tip = "Copy the best image that is shown, with scale bar and caption"
        commands.add("picture", "copy", "Copy picture", "Ctrl+Shift+C", tip, self.copy)

    def save(self, path: Path | None = None) -> None:
        """Save the best image that is shown, as picture (.png) or values (.tif); asks for a name unless given one."""
        from rdl_live.view.panes import picture_dialog
        from rdl_live.view.panes.picture_file import save

        shot = self._shot()
        if shot is None:
            self._notify("There is no image to save yet.", Severity.WARNING)
            return
        try:
            if path is None:
                folder = Path(str(self._memory.get("pictures", Path.home())))
                path = picture_dialog.ask_and_save(self._owner, shot, folder / self._name())
            else:
                save(shot, path)
        except RdlError as error:
            self._notify(str(error), Severity.ERROR)
            return
        if path is not None:
            self._memory.put(pictures=str(path.parent))
            self._notify(f"The picture was saved as {path}", Severity.INFO)

    def copy(self) -> None:
        """Copy the best image, or both where two are compared."""
        from rdl_live.view.panes import picture_dialog

        shot, clipboard = self._shot(), QApplication.clipboard()
        if shot is None or clipboard is None:
            self._notify("There is no image to copy yet.", Severity.WARNING)
            return
        split = self._grid.rendered(_SPLIT_SCALE) if self._grid.splits else None
        clipboard.setImage(picture_dialog.as_image(shot) if split is None else split)
        self._notify("The picture was copied.", Severity.INFO)
