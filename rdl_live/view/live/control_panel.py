"""What the user sets: light, region, denoiser, place of recordings; of the demo also the specimen."""

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from rdl_live._names import NO_DENOISER
from rdl_live.view.common.no_wheel import without_wheel
from rdl_live.view.common.number_row import NumberRow
from rdl_live.view.common.wrapped import wrapped
from rdl_live.view.live.demo_light import DemoLight, light_for, photons_of
from rdl_live.view.live.session import Activity, DemoKnobs, Session, Snapshot

CAMERAS = {"ideal": "ideal (even pixels)", "scmos": "sCMOS", "emccd": "EMCCD"}
"""Cameras of the simulated microscope, and their names."""


class ControlPanel(QWidget):
    """Passes on to the session what the user sets, and shows what is set."""

    region_wanted = Signal(bool)
    """Whether the next drag in an image chooses a region."""
    folder_changed = Signal()

    def __init__(self, session: Session, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.folder = folder
        self._channels: tuple[str, ...] = ()
        self._denoisers: tuple[str, ...] = ()
        self._offered: tuple[str, ...] = ()
        self._kinds: tuple[str, ...] = ()
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(6)
        for group in (self._demo(), self._light(), self._processing(), self._region(), self._place()):
            column.addWidget(group)
        column.addStretch(1)
        self._show_folder()

    def _light(self) -> QGroupBox:
        group = QGroupBox("Light")
        self.channel = QComboBox()
        self.channel.setObjectName("channel")
        self.channel.setToolTip("Laser line, with the colour that the microscope file gives it")
        self.channel.activated.connect(lambda _: self._session.change(channel=self.channel.currentText()))
        without_wheel(self.channel)
        self._channel_row = QWidget()
        row = QHBoxLayout(self._channel_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("Laser line"))
        row.addWidget(self.channel, 1)
        self.power = NumberRow(
            "power",
            "Power",
            "%",
            0.1,
            100.0,
            tip="Laser power in percent of full power. Less light is gentler on cells.",
        )
        self.exposure = NumberRow(
            "exposure",
            "Exposure",
            "ms",
            0.5,
            1000.0,
            tip="Exposure time of each raw frame",
        )
        self.power.changed.connect(lambda value: self._session.change(power_percent=value))
        self.exposure.changed.connect(lambda value: self._session.change(exposure_ms=value))
        self.light_words = wrapped()
        self.light_words.setToolTip("Light on the sample now, and for each super-resolved image")
        return _filled(group, self._channel_row, self.power, self.exposure, self.light_words)

    def _processing(self) -> QGroupBox:
        group = QGroupBox("Denoising")
        self.denoiser = QComboBox()
        self.denoiser.setObjectName("denoiser")
        self.denoiser.setToolTip(
            "A network that denoises dim images. The SIM pane beside it never uses one, so you can compare."
        )
        self.denoiser.activated.connect(lambda _: self._session.change(denoiser=str(self.denoiser.currentData())))
        self.memory = QCheckBox("Use earlier series where nothing changes")
        self.memory.setObjectName("use-memory")
        self.memory.setToolTip(
            "Less noise where the sample does not move, or moves slowly: up to six series are combined. What has "
            "changed is shown from the newest series alone. Paused while series arrive faster than this computer can "
            "combine them. The view menu can shade where earlier series are used."
        )
        self.memory.clicked.connect(lambda wanted: self._session.change(memory=bool(wanted)))
        return _filled(group, self.denoiser, self.memory)

    def _region(self) -> QGroupBox:
        group = QGroupBox("Camera region")
        self.region_words = QLabel("")
        self.drag = QPushButton("Drag …")
        self.drag.setObjectName("drag-region")
        self.drag.setCheckable(True)
        self.drag.setToolTip("Click, then drag a rectangle in any image; smaller regions are faster")
        self.drag.toggled.connect(self.region_wanted)
        self.whole = QPushButton("Whole chip")
        self.whole.setObjectName("whole-chip")
        self.whole.setToolTip("Read the whole camera chip")
        self.whole.clicked.connect(self._whole_chip)
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.drag)
        line.addWidget(self.whole)
        return _filled(group, self.region_words, row)

    def _place(self) -> QGroupBox:
        group = QGroupBox("Recordings go to")
        self.folder_words = QLabel("")
        self.folder_words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        change = QPushButton("Change …")
        change.setToolTip("Choose the folder; each recording gets its own folder inside it")
        change.clicked.connect(self._choose_folder)
        return _filled(group, self.folder_words, change)

    def _demo(self) -> QGroupBox:
        self.demo = QGroupBox("Simulated specimen")
        form = QFormLayout()
        self.kind = QComboBox()
        self.kind.setObjectName("kind")
        self.kind.setToolTip("The specimen under the simulated microscope")
        self.kind.activated.connect(lambda _: self._session.turn(kind=self.kind.currentText()))
        form.addRow("Kind", self.kind)
        self.photons = NumberRow(
            "photons",
            "Brightness",
            "/ms",
            0.01,
            100.0,
            tip="Photons per pixel and millisecond from the dye at full power",
            decimals=2,
        )
        self.photons.changed.connect(lambda value: self._session.turn(photons_per_ms=value))
        self.speed = NumberRow(
            "speed", "Motion", "µm/s", 0.01, 5.0, tip="How fast the specimen moves", zero=True, decimals=2
        )
        self.speed.changed.connect(lambda value: self._session.turn(speed_um_s=value))
        head = QWidget()
        head.setLayout(form)
        form.setContentsMargins(0, 0, 0, 0)
        self.camera = QComboBox()
        self.camera.setObjectName("demo-camera")
        self.camera.setToolTip("Type of camera: ideal, sCMOS with uneven pixels, or EMCCD")
        for name, title in CAMERAS.items():
            self.camera.addItem(title, name)
        self.camera.activated.connect(lambda _: self._session.turn(camera=str(self.camera.currentData())))
        for box in (self.kind, self.camera):
            without_wheel(box)
        form.addRow("Camera", self.camera)
        self.demo_light = DemoLight()
        self.demo_light.changed.connect(self._light_wanted)
        self.demo.setVisible(False)
        return _filled(self.demo, self.demo_light, head, self.photons, self.speed)

    # What is shown --------------------------------------------------------------------------------------

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show what is set."""
        settings = snapshot.settings
        if snapshot.channels and snapshot.channels != self._channels:
            self._channels = snapshot.channels
            self.channel.clear()
            self.channel.addItems(list(snapshot.channels))
            self._channel_row.setVisible(len(snapshot.channels) > 1)
        self._show_denoisers((*snapshot.denoisers, *self._offered, settings.denoiser))
        self.channel.setCurrentText(settings.channel)
        if (index := self.denoiser.findData(settings.denoiser)) >= 0 and not self.denoiser.hasFocus():
            self.denoiser.setCurrentIndex(index)
        self.memory.setChecked(settings.memory)
        self.power.show_value(settings.power_percent)
        self.exposure.show_value(settings.exposure_ms)
        region = settings.region
        _say(self.region_words, "as the camera is set" if region is None else f"{region[2]} x {region[3]} pixels")
        _say(self.light_words, self._light_in_words(snapshot))
        # A recording stays what it was begun as: what cannot be changed now does not pretend to be.
        planned, recording = bool(snapshot.plan), snapshot.activity is Activity.RECORDING
        for widget in (self.channel, self.drag, self.whole, self.memory):
            widget.setEnabled(not recording and not planned)
        for row in (self.power, self.exposure):
            row.setEnabled(not planned)
        self._show_demo(snapshot.demo)
        self.demo_light.setEnabled(not planned)
        if snapshot.demo is not None:
            self.demo_light.show_photons(photons_of(settings, snapshot.demo.seen_per_ms))

    def _show_denoisers(self, names: tuple[str, ...]) -> None:
        found = tuple(dict.fromkeys(names))
        if found == self._denoisers:
            return
        self._denoisers = found
        self.denoiser.clear()
        for name in found:
            file = Path(name)
            self.denoiser.addItem("Off" if name == NO_DENOISER else file.stem, name)
            if file.suffix:
                self.denoiser.setItemData(self.denoiser.count() - 1, name, Qt.ItemDataRole.ToolTipRole)

    def _show_demo(self, demo: DemoKnobs | None) -> None:
        if demo is None:
            return
        self.demo.setVisible(True)
        if demo.kinds != self._kinds:
            self._kinds = demo.kinds
            self.kind.clear()
            self.kind.addItems(list(demo.kinds))
        if not self.kind.hasFocus():
            self.kind.setCurrentText(demo.kind)
        if (index := self.camera.findData(demo.camera)) >= 0 and not self.camera.hasFocus():
            self.camera.setCurrentIndex(index)
        self.photons.show_value(demo.photons_per_ms)
        self.speed.show_value(demo.speed_um_s)

    def _light_in_words(self, snapshot: Snapshot) -> str:
        settings, microscope = snapshot.settings, self._session.microscope
        if snapshot.plan:
            return f"Locked: the plan {snapshot.plan!r} sets the light. The bar above shows what is on."
        if microscope is None or settings.channel not in snapshot.channels:
            return ""
        full = snapshot.powers_w_cm2[snapshot.channels.index(settings.channel)]
        if full is None:
            return "dose unknown: the microscope file has no full_irradiance_w_cm2"
        now = full * settings.power_percent / 100
        series = now * microscope.pattern.frames * settings.exposure_ms * 1e-3
        return f"{now:.3g} W/cm² on the sample\n{series:.2g} J/cm² per image"

    # What the user does ---------------------------------------------------------------------------------

    def offer(self, denoiser: str) -> None:
        """Let a weight file be chosen from now on."""
        self._offered = tuple(dict.fromkeys((*self._offered, denoiser)))

    def end_drag(self) -> None:
        """The region has been chosen."""
        self.drag.setChecked(False)

    def set_folder(self, folder: Path) -> None:
        """Let recordings go to another folder."""
        self.folder = folder
        self._show_folder()
        self.folder_changed.emit()

    def _whole_chip(self) -> None:
        if (chip := self._session.snapshot.chip) is not None:
            self._session.change(region=(0, 0, *chip))

    def _light_wanted(self, photons: float) -> None:
        snapshot = self._session.snapshot
        if snapshot.demo is not None:
            self._session.change(**light_for(photons, snapshot.settings, snapshot.demo.seen_per_ms))

    def _choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Where recordings go", str(self.folder))
        if chosen:
            self.set_folder(Path(chosen))

    def _show_folder(self) -> None:
        text = str(self.folder)
        home = str(Path.home())
        short = "~" + text[len(home) :] if text.startswith(home) else text
        self.folder_words.setText(short if len(short) < 34 else "… " + short[-30:])
        self.folder_words.setToolTip(text)
        self._session.watch_disk(self.folder)


def _filled(group: QGroupBox, *widgets: QWidget) -> QGroupBox:
    column = QVBoxLayout(group)
    column.setContentsMargins(6, 2, 6, 6)
    column.setSpacing(3)
    for widget in widgets:
        column.addWidget(widget)
    return group


def _say(label: QLabel, text: str) -> None:
    if label.text() != text:
        label.setText(text)
