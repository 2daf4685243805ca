"""The whole of it as one dockable widget: images, controls, lamps, curves, bars, the large stop."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtGui import QAction, QImage, QKeySequence
from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QFrame,
    QGroupBox,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from rdl_live.view.control_panel import OFF, ControlPanel
from rdl_live.view.facts_panel import FactsPanel
from rdl_live.view.lamp_panel import LampPanel
from rdl_live.view.memory import Memory
from rdl_live.view.notice_strip import NoticeStrip
from rdl_live.view.pane_grid import PaneGrid
from rdl_live.view.pattern_health import pattern_health
from rdl_live.view.regions import dragged_region
from rdl_live.view.session import Activity, Images, Notice, Session, Severity, Snapshot
from rdl_live.view.state_bars import StateBars
from rdl_live.view.theme import RED
from rdl_live.view.trace_panel import TracePanel
from rdl_live.view.traces import TraceModel

KINDS = [("raw", "Raw"), ("widefield", "Widefield"), ("sim", "SIM"), ("denoised", "Denoised SIM")]
REFRESH_MS = 33
"""The screen is looked after 30 times a second; what is late is skipped."""


class SimWidget(QWidget):
    """A microscope to sit at. Asks the session for everything; no device is touched from here."""

    open_wanted = Signal()
    """The user wants to open a recording; whoever hosts the widget does it."""

    def __init__(
        self, session: Session, memory: Memory | None = None, folder: Path | None = None, parent: QWidget | None = None
    ) -> None:
        """Make the widget; it looks after the session as long as it is shown.

        Args:
            session: the microscope; whoever made it closes it.
            memory: what is remembered for the next start.
            folder: where recordings go; by default what was remembered, or a folder of the user's.
            parent: as usual.
        """
        super().__init__(parent)
        self.setObjectName("sim-widget")
        self.session = session
        self.memory = memory or Memory()
        self._seen: Snapshot | None = None
        self._notice = 0
        self._denoiser = OFF
        self._patterns: object = self
        self.traces = TraceModel()
        self.grid = PaneGrid(KINDS)
        self.bars, self.notices = StateBars(), NoticeStrip()
        self.lamps, self.facts = LampPanel(), FactsPanel()
        self.trace_panel = TracePanel(self.traces)
        remembered = self.memory.get("folder")
        default = Path(remembered) if isinstance(remembered, str) else Path.home() / "rdl-live-recordings"
        self.controls = ControlPanel(session, folder or default)
        self.actions_by_name: dict[str, QAction] = {}
        self._make_actions()
        self._lay_out()
        self._recall()
        self.facts.dose_reset.connect(session.reset_dose)
        self.controls.region_wanted.connect(self._choose_region)
        self.grid.region_dragged.connect(self._region_dragged)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(REFRESH_MS)
        self.refresh()

    # What can be done -----------------------------------------------------------------------------------

    def _make_actions(self) -> None:
        session = self.session
        add = self._action
        add("live", "Live", "Ctrl+L", "Show what the camera sees, without recording (Ctrl+L)", session.live)
        add("snap", "Snap", "Ctrl+K", "Take a single image (Ctrl+K)", session.snap)
        add("record", "Record", "Ctrl+R", "Record every raw frame until you stop (Ctrl+R)", self.record)
        add("stop", "STOP", "Esc", "Stop everything and turn the light off (Esc); always works", session.stop)
        add("reconnect", "Reconnect devices", "", "Unload the devices and load them again", session.reconnect)
        add("save", "Save picture …", "Ctrl+S", "Save what is seen, with the scale bar, as PNG", self.save_picture)
        add("copy", "Copy picture", "Ctrl+Shift+C", "Copy what is seen, with the scale bar", self.copy_picture)
        add("open", "Open recording …", "Ctrl+O", "Browse a recording with the same panes", self.open_wanted.emit)
        add("undo", "Undo contrast", "Ctrl+Z", "Take the last change of a contrast back", self.grid.undo)
        add("redo", "Redo contrast", "Ctrl+Shift+Z", "Make it again", self.grid.redo)
        add("fit", "Whole field", "Ctrl+0", "Show the whole field in all panes", self.grid.viewport.fit)
        add("split", "Compare two by a line", "Ctrl+T", "Two images in one, with a line to drag", self._split, True)
        add(
            "doubt",
            "Shade doubtful places",
            "Ctrl+D",
            "Shade where the denoised image should not be believed: its expected error is large there",
            self.grid.show_doubt,
            True,
        )
        for number, (name, title) in enumerate(KINDS, start=1):
            add(
                f"pane-{name}",
                f"{title} pane",
                f"Ctrl+{number}",
                f"Show or hide the {title} pane",
                lambda shown, n=name: self.grid.show_pane(n, shown),
                True,
            )
            self.actions_by_name[f"pane-{name}"].setChecked(True)
        self.grid.layout_changed.connect(self._tick_panes)

    def _action(
        self, name: str, title: str, shortcut: str, tip: str, do: Callable[..., object], checkable: bool = False
    ) -> None:
        action = QAction(title, self)
        action.setObjectName(name)
        action.setToolTip(tip)
        action.setCheckable(checkable)
        if shortcut:
            action.setShortcut(QKeySequence(shortcut))
            # Docked, the host's own shortcuts go on working outside of this widget.
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        if checkable:
            action.toggled.connect(do)
        else:
            action.triggered.connect(lambda _=False: do())
        self.addAction(action)
        self.actions_by_name[name] = action

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(3)
        column.addLayout(self._made_head())
        column.addWidget(self.bars)
        column.addWidget(self.notices)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(_scrolled(self.controls))
        self.splitter.addWidget(self.grid)
        side = QWidget()
        rows = QVBoxLayout(side)
        rows.setContentsMargins(4, 4, 4, 4)
        for title, panel in (("Patterns", self.lamps), ("Now", self.facts), ("Last minutes", self.trace_panel)):
            group = QGroupBox(title)
            inner = QVBoxLayout(group)
            inner.setContentsMargins(6, 2, 6, 6)
            inner.addWidget(panel)
            rows.addWidget(group)
        rows.addStretch(1)
        self.splitter.addWidget(_scrolled(side))
        for index, stretch in enumerate((0, 1, 0)):
            self.splitter.setStretchFactor(index, stretch)
        self.splitter.setCollapsible(1, False)
        em = self.fontMetrics().averageCharWidth()
        self.splitter.setSizes([34 * em, 120 * em, 40 * em])
        column.addWidget(self.splitter, 1)

    def _made_head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        self.buttons: dict[str, QPushButton] = {}
        for name in ("live", "snap", "record"):
            button = self._button(name)
            row.addWidget(button)
        self.menu_button = QToolButton()
        self.menu_button.setText("View and picture")
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.menu_button.setMenu(self.made_menu("view", "picture", "devices"))
        self.menu_button.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        row.addWidget(self.menu_button)
        row.addStretch(1)
        stop = self._button("stop")
        stop.setMinimumWidth(stop.fontMetrics().averageCharWidth() * 30)
        stop.setStyleSheet(
            f"QPushButton {{ background: {RED}; color: white; font-weight: bold; border-radius: 4px; padding: 6px; }}"
            "QPushButton:pressed { background: #7f0000; }"
        )
        row.addWidget(stop)
        return row

    def _button(self, name: str) -> QPushButton:
        action = self.actions_by_name[name]
        button = QPushButton(action.text())
        button.setObjectName(f"button-{name}")
        button.setToolTip(action.toolTip())
        button.setMinimumHeight(2 * button.fontMetrics().height() + 2)
        button.setMinimumWidth(button.fontMetrics().averageCharWidth() * 13)
        button.clicked.connect(action.trigger)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.buttons[name] = button
        return button

    def made_menu(self, *parts: str) -> QMenu:
        """Return a menu with the actions of some parts: "acquire", "view", "picture", "devices"."""
        names = {
            "acquire": ("live", "snap", "record", "stop"),
            "view": (*(f"pane-{name}" for name, _ in KINDS), "split", "doubt", "fit", "undo", "redo"),
            "picture": ("save", "copy", "open"),
            "devices": ("reconnect",),
        }
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for part in parts:
            if not menu.isEmpty():
                menu.addSeparator()
            for name in names[part]:
                menu.addAction(self.actions_by_name[name])
        return menu

    # What is shown --------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Look after the session, and show what is new; called at the screen's rate."""
        snapshot = self.session.snapshot
        for notice in self.session.notices(self._notice):
            self._notice = notice.number
            self.notices.add(notice)
        if snapshot is not self._seen:
            self._show_snapshot(snapshot)
        images = self.session.take_images()
        if images is not None:
            self._show_images(images)

    def _show_snapshot(self, snapshot: Snapshot) -> None:
        self._seen = snapshot
        self.bars.show_snapshot(snapshot)
        self.controls.show_snapshot(snapshot)
        self.facts.show_snapshot(snapshot)
        if snapshot.patterns is not self._patterns:
            self._patterns = snapshot.patterns
            self.lamps.show_health(pattern_health(snapshot.patterns, snapshot.nominal))
        if self.traces.push(snapshot):
            self.trace_panel.refresh()
        self._show_denoiser(snapshot.settings.denoiser)
        self._show_busy(snapshot)
        activity = snapshot.activity
        ready = activity not in (Activity.OPENING, Activity.BROKEN, Activity.CLOSED)
        for name in ("live", "snap", "record"):
            enabled = ready and not (name != "live" and activity is Activity.RECORDING)
            enabled = enabled and not (name == "live" and activity in (Activity.LIVE, Activity.RECORDING))
            self.actions_by_name[name].setEnabled(enabled)
            self.buttons[name].setEnabled(enabled)
        self.buttons["stop"].setText("STOPPING …" if activity is Activity.STOPPING else "STOP   (Esc)")

    def _show_images(self, images: Images) -> None:
        self.grid.show_pictures(
            images.channel,
            {"raw": images.raw, "widefield": images.widefield, "sim": images.sim, "denoised": images.denoised},
        )

    def _show_denoiser(self, name: str) -> None:
        """Show the pane of the denoised image when there is one, and hide it when there is not."""
        if name != self._denoiser:
            self._denoiser = name
            self.grid.show_pane("denoised", name != OFF)

    def _show_busy(self, snapshot: Snapshot) -> None:
        idle = {
            Activity.OPENING: "Loading the devices …",
            Activity.IDLE: "Press Live (Ctrl+L)",
            Activity.BROKEN: "The devices do not answer.\nMenu: Reconnect devices",
        }
        text = idle.get(snapshot.activity, snapshot.says)
        if text != self.grid.busy_text:
            self.grid.set_busy_text(text)

    # What the user does ---------------------------------------------------------------------------------

    def record(self) -> None:
        """Record what live view shows, to a folder named by date and time."""
        self.session.record(self.new_folder())

    def new_folder(self, name: str = "") -> Path:
        """Return a folder for a new recording, that is not there yet."""
        stamp = datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
        wanted = self.controls.folder / (f"{stamp}_{name}" if name else stamp)
        number, folder = 1, wanted
        while folder.exists():
            number += 1
            folder = wanted.with_name(f"{wanted.name}-{number}")
        return folder

    def picture(self) -> QImage:
        """Return what is seen, at twice the screen's resolution, to be saved or copied."""
        return self.grid.rendered(2.0)

    def copy_picture(self) -> None:
        """Copy what is seen."""
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setImage(self.picture())
            self.tell("the picture was copied")

    def save_picture(self, path: Path | None = None) -> None:
        """Save what is seen as PNG; asks for a name unless it is given one."""
        if path is None:
            stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
            start = self.memory.get("pictures", str(Path.home()))
            chosen, _ = QFileDialog.getSaveFileName(self, "Save picture", f"{start}/{stamp}.png", "Pictures (*.png)")
            if not chosen:
                return
            path = Path(chosen)
        self.memory.put(pictures=str(path.parent))
        if self.picture().save(str(path), "PNG"):
            self.tell(f"the picture was saved as {path}")
        else:
            self.tell(f"{path}: cannot be written; choose another place", Severity.ERROR)

    def tell(self, text: str, severity: Severity = Severity.INFO) -> None:
        """Show a notice of the window's own."""
        self.notices.add(Notice(0, severity, text))

    def _split(self, wanted: bool) -> None:
        pairs = ("sim", "denoised") if self._denoiser != OFF else ("widefield", "sim")
        self.grid.show_split(wanted, *pairs)

    def _choose_region(self, wanted: bool) -> None:
        for canvas in self.grid.canvases:
            if wanted:
                canvas.choosing_region = True
            else:
                canvas.cancel_region()

    def _region_dragged(self, left: float, top: float, width: float, height: float) -> None:
        self.controls.end_drag()
        snapshot, microscope = self.session.snapshot, self.session.microscope
        region, chip = snapshot.settings.region, snapshot.chip
        if region is None or chip is None or microscope is None:
            return
        pixel_um = microscope.optics.pixel_size_um
        self.session.change(region=dragged_region((left, top, width, height), pixel_um, region, chip))

    def _tick_panes(self) -> None:
        for name, _ in KINDS:
            action = self.actions_by_name[f"pane-{name}"]
            action.blockSignals(True)
            action.setChecked(self.grid.is_wanted(name))
            action.blockSignals(False)

    # What is remembered ---------------------------------------------------------------------------------

    def _recall(self) -> None:
        self.grid.history.load(self.memory.get("contrasts"))
        sizes = self.memory.get("splitter")
        if isinstance(sizes, list) and len(sizes) == 3 and all(isinstance(one, int) for one in sizes):
            self.splitter.setSizes(sizes)
        hidden = self.memory.get("hidden")
        for name, _ in KINDS:
            self.grid.show_pane(name, not (isinstance(hidden, list) and name in hidden))
        self.grid.show_pane("denoised", False)

    def remember(self) -> None:
        """Write down what is to be as it was at the next start."""
        settings = replace(self.session.snapshot.settings)
        self.memory.put(
            folder=str(self.controls.folder),
            contrasts=self.grid.history.as_list(),
            splitter=self.splitter.sizes(),
            hidden=[name for name, _ in KINDS if name != "denoised" and not self.grid.is_wanted(name)],
            settings={
                "channel": settings.channel,
                "power_percent": settings.power_percent,
                "exposure_ms": settings.exposure_ms,
                "region": settings.region,
                "denoiser": settings.denoiser,
            },
        )
        self.memory.save()

    def end(self) -> None:
        """Look after the session no more."""
        self._timer.stop()
        self.remember()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Room for the panes."""
        return QSize(1280, 720)


def _scrolled(widget: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(widget)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setMinimumWidth(widget.minimumSizeHint().width() + 18)
    return area
