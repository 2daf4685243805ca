"""The whole of it as one dockable widget: images, controls, lamps, curves, bars, the large stop."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QApplication,
    QGroupBox,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from rdl_live.view.common.column import Column
from rdl_live.view.common.memory import Memory
from rdl_live.view.help.commands import HelpCommands
from rdl_live.view.live.actions import Actions
from rdl_live.view.live.closing import Closing
from rdl_live.view.live.control_panel import ControlPanel
from rdl_live.view.live.head import Head
from rdl_live.view.live.image_trust import ImageTrust
from rdl_live.view.live.live_panes import LivePanes
from rdl_live.view.live.notice_strip import NoticeStrip
from rdl_live.view.live.pane_commands import PaneCommands
from rdl_live.view.live.panel import TakesPlaces
from rdl_live.view.live.panels import Panels
from rdl_live.view.live.picture_commands import PictureCommands
from rdl_live.view.live.region_tool import RegionTool
from rdl_live.view.live.session import (
    KINDS,
    Activity,
    Images,
    Notice,
    Session,
    Settings,
    Severity,
    Snapshot,
)
from rdl_live.view.live.state_bars import StateBars
from rdl_live.view.live.stop_key import StopKey
from rdl_live.view.panes.grid import PaneGrid

if TYPE_CHECKING:
    from rdl_live.view.panes.picture_file import Shot
    from rdl_live.view.retrain.state import Retrainer

REFRESH_MS = 33
"""The screen is looked after 30 times a second; what is late is skipped."""


class SimWidget(QWidget):
    """A microscope to sit at. Asks the session for everything; no device is touched from here."""

    open_wanted = Signal()
    """The user wants to open a recording; whoever hosts the widget does it."""

    def __init__(
        self,
        session: Session,
        memory: Memory | None = None,
        folder: Path | None = None,
        parent: QWidget | None = None,
        *,
        retrainer: "Retrainer | None" = None,
        defaults: Settings | None = None,
    ) -> None:
        """Make the widget; it looks after the session as long as it is shown.

        Args:
            session: the microscope; whoever made it closes it.
            memory: what is remembered for the next start.
            folder: where recordings go; by default what was remembered, or a folder of the user's.
            parent: as usual.
            retrainer: trains the denoiser on what was recorded; without one there is no window for it.
            defaults: what "Reset to defaults" sets; without them there is no such action.
        """
        super().__init__(parent)
        self.setObjectName("sim-widget")
        self.session, self._defaults = session, defaults
        self.memory = memory or Memory()
        self._seen: Snapshot | None = None
        self.images: Images | None = None
        """What is shown."""
        self._notice = 0
        self._closing = Closing(self)
        self.trust = ImageTrust()
        self.grid = PaneGrid(list(KINDS.items()))
        self.shown = LivePanes(self.grid)
        self.bars, self.notices = StateBars(), NoticeStrip()
        remembered = self.memory.get("folder")
        default = Path(remembered) if isinstance(remembered, str) else Path.home() / "rdl-live-recordings"
        self.controls = ControlPanel(session, folder or default)
        self.commands = Actions(self)
        self.retrainer = retrainer
        self.panels = Panels(self, self)
        self.pictures = PictureCommands(self, self.grid, self.memory, self._shot, _picture_name, self.notify)
        self.help = HelpCommands(self, self.panels.kinds, lambda: self.notices.everything(), self.notify)
        self._make_actions()
        self._lay_out()
        self._recall()
        self._regions = RegionTool(session, self.controls, self.grid)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(REFRESH_MS)
        self.refresh()
        application = QApplication.instance()
        if isinstance(application, QApplication):
            StopKey.of(application).add(session)
            # Not a method of this object, which is gone by then.
            self.destroyed.connect(partial(StopKey.of(application).remove, session))
            self.destroyed.connect(session.close)

    # What can be done -----------------------------------------------------------------------------------

    def _make_actions(self) -> None:
        session, add = self.session, self.commands.add
        add("acquire", "live", "Live", "Ctrl+L", "Show what the camera sees, without recording", session.live)
        add("acquire", "snap", "Snap", "Ctrl+K", "Take a single image", session.snap)
        add("acquire", "record", "Record", "Ctrl+R", "Record every raw frame until you stop", self.record)
        self._add_panels("acquire")
        tip = "Stop everything and turn the light off; works in every window, dialog and menu (Esc)"
        add("acquire", "stop", "STOP   (Esc)", "", tip, session.stop)  # the key is `StopKey`'s
        self._add_panels("devices")
        tip = "Unload the devices and load them again"
        add("devices", "reconnect", "Reconnect devices", "", tip, session.reconnect)
        if self._defaults is not None:
            tip = "Restore light, exposure, region and denoiser to their defaults"
            add("devices", "reset", "Reset to defaults", "", tip, self.reset)
        self.pictures.add_to(self.commands)
        tip = "Browse a recording with the same panes"
        add("picture", "open", "Open recording …", "Ctrl+O", tip, self.open_wanted.emit)
        self.panes = PaneCommands(self.commands, self.grid, KINDS, lambda: self.shown.best_two)
        self._add_panels("view")
        self.help.add_to(self.commands)

    def _add_panels(self, part: str) -> None:
        """Add what opens the panels of a part of the menus."""
        for kind in self.panels.kinds:
            if (how := kind.opened) is not None and how.part == part:
                self.commands.add(
                    part, kind.name, how.title, how.shortcut, how.tip, partial(self.panels.open, kind.name)
                )

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(3)
        self.head = Head(self.commands)
        column.addWidget(self.head)
        column.addWidget(self.bars)
        column.addWidget(self.notices)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(Column(self.controls))
        self.splitter.addWidget(self.grid)
        side = QWidget()
        rows = QVBoxLayout(side)
        rows.setContentsMargins(4, 4, 4, 4)
        for title, panel in self.panels.side:
            group = QGroupBox(title)
            inner = QVBoxLayout(group)
            inner.setContentsMargins(6, 2, 6, 6)
            inner.addWidget(panel)
            rows.addWidget(group)
        rows.addStretch(1)
        self.splitter.addWidget(Column(side))
        for index, stretch in enumerate((0, 1, 0)):
            self.splitter.setStretchFactor(index, stretch)
        self.splitter.setCollapsible(1, False)
        em = self.fontMetrics().averageCharWidth()
        self.splitter.setSizes([34 * em, 120 * em, 40 * em])
        column.addWidget(self.splitter, 1)

    # What is shown --------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Look after the session, and show what is new; called at the screen's rate."""
        snapshot = self.session.snapshot
        if snapshot.activity.busy and self._closing.is_closed:
            self.session.stop()  # light that nobody sees
        for notice in self.session.notices(self._notice):
            self._notice = notice.number
            self._tell(notice)
        if snapshot is not self._seen:
            self._show_snapshot(snapshot)
        images = self.session.take_images()
        if images is not None:
            self._show_images(images)
        self.grid.show_cautions(self.trust.cautions(snapshot))

    def _show_snapshot(self, snapshot: Snapshot) -> None:
        self._seen = snapshot
        self.bars.show_snapshot(snapshot)
        self.controls.show_snapshot(snapshot)
        if (microscope := self.session.microscope) is not None:
            self.shown.know(microscope)
        self.shown.show_snapshot(snapshot)
        self.head.show_snapshot(snapshot)
        self.panels.show_snapshot(snapshot)
        activity = snapshot.activity
        if self._defaults is not None:
            self.commands["reset"].setEnabled(activity in (Activity.IDLE, Activity.LIVE) and not snapshot.plan)

    def _show_images(self, images: Images) -> None:
        self.images = images
        self.shown.show_images(images)
        self.trust.see_images(images)
        self.panels.show_images(images)

    # What the user does ---------------------------------------------------------------------------------

    def record(self) -> None:
        """Record what live view shows, to a folder named by date and time."""
        self.session.record(self.new_folder())

    def reset(self) -> None:
        """Set everything as at the very first start, as if the user had turned each knob."""
        if self._defaults is not None:
            wanted = asdict(self._defaults)
            self.session.change(**{name: value for name, value in wanted.items() if value not in ("", None)})

    def new_folder(self, name: str = "") -> Path:
        """Return a folder for a new recording, that is not there yet."""
        stamp = f"{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}"
        wanted = self.controls.folder / (f"{stamp}_{name}" if name else stamp)
        number, folder = 1, wanted
        while folder.exists():
            number += 1
            folder = wanted.with_name(f"{wanted.name}-{number}")
        return folder

    @property
    def folder(self) -> Path:
        """Where recordings go."""
        return self.controls.folder

    def offer_denoiser(self, weights: str) -> None:
        """Add weights to the denoisers that the user can choose."""
        self.controls.offer(weights)

    def plan_places(self, places: Sequence[tuple[float, float, float | None, str]]) -> None:
        """Open the plan, and add places to it: x, y, z [um] and name of each."""
        self.panels.open("plan")
        plan = self.panels.get("plan")
        if isinstance(plan, TakesPlaces):
            plan.add_places(places)

    def notify(self, text: str, severity: Severity = Severity.INFO) -> None:
        """Show a notice of the window's own."""
        self._tell(Notice(0, severity, text))

    def _tell(self, notice: Notice) -> None:
        self.notices.add(notice)
        self.panels.show_notice(notice)

    def _shot(self) -> "Shot | None":
        from rdl_live.view.live.shot import shot_of

        doubt = self.commands["doubt"].isChecked()
        return None if self.images is None else shot_of(self.grid.best, self.images, self.session.snapshot, doubt)

    # What is remembered ---------------------------------------------------------------------------------

    def _recall(self) -> None:
        sizes = self.memory.get("splitter")
        if isinstance(sizes, list) and len(sizes) == 3 and all(isinstance(one, int) for one in sizes):
            self.splitter.setSizes(sizes)
        self.panes.recall(self.memory)

    def remember(self) -> None:
        """Write down what is to be as it was at the next start."""
        settings = replace(self.session.snapshot.settings)
        self.memory.put(
            folder=str(self.controls.folder),
            splitter=self.splitter.sizes(),
            settings={
                "channel": settings.channel,
                "power_percent": settings.power_percent,
                "exposure_ms": settings.exposure_ms,
                "region": settings.region,
                "denoiser": settings.denoiser,
                "memory": settings.memory,
            },
            **self.panes.to_remember(),
        )
        self.memory.save()

    def end(self) -> None:
        """Look after the session no more."""
        self._timer.stop()
        self.panels.close()  # while they are whole: a panel that is deleted with its window is hidden too late
        self.help.end()
        application = QApplication.instance()
        if isinstance(application, QApplication):
            StopKey.of(application).remove(self.session)
        self.remember()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Room for the panes."""
        return QSize(1280, 720)


def _picture_name() -> str:
    return f"{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}.png"
