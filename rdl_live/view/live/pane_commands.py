"""What a user can do with the panes, as actions, and what of it is remembered: the same live and in a recording."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from rdl_live.view.common.memory import Memory
from rdl_live.view.live.actions import Actions
from rdl_live.view.panes.grid import PaneGrid

_COMPUTED = "denoised"
"""This pane is shown when there is an image for it: it is not remembered."""


class PaneCommands:
    """Show, hide and compare panes; undo contrasts."""

    def __init__(
        self, commands: Actions, grid: PaneGrid, kinds: Mapping[str, str], best_two: Callable[[], tuple[str, str]]
    ) -> None:
        """Add the actions.

        Args:
            commands: what they are added to.
            grid: the panes.
            kinds: name and title of those that are always there.
            best_two: names of the two that a split compares at first.
        """
        self._commands, self._grid, self._kinds, self._best_two = commands, grid, kinds, best_two
        add = partial(commands.add, "view")
        for number, (name, title) in enumerate(kinds.items(), start=1):
            show, tip = partial(grid.show_pane, name), f"Show or hide the {title} pane"
            add(f"pane-{name}", f"{title} pane", f"Ctrl+{number}", tip, show, checkable=True)
        tip = "Compare two images in one pane, with a line that you drag"
        add("split", "Compare two images", "Ctrl+T", tip, self._split, checkable=True)
        tip = "Shade where the denoised image may be wrong: its expected error is large there"
        add("doubt", "Shade low-confidence areas", "Ctrl+D", tip, grid.show_doubt, checkable=True)
        tip = "Shade where earlier series contribute to the denoised image; stronger shading means more series"
        add("worth", "Shade where earlier series are used", "Ctrl+U", tip, grid.show_worth, checkable=True)
        add("fit", "Whole field", "Ctrl+0", "Show the whole field of view in all panes", grid.viewport.fit)
        add("undo", "Undo contrast", "Ctrl+Z", "Undo the last change of contrast", grid.undo)
        add("redo", "Redo contrast", "Ctrl+Shift+Z", "Redo the change of contrast", grid.redo)
        grid.layout_changed.connect(self._tick)

    def recall(self, memory: Memory) -> None:
        """Show what was shown at the last start."""
        self._grid.history.load(memory.get("contrasts"))
        hidden = memory.get("hidden")
        for name in self._kinds:
            self._grid.show_pane(name, not (isinstance(hidden, list) and name in hidden))
        self._grid.show_pane(_COMPUTED, False)
        self._tick()

    def to_remember(self) -> dict[str, Any]:
        """Return what `recall` needs."""
        hidden = [name for name in self._kinds if name != _COMPUTED and not self._grid.is_wanted(name)]
        return {"contrasts": self._grid.history.as_list(), "hidden": hidden}

    def _split(self, wanted: bool) -> None:
        self._grid.show_split(wanted, *self._best_two())

    def _tick(self) -> None:
        for name in self._kinds:
            self._commands.tick(f"pane-{name}", self._grid.is_wanted(name))
        self._commands.tick("split", self._grid.splits)
