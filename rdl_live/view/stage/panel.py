"""Stage and focus as a panel: it asks the session to move, and shows where everything is.

While it is open, Alt and the arrow keys move the stage, Alt+PgUp and Alt+PgDown the focus, and with "Move in the image"
a click in any pane centres it and a drag moves it. Nothing moves while something is recorded; Esc halts the stage, too.
"""

from qtpy.QtCore import Qt
from qtpy.QtGui import QHideEvent, QKeySequence, QShortcut, QShowEvent
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from rdl_live.view.live.panel import PanelHost
from rdl_live.view.live.session import Activity, Images, Severity, Snapshot
from rdl_live.view.stage.arrows import Arrows
from rdl_live.view.stage.mark_table import MarkTable
from rdl_live.view.stage.marks import Marks, Turn
from rdl_live.view.stage.stage_map import StageMap
from rdl_live.view.stage.tiles import Tiles

_BLOCKED = {
    Activity.RECORDING: "Nothing moves while a recording or a plan runs",
    Activity.SNAPPING: "Nothing moves during a snap",
    Activity.OPENING: "The devices are loading",
    Activity.BROKEN: "The devices do not answer; choose Reconnect devices",
    Activity.CLOSED: "The devices are closed",
}
_MARKS, _TURN = "stage_marks", "stage_turn"
_TURNS = (
    ("swapped", "Swap axes", "The image's x is the stage's y: tick if the image moves at right angles to the arrows"),
    ("flip_x", "Flip x", "Tick if the image moves to the wrong side on Left and Right"),
    ("flip_y", "Flip y", "Tick if the image moves to the wrong side on Up and Down"),
)


