"""The whole of it as one dockable widget: images, controls, lamps, curves, bars, the large stop."""

import time
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtGui import QImage
from qtpy.QtWidgets import (
    QApplication,
    QDockWidget,
    QFileDialog,
    QFrame,
    QGroupBox,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from rdl_live._names import NO_DENOISER
from rdl_live.errors import RdlError
from rdl_live.view.common.memory import Memory
from rdl_live.view.common.theme import AMBER, RED
from rdl_live.view.common.wrapped import wrapped
from rdl_live.view.live.actions import Actions
from rdl_live.view.live.control_panel import ControlPanel
from rdl_live.view.live.image_trust import ImageTrust
from rdl_live.view.live.notice_strip import NoticeStrip
from rdl_live.view.live.panels import Panels
from rdl_live.view.live.regions import dragged_region
from rdl_live.view.live.session import (
    KINDS,
    TRUTH,
    Activity,
    Images,
    Notice,
    Session,
    Settings,
    Severity,
    Snapshot,
    title_of,
)
from rdl_live.view.live.state_bars import StateBars
from rdl_live.view.live.stop_key import StopKey
from rdl_live.view.panes.grid import PaneGrid

if TYPE_CHECKING:
    from rdl_live.view.panes.picture_file import Shot
    from rdl_live.view.retrain.state import Retrainer

_DID = {"denoised": "denoised", "sr": "super-resolved"}
"""What a stage has done, for the caption of its image."""
ERROR_TIP = (
    "Difference from the true specimen, which a simulated microscope knows: root mean square, relative to the "
    "specimen's own contrast. 0 is perfect, 1 is no better than a grey image"
)
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
        self._was_shown = False
        self._denoiser = NO_DENOISER
        self._extra: frozenset[str] = frozenset()
        """Names of the pictures that not every microscope gives, and that have panes."""
        self.trust = ImageTrust()
        self.grid = PaneGrid(list(KINDS.items()))
        self.bars, self.notices = StateBars(), NoticeStrip()
        remembered = self.memory.get("folder")
        default = Path(remembered) if isinstance(remembered, str) else Path.home() / "rdl-live-recordings"
        self.controls = ControlPanel(session, folder or default)
        self.commands = Actions(self)
        self.retrainer = retrainer
        self.panels = Panels(self, self)
        self._make_actions()
        self._lay_out()
        self._recall()
        self.controls.region_wanted.connect(self._choose_region)
        self.grid.region_dragged.connect(self._region_dragged)
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
            tip = "Light, exposure, region and denoiser as at the very first start"
            add("devices", "reset", "Reset to defaults", "", tip, self.reset)
        add(
            "picture",
            "save",
            "Save picture …",
            "Ctrl+S",
            "Save an image with scale bar, or its values",
            self.save_picture,
        )
        add(
            "picture",
            "copy",
            "Copy picture",
            "Ctrl+Shift+C",
            "Copy what is seen, with the scale bar",
            self.copy_picture,
        )
        tip = "Browse a recording with the same panes"
        add("picture", "open", "Open recording …", "Ctrl+O", tip, self.open_wanted.emit)
        self._make_view_actions()

    def _make_view_actions(self) -> None:
        grid, add = self.grid, self.commands.add
        for number, (name, title) in enumerate(KINDS.items(), start=1):
            tip = f"Show or hide the {title} pane"
            show = partial(grid.show_pane, name)
            add("view", f"pane-{name}", f"{title} pane", f"Ctrl+{number}", tip, show, checkable=True)
        tip = "Two images in one, with a line to drag"
        add("view", "split", "Compare two by a line", "Ctrl+T", tip, self._split, checkable=True)
        tip = "Shade where the denoised image should not be believed: its expected error is large there"
        add("view", "doubt", "Shade doubtful places", "Ctrl+D", tip, grid.show_doubt, checkable=True)
        self._add_panels("view")
        add("view", "fit", "Whole field", "Ctrl+0", "Show the whole field in all panes", grid.viewport.fit)
        add("view", "undo", "Undo contrast", "Ctrl+Z", "Take the last change of a contrast back", grid.undo)
        add("view", "redo", "Redo contrast", "Ctrl+Shift+Z", "Make it again", grid.redo)
        grid.layout_changed.connect(self._tick_panes)

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
        column.addLayout(self._made_head())
        column.addWidget(self.bars)
        column.addWidget(self.notices)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(_scrolled(self.controls))
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
        for name in ("live", "snap", "record", "plan"):
            button = self._button(name)
            row.addWidget(button)
        self.menu_button = QToolButton()
        self.menu_button.setText("View and picture")
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.menu_button.setMenu(self.commands.menu("view", "picture", "devices"))
        self.menu_button.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        row.addWidget(self.menu_button)
        self.state = wrapped()
        self.state.setObjectName("state")
        self.state.setAlignment(Qt.AlignmentFlag.AlignCenter)
        row.addWidget(self.state, 1)
        stop = self._button("stop")
        stop.setMinimumWidth(stop.fontMetrics().averageCharWidth() * 30)
        stop.setStyleSheet(
            f"QPushButton {{ background: {RED}; color: white; font-weight: bold; border-radius: 4px; padding: 6px; }}"
            "QPushButton:pressed { background: #7f0000; }"
        )
        row.addWidget(stop)
        return row

    def _button(self, name: str) -> QPushButton:
        action = self.commands[name]
        button = QPushButton(action.text())
        button.setObjectName(f"button-{name}")
        button.setToolTip(action.toolTip())
        button.setMinimumHeight(2 * button.fontMetrics().height() + 2)
        button.setMinimumWidth(button.fontMetrics().averageCharWidth() * 13)
        button.clicked.connect(action.trigger)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.buttons[name] = button
        return button

    # What is shown --------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Look after the session, and show what is new; called at the screen's rate."""
        snapshot = self.session.snapshot
        if snapshot.activity.busy and self._is_closed():
            self.session.stop()  # light that nobody sees
        for notice in self.session.notices(self._notice):
            self._notice = notice.number
            self.notices.add(notice)
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
        self._show_denoiser(snapshot.settings.denoiser)
        self._show_busy(snapshot)
        self._show_state(snapshot)
        self.panels.show_snapshot(snapshot)
        activity = snapshot.activity
        ready = activity not in (Activity.OPENING, Activity.BROKEN, Activity.CLOSED)
        for name in ("live", "snap", "record"):
            enabled = ready and not (name != "live" and activity is Activity.RECORDING)
            enabled = enabled and not (name == "live" and activity in (Activity.LIVE, Activity.RECORDING))
            self.commands[name].setEnabled(enabled)
            self.buttons[name].setEnabled(enabled)
        if self._defaults is not None:
            self.commands["reset"].setEnabled(activity in (Activity.IDLE, Activity.LIVE) and not snapshot.plan)
        self.buttons["stop"].setText("STOPPING …" if activity is Activity.STOPPING else "STOP   (Esc)")

    def _show_images(self, images: Images) -> None:
        self.images = images
        self._show_panes(images)
        self.grid.show_pictures(images.channel, {**dict.fromkeys(self.grid.panes), **images.pictures})
        self.trust.see_images(images)
        self.panels.show_images(images)

    def _show_panes(self, images: Images) -> None:
        """Give every image that the stage makes a pane, and hide those of a stage before."""
        grid = self.grid
        extra = frozenset(images.pictures) - frozenset(KINDS)
        if extra != self._extra:  # only then: what the user hides stays hidden
            for name in images.pictures:
                grid.add_pane(name, title_of(name))
                grid.panes[name].reference = name == TRUTH
            for name in extra ^ self._extra:
                grid.show_pane(name, name in extra)
            self._extra = extra
        for name, pane in grid.panes.items():
            error = images.errors.get(name)
            pane.show_note("" if error is None else f"error {error:.2f}", ERROR_TIP)
        if images.by_network and images["denoised"] is None and grid.is_wanted("denoised"):
            grid.show_pane("denoised", False)

    def _show_denoiser(self, name: str) -> None:
        """Show the pane of the denoised image when there is one, and hide it when there is not."""
        if name != self._denoiser:
            self._denoiser = name
            self.grid.show_pane("denoised", name != NO_DENOISER)

    def _show_busy(self, snapshot: Snapshot) -> None:
        idle = {
            Activity.OPENING: "Loading the devices …",
            Activity.IDLE: "Press Live (Ctrl+L)",
            Activity.BROKEN: "The devices do not answer.\nMenu: Reconnect devices",
        }
        text = idle.get(snapshot.activity, snapshot.says)
        if text != self.grid.busy_text:
            self.grid.set_busy_text(text)

    def _show_state(self, snapshot: Snapshot) -> None:
        text = snapshot.says
        if snapshot.stalled_s:
            text = f"<b style='color:{AMBER}'>nothing from the camera for {snapshot.stalled_s:.0f} s</b>"
        if text != self.state.text():
            self.state.setText(text)

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
        stamp = datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
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
        """Save the best image that is shown, as picture (.png) or values (.tif); asks for a name unless given one."""
        from rdl_live.view.panes.picture_file import save

        shot = self._shot()
        if shot is None:
            self.tell("there is no image to be saved yet", Severity.WARNING)
            return
        asked = path is None
        if path is None:
            folder = self.memory.get("pictures", str(Path.home()))
            name = f"{folder}/{time.strftime('%Y-%m-%d_%H-%M-%S')}.png"
            kinds = "Picture with scale bar (*.png);;Values (*.tif)"
            chosen, kind = QFileDialog.getSaveFileName(self, "Save picture", name, kinds)
            if not chosen:
                return
            path = Path(chosen)
            if not path.suffix:
                path = path.with_suffix(".tif" if "tif" in kind else ".png")
        self.memory.put(pictures=str(path.parent))
        try:
            save(shot, path, overwrite=asked)  # the dialog has asked already
        except RdlError as error:
            self.tell(str(error), Severity.ERROR)
        else:
            self.tell(f"the picture was saved as {path}")

    def _shot(self) -> "Shot | None":
        """Return the best image that is shown, with what is known of it."""
        from rdl_live.view.panes.picture_file import Caption, Shot

        pane, images, snapshot = self.grid.best, self.images, self.session.snapshot
        if pane.picture is None or images is None:
            return None
        facts = [f"{_DID.get(pane.name, 'made')} by {images.denoiser}"] if pane.name in images.by_network else []
        title, now = f"{pane.title}, {images.channel}", datetime.now().astimezone()
        caption = Caption(title, now, snapshot.readings.photons, tuple(facts), pane.caution)
        provenance = {
            "denoiser": images.denoiser if pane.name in images.by_network else NO_DENOISER,
            "patterns": None if images.patterns is None else images.patterns.model_dump(mode="json"),
        }
        doubt = self.commands["doubt"].isChecked()
        return Shot(pane.picture, pane.contrast, caption, doubt, images.channel, provenance)

    def tell(self, text: str, severity: Severity = Severity.INFO) -> None:
        """Show a notice of the window's own."""
        self.notices.add(Notice(0, severity, text))

    def _split(self, wanted: bool) -> None:
        pairs = ("sim", "denoised") if self._denoiser != NO_DENOISER else ("widefield", "sim")
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
        for name in KINDS:
            self.commands.tick(f"pane-{name}", self.grid.is_wanted(name))
        self.commands.tick("split", self.grid.splits)

    # What is remembered ---------------------------------------------------------------------------------

    def _recall(self) -> None:
        self.grid.history.load(self.memory.get("contrasts"))
        sizes = self.memory.get("splitter")
        if isinstance(sizes, list) and len(sizes) == 3 and all(isinstance(one, int) for one in sizes):
            self.splitter.setSizes(sizes)
        hidden = self.memory.get("hidden")
        for name in KINDS:
            self.grid.show_pane(name, not (isinstance(hidden, list) and name in hidden))
        self.grid.show_pane("denoised", False)

    def remember(self) -> None:
        """Write down what is to be as it was at the next start."""
        settings = replace(self.session.snapshot.settings)
        self.memory.put(
            folder=str(self.controls.folder),
            contrasts=self.grid.history.as_list(),
            splitter=self.splitter.sizes(),
            hidden=[name for name in KINDS if name != "denoised" and not self.grid.is_wanted(name)],
            settings={
                "channel": settings.channel,
                "power_percent": settings.power_percent,
                "exposure_ms": settings.exposure_ms,
                "region": settings.region,
                "denoiser": settings.denoiser,
            },
        )
        self.memory.save()

    def _is_closed(self) -> bool:
        """Whether window or dock was closed after it had been shown; not where it is minimised, or behind a tab."""
        self._was_shown = self._was_shown or self.isVisible()
        if not self._was_shown or self.isVisible():
            return False
        parent: QWidget | None = self
        while parent is not None and not isinstance(parent, QDockWidget):
            parent = parent.parentWidget()
        action = None if parent is None else parent.toggleViewAction()
        window = self.window()
        return (window is not None and window.isHidden()) or (action is not None and not action.isChecked())

    def end(self) -> None:
        """Look after the session no more."""
        self._timer.stop()
        application = QApplication.instance()
        if isinstance(application, QApplication):
            StopKey.of(application).remove(self.session)
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
