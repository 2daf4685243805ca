"""The panels of the live window: the table of all there are, and those of one window."""

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QDialog, QVBoxLayout, QWidget

from rdl_live._tables import Table
from rdl_live.view.live.facts_panel import FactsPanel
from rdl_live.view.live.health_panel import HealthPanel
from rdl_live.view.live.panel import (
    Opened,
    PanelHost,
    PanelKind,
    ShowsImages,
    ShowsNotices,
    ShowsSnapshots,
    Where,
    later,
)
from rdl_live.view.live.session import Images, Notice, Snapshot
from rdl_live.view.live.trace_panel import TracePanel


def _facts(host: PanelHost) -> QWidget:
    panel = FactsPanel()
    panel.dose_reset.connect(host.session.reset_dose)
    return panel


_PATTERNS = "A lamp for each orientation: whether its pattern is right, and what to do if not"
_NOW = "Dose, free disk space, raw frames and images, and what was lost of them"
_MINUTES = "Curves of light, remaining fluorescence, modulation, contrast to noise (MCNR), images per second and delay"

PANELS = Table(
    "rdl_live.panels",
    PanelKind,
    (
        PanelKind(
            "patterns", "Patterns", Where.SIDE, lambda _: HealthPanel(), order=10, page="want/trust.md", tip=_PATTERNS
        ),
        PanelKind("facts", "Now", Where.SIDE, _facts, order=20, tip=_NOW),
        PanelKind("traces", "Last minutes", Where.SIDE, lambda _: TracePanel(), order=30, tip=_MINUTES),
        PanelKind(
            "plan",
            "Plan",
            Where.WINDOW,
            later("rdl_live.view.plan.panel"),
            Opened(
                "acquire",
                "Plan …",
                "Ctrl+P",
                "Plan a time-lapse, stack, positions or colours; see time, disk space and dose before any light is on",
            ),
            order=40,
            page="want/living-cells.md",
        ),
        PanelKind(
            "stage",
            "Stage and focus",
            Where.WINDOW,
            later("rdl_live.view.stage.panel"),
            Opened(
                "acquire",
                "Stage and focus …",
                "Ctrl+G",
                "Move stage and focus by buttons, keys or in the image; mark places; see where you have been",
            ),
            order=45,
            page="window.md#stage-and-focus",
        ),
        PanelKind(
            "log",
            "Acquisition log",
            Where.WINDOW,
            later("rdl_live.view.log.panel"),
            Opened(
                "view",
                "Acquisition log …",
                "Ctrl+J",
                "Every event with its time; each recording has its own log, log.tsv",
            ),
            eager=True,
            order=47,
            page="window.md#the-acquisition-log",
        ),
        PanelKind(
            "spectrum",
            "Spectrum",
            Where.WINDOW,
            later("rdl_live.view.patterns.panel"),
            Opened("view", "Spectrum …", "Ctrl+E", "The image's frequencies, with the patterns"),
            order=50,
            page="want/trust.md",
        ),
        PanelKind(
            "matrix",
            "Which method?",
            Where.WINDOW,
            later("rdl_live.view.matrix.panel"),
            Opened("view", "Which method …", "Ctrl+M", "Ask an assessment: which method for this structure and light"),
            order=55,
            page="want/trust.md",
        ),
        PanelKind(
            "retrain",
            "Retrain the denoiser",
            Where.WINDOW,
            later("rdl_live.view.retrain.panel"),
            Opened(
                "devices",
                "Retrain the denoiser …",
                "Ctrl+Shift+R",
                "Improve the denoiser for your cells, from your own recordings, while you keep imaging",
            ),
            eager=True,
            order=60,
            page="want/retrain.md",
        ),
    ),
)
"""Every panel that a window has, in the order of `PanelKind.order`."""


class Panels(QObject):
    """The panels of one window: those of the side are made at once, others when they are first wanted."""

    def __init__(self, host: PanelHost, owner: QWidget) -> None:
        """Make what is to be made at once.

        Args:
            host: what panels may know of the window.
            owner: the widget that they belong to.
        """
        super().__init__(owner)
        self._host, self._owner = host, owner
        found = [kind for name in PANELS.names() if (kind := PANELS.find(name)) is not None]
        self.kinds = sorted(found, key=lambda kind: kind.order)
        self._made: dict[str, QWidget] = {}
        self._windows: dict[str, QDialog] = {}
        for kind in list(self.kinds):
            if (kind.where is Where.SIDE or kind.eager) and self._make(kind) is None:
                self.kinds.remove(kind)

    @property
    def side(self) -> list[tuple[str, QWidget]]:
        """Titles and panels beside the images."""
        return [(kind.title, self._made[kind.name]) for kind in self.kinds if kind.where is Where.SIDE]

    @property
    def windows(self) -> dict[str, QDialog]:
        """Windows that have been opened, by the panel's name."""
        return dict(self._windows)

    def get(self, name: str) -> QWidget | None:
        """Return a panel that has been made."""
        return self._made.get(name)

    def open(self, name: str) -> None:
        """Show a panel in its window, where it can be had."""
        (kind,) = (kind for kind in self.kinds if kind.name == name)
        panel = self._made.get(name) or self._make(kind)
        if panel is None:
            return
        if name not in self._windows:
            self._windows[name] = self._window(kind, panel)
        window = self._windows[name]
        window.show()
        window.raise_()
        window.activateWindow()
        if self._host.images is not None and isinstance(panel, ShowsImages):
            panel.show_images(self._host.images)
        if isinstance(panel, ShowsSnapshots):
            panel.show_snapshot(self._host.session.snapshot)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Pass on how it is."""
        for panel in self._made.values():
            if isinstance(panel, ShowsSnapshots):
                panel.show_snapshot(snapshot)

    def show_notice(self, notice: Notice) -> None:
        """Pass on what the user is told."""
        for panel in self._made.values():
            if isinstance(panel, ShowsNotices):
                panel.show_notice(notice)

    def show_images(self, images: Images) -> None:
        """Pass new images on."""
        for panel in self._made.values():
            if isinstance(panel, ShowsImages):
                panel.show_images(images)

    def close(self) -> None:
        """Close all windows."""
        for window in self._windows.values():
            window.close()

    def _make(self, kind: PanelKind) -> QWidget | None:
        panel = kind.make(self._host)
        if panel is not None:
            self._made[kind.name] = panel
            if kind.where is Where.WINDOW:
                # Until it is wanted: without a parent it would outlive its window, and end the process with a crash.
                panel.setParent(self._owner)
                panel.hide()
        return panel

    def _window(self, kind: PanelKind, panel: QWidget) -> QDialog:
        window = QDialog(self._owner.window())
        window.setObjectName(f"window-{kind.name}")
        window.setWindowTitle(kind.title)
        column = QVBoxLayout(window)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(panel)
        panel.show()  # with its window
        window.resize(panel.sizeHint())
        return window