class StagePanel(QWidget):
    """Moves stage and focus of a window's session."""

    def __init__(self, host: PanelHost) -> None:
        """Show what is remembered; nothing moves yet."""
        super().__init__()
        self.setObjectName("stage-panel")
        self._host = host
        self.marks = Marks(host.memory.get(_MARKS))
        self.tiles = Tiles()
        self.turn = _remembered_turn(host.memory.get(_TURN))
        self._blocked = ""
        self._keys: list[QShortcut] = []
        self.where = QLabel("-")
        self.where.setObjectName("stage-where")
        self.where.setToolTip("Where stage and focus are, as they were read last")
        self.says = QLabel("")
        self.says.setObjectName("stage-says")
        self.arrows = Arrows()
        self.map = StageMap(self.marks)
        self.map.turn = self.turn
        self.table = MarkTable(self.marks)
        self.by_mouse = QPushButton("Move in the image")
        self.by_mouse.setObjectName("stage-by-mouse")
        self.by_mouse.setCheckable(True)
        self.by_mouse.setToolTip(
            "While this is on, a click in any pane centres that point, and a drag moves the sample with the mouse"
        )
        self._fields = [_number(axis) for axis in ("x", "y", "z")]
        self._lay_out()
        for button in self.findChildren(QPushButton):
            button.setAutoDefault(False)  # Enter in a field would press the first one, and move the stage
        self._connect()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        head = QHBoxLayout()
        head.addWidget(self.where, 1)
        head.addWidget(self.says)
        column.addLayout(head)
        middle = QHBoxLayout()
        left = QVBoxLayout()
        left.addWidget(self.arrows)
        left.addWidget(self.by_mouse)
        turns = QHBoxLayout()
        self._turns = []
        for name, text, tip in _TURNS:
            box = QCheckBox(text)
            box.setObjectName(f"stage-{name}")
            box.setToolTip(tip)
            box.setChecked(bool(getattr(self.turn, name)))
            box.toggled.connect(self._turned)
            turns.addWidget(box)
            self._turns.append(box)
        left.addLayout(turns)
        left.addStretch(1)
        middle.addLayout(left)
        middle.addWidget(self.map, 1)
        column.addLayout(middle, 1)
        line = QHBoxLayout()
        for axis, field in zip("xyz", self._fields, strict=True):
            line.addWidget(QLabel(axis))
            line.addWidget(field, 1)
        self.go_button = _button("stage-go", "Go to", "Drive to the position beside; Esc halts the stage")
        self.here_button = _button("stage-copy", "Copy here", "Put where the stage is now into the fields beside")
        self.clear_button = _button("stage-clear", "Clear map", "Forget the images on the map; the marked places stay")
        self.all_button = _button("stage-follow", "Follow stage", "Show where the stage is, at the first zoom")
        for button in (self.go_button, self.here_button, self.all_button, self.clear_button):
            line.addWidget(button)
        column.addLayout(line)
        column.addWidget(self.table)

    def _connect(self) -> None:
        session = self._host.session
        self.arrows.xy_wanted.connect(self._look_further)
        self.arrows.z_wanted.connect(lambda up: session.move({"z": up}, by=True))
        self.map.place_wanted.connect(self._go)
        self.by_mouse.toggled.connect(self._arm)
        self._host.grid.place_clicked.connect(self._centre)
        self._host.grid.dragged.connect(self._drag)
        self.go_button.clicked.connect(self._go_to_fields)
        self.here_button.clicked.connect(self._copy_here)
        self.clear_button.clicked.connect(self._clear)
        self.all_button.clicked.connect(self.map.show_all)
        self.table.mark_wanted.connect(self._mark)
        self.table.go_wanted.connect(self._go_to_mark)
        self.table.plan_wanted.connect(self._plan)
        self.table.changed.connect(self._remember)
        for owner in (self, self._host):
            if isinstance(owner, QWidget):
                self._add_keys(owner)

    def _add_keys(self, owner: QWidget) -> None:
        step, step_z = self.arrows.step, self.arrows.step_z
        for key, do in (
            ("Alt+Left", lambda: step(-1, 0)),
            ("Alt+Right", lambda: step(1, 0)),
            ("Alt+Up", lambda: step(0, -1)),
            ("Alt+Down", lambda: step(0, 1)),
            ("Alt+PgUp", lambda: step_z(1)),
            ("Alt+PgDown", lambda: step_z(-1)),
        ):
            shortcut = QShortcut(QKeySequence(key), owner)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.setEnabled(False)  # until the panel is open
            shortcut.activated.connect(lambda d=do: self._blocked or d())
            self._keys.append(shortcut)

    # What is shown --------------------------------------------------------------------------------------

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show where everything is, and whether it may move."""
        self.tiles.see_snapshot(snapshot)
        stage = snapshot.stage
        parts = [f"x {stage.xy_um[0]:.2f}, y {stage.xy_um[1]:.2f}"] if stage.xy_um else []
        parts += [f"z {stage.z_um:.2f}"] if stage.z_um is not None else []
        self.where.setText((", ".join(parts) + " µm") if parts else "No stage and no focus drive answers")
        self._blocked = _BLOCKED.get(snapshot.activity, "") or ("A plan runs: nothing moves" if snapshot.plan else "")
        self.says.setText(self._blocked or ("moving … (Esc halts)" if stage.moving else ""))
        self._allow(stage.xy_um is not None and not self._blocked, stage.z_um is not None and not self._blocked)
        self.map.show_place(stage.xy_um, self.arrows.field_um)

    def show_images(self, images: Images) -> None:
        """Take note of the field, and put the image on the map."""
        picture = next(iter(images.pictures.values()), None)
        if picture is not None:
            self.arrows.field_um = picture.field_um
        if self.tiles.see_images(images):
            self.map.show_tiles(self.tiles.all)

    def _allow(self, xy: bool, z: bool) -> None:
        for button in self.arrows.xy_buttons:
            button.setEnabled(xy)
        for button in self.arrows.z_buttons:
            button.setEnabled(z)
        for field, on in zip(self._fields, (xy, xy, z), strict=True):
            field.setEnabled(on)
        self.go_button.setEnabled(xy or z)
        self.table.go_button.setEnabled(xy)
        self.by_mouse.setEnabled(xy)
        if not xy and self.by_mouse.isChecked():
            self.by_mouse.setChecked(False)  # nothing is armed that does nothing

    # What the user does ---------------------------------------------------------------------------------

    def _look_further(self, right_um: float, down_um: float) -> None:
        x, y = self.turn.to_stage(right_um, down_um)
        self._host.session.move({"x": x, "y": y}, by=True)

    def _centre(self, x_um: float, y_um: float) -> None:
        if not self._blocked:
            height, width = self._host.grid.viewport.field_um
            self._look_further(x_um - width / 2, y_um - height / 2)

    def _drag(self, right_um: float, down_um: float) -> None:
        if not self._blocked:
            self._look_further(-right_um, -down_um)  # the sample follows the mouse

    def _arm(self, armed: bool) -> None:
        self.by_mouse.setText("Moving in the image: on" if armed else "Move in the image")
        self._host.grid.move_by_mouse(armed)

    def _go_to_fields(self) -> None:
        stage = self._host.session.snapshot.stage
        x, y, z = (field.value() for field in self._fields)
        places = {"x": x, "y": y} if stage.xy_um is not None else {}
        self._host.session.move(places | ({"z": z} if stage.z_um is not None else {}))

    def _copy_here(self) -> None:
        stage = self._host.session.snapshot.stage
        for field, value in zip(self._fields, (*(stage.xy_um or (None, None)), stage.z_um), strict=True):
            if value is not None:
                field.setValue(value)

    def _mark(self) -> None:
        stage = self._host.session.snapshot.stage
        if stage.xy_um is None:
            self._host.notify("no stage answers: there is no place to mark", Severity.WARNING)
            return
        self.marks.add(*stage.xy_um, stage.z_um)
        self.table.refresh()
        self._remember()

    def _go_to_mark(self, row: int) -> None:
        self._go(*self.marks.place(row))

    def _go(self, x_um: float, y_um: float, z_um: float | None = None) -> None:
        if not self._blocked:
            places = {"x": x_um, "y": y_um}
            self._host.session.move(places if z_um is None else {**places, "z": z_um})

    def _plan(self) -> None:
        self._host.plan_places([(mark.x_um, mark.y_um, mark.z_um, mark.name) for mark in self.marks])

    def _clear(self) -> None:
        self.tiles.clear()
        self.map.show_tiles([])

    def _turned(self) -> None:
        self.turn = Turn(*(box.isChecked() for box in self._turns))
        self.map.turn = self.turn
        self.map.show_all()
        self._remember()

    def _remember(self) -> None:
        turn = [self.turn.swapped, self.turn.flip_x, self.turn.flip_y]
        self._host.memory.put(**{_MARKS: self.marks.to_remember(), _TURN: turn})
        self._host.memory.save()
        self.map.update()

    # Open and closed ------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Listen to the keys."""
        super().showEvent(event)
        for key in self._keys:
            key.setEnabled(True)

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Nothing moves by mouse or keys while the panel is not seen."""
        super().hideEvent(event)
        self.by_mouse.setChecked(False)
        for key in self._keys:
            key.setEnabled(False)


def make(host: PanelHost) -> StagePanel:
    """Return the panel."""
    return StagePanel(host)


def _remembered_turn(found: object) -> Turn:
    fits = isinstance(found, list) and len(found) == 3 and all(isinstance(one, bool) for one in found)
    return Turn(*found) if fits else Turn()  # type: ignore[misc]


def _number(axis: str) -> QDoubleSpinBox:
    field = QDoubleSpinBox()
    field.setObjectName(f"stage-to-{axis}")
    field.setToolTip(f"{axis} to go to [µm]")
    field.setRange(-1e6, 1e6)
    field.setDecimals(2)
    field.setSuffix(" µm")
    return field


def _button(name: str, text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setToolTip(tip)
    return button
