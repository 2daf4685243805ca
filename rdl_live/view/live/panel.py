"""A panel: something of the window that shows how it is and lets the user do something, in the side or a window.

The panels stand in one table, `rdl_live.view.live.panels.PANELS`; another package adds one by an entry point of the
group `rdl_live.panels`. A panel knows what stands here, and nothing of the window that it is in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from qtpy.QtWidgets import QWidget

from rdl_live.view.common.memory import Memory
from rdl_live.view.live.session import Images, Notice, Session, Severity, Snapshot
from rdl_live.view.panes.grid import PaneGrid

if TYPE_CHECKING:
    from rdl_live.view.retrain.state import Retrainer


class Where(StrEnum):
    """Where a panel is shown."""

    SIDE = "side"
    """Beside the images, always."""
    WINDOW = "window"
    """In a window of its own, when the user asks for it."""


class PanelHost(Protocol):
    """The window that a panel is in, as far as a panel may know it."""

    session: Session
    images: Images | None
    """What is shown."""
    memory: Memory
    """What is remembered for the next start."""
    grid: PaneGrid
    """The panes."""
    retrainer: "Retrainer | None"
    """Trains the denoiser on what was recorded; None where there is none."""

    @property
    def folder(self) -> Path:
        """Where recordings go."""

    def new_folder(self, name: str = "") -> Path:
        """Return a folder for a new recording, that is not there yet."""

    def notify(self, text: str, severity: Severity = Severity.INFO) -> None:
        """Show a notice."""

    def plan_places(self, places: Sequence[tuple[float, float, float | None, str]]) -> None:
        """Open the plan, and add places to it: x, y, z [um] and name of each."""

    def offer_denoiser(self, weights: str) -> None:
        """Add weights to the denoisers that the user can choose."""


@runtime_checkable
class ShowsSnapshots(Protocol):
    """A panel that wants to know how it is."""

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show how it is; called whenever something has changed."""


@runtime_checkable
class ShowsImages(Protocol):
    """A panel that wants the images."""

    def show_images(self, images: Images) -> None:
        """Show new images; called at the screen's rate at most."""


@runtime_checkable
class ShowsNotices(Protocol):
    """A panel that wants to know what the user is told."""

    def show_notice(self, notice: Notice) -> None:
        """Take note of one; called once for each."""


@runtime_checkable
class TakesPlaces(Protocol):
    """A panel that plans places."""

    def add_places(self, places: Sequence[tuple[float, float, float | None, str]]) -> None:
        """Add places: x, y, z [um] and name of each."""


@dataclass(frozen=True)
class Opened:
    """How the user opens a panel that has a window of its own."""

    part: str
    """Of the menus: "acquire", "devices", "view", "picture"."""
    title: str
    shortcut: str
    tip: str
    """What it is for, in plain words."""


@dataclass(frozen=True)
class PanelKind:
    """What is known of a panel before it is made."""

    name: str
    title: str
    where: Where
    make: Callable[[PanelHost], QWidget | None]
    """Makes it; None where it cannot be had (now), which it has said by `PanelHost.notify`."""
    opened: Opened | None = None
    """For a panel with a window of its own."""
    eager: bool = False
    """Whether it is made with the window, though nobody sees it: it takes note of what happens. None then means that
    the window does without it."""
    order: int = 100
    """Place among the others, the smallest first."""
    page: str = ""
    """Of the documentation, in docs/, as "window.md#stage-and-focus"; "" for that of the window."""
    tip: str = ""
    """What it is for, in plain words, where `opened` does not say it."""


def later(module: str, function: str = "make") -> Callable[[PanelHost], QWidget | None]:
    """Return what makes a panel whose module is loaded when it is wanted: the window is to be there soon."""

    def make(host: PanelHost) -> QWidget | None:
        made = getattr(import_module(module), function)(host)
        if made is not None and not isinstance(made, QWidget):
            raise TypeError(f"{module}.{function} made no widget")
        return made

    return make
