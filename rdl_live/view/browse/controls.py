"""What chooses the image of a recording: time, colour, position, plane, raw frame, denoiser."""

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QStyle,
    QVBoxLayout,
    QWidget,
)

from rdl_live._names import NO_DENOISER
from rdl_live.view.browse.images import Request
from rdl_live.view.browse.marks import Marks
from rdl_live.view.browse.source import Sizes, Where
from rdl_live.view.browse.time_strip import TimeStrip

PLAY_MS = 100


class BrowseControls(QWidget):
    """Sliders and boxes; signals each time another image is wanted."""

    wanted = Signal(object)
    """A `Request`."""

    def __init__(self, sizes: Sizes, marks: Marks, denoisers: Sequence[str], parent: QWidget | None = None) -> None:
        """Make controls for a recording of these sizes; what there is only one of is not shown."""
        super().__init__(parent)
        self._sizes, self.marks = sizes, marks
        self.ready = True
        """Whether the image that was asked for is there; playing waits for it."""
        self.time, self.number = _slider(sizes.times, "browse-time", "Time point"), QSpinBox()
        self.number.setObjectName("browse-time-number")
        self.number.setRange(1, sizes.times)
        self.number.setSuffix(f" / {sizes.times}")
        self.number.setKeyboardTracking(False)
        self.strip = TimeStrip()
        self.channel = _box("browse-channel", "Colour", [(name, i) for i, name in enumerate(sizes.channels)])
        self.position = _slider(sizes.positions, "browse-position", "Stage position")
        self.z = _slider(sizes.z_planes, "browse-z", "Plane")
        frames = [
            (f"orientation {a + 1}, phase {p + 1}", (a, p)) for a in range(sizes.angles) for p in range(sizes.phases)
        ]
        self.frame = _box("browse-frame", "Which raw frame of the series is shown", frames)
        names = [("off" if name == NO_DENOISER else name, name) for name in denoisers]
        self.denoiser = _box("browse-denoiser", "Denoise each image as it is shown, with these weights", names)
        self.state = QLabel()
        self.state.setObjectName("browse-state")
        self.state.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._position_words, self._z_words = QLabel(), QLabel()
        self._timer = QTimer(self)
        self._timer.setInterval(PLAY_MS)
        self._timer.timeout.connect(self._play_on)
        self._lay_out()
        self.show_marks(marks)
        self._connect()

    def _lay_out(self) -> None:
        self.play = self._button("Play", QStyle.StandardPixmap.SP_MediaPlay, "Play the time-lapse (space)", "play")
        self.play.setCheckable(True)
        self.back = self._button(
            "", QStyle.StandardPixmap.SP_MediaSkipBackward, "To the previous marked series", "back"
        )
        self.on = self._button("", QStyle.StandardPixmap.SP_MediaSkipForward, "To the next marked series", "on")
        times = QVBoxLayout()
        times.setSpacing(1)
        times.addWidget(self.time)
        times.addWidget(self.strip)
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.play)
        first.addWidget(self.back)
        first.addLayout(times, 1)
        first.addWidget(self.on)
        first.addWidget(self.number)
        for title, widgets, shown in (
            ("Colour", [self.channel], len(self._sizes.channels) > 1),
            ("Position", [self.position, self._position_words], self._sizes.positions > 1),
            ("Plane", [self.z, self._z_words], self._sizes.z_planes > 1),
            ("Raw frame", [self.frame], self._sizes.raw and self._sizes.frames > 1),
            ("Denoise", [self.denoiser], self._sizes.raw),
        ):
            label = QLabel(title)
            for widget in (label, *widgets):
                second.addWidget(widget)
                widget.setVisible(shown)
            if shown:
                second.addSpacing(self.fontMetrics().averageCharWidth())
        second.addWidget(self.state, 1)
        for widget in (self.play, self.back, self.on, self.time, self.strip, self.number):
            widget.setVisible(self._sizes.times > 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 2, 4, 2)
        column.setSpacing(3)
        column.addLayout(first)
        column.addLayout(second)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def _connect(self) -> None:
        self.time.valueChanged.connect(self._time_changed)
        self.number.valueChanged.connect(lambda value: self.time.setValue(value - 1))
        self.strip.chosen.connect(self.time.setValue)
        self.channel.currentIndexChanged.connect(self._changed)
        self.frame.currentIndexChanged.connect(self._changed)
        self.denoiser.currentIndexChanged.connect(self._changed)
        self.position.valueChanged.connect(self._changed)
        self.z.valueChanged.connect(self._changed)
        self.play.toggled.connect(lambda on: self._timer.start() if on else self._timer.stop())
        self.back.clicked.connect(lambda _=False: self.go_marked(-1))
        self.on.clicked.connect(lambda _=False: self.go_marked(1))

    @property
    def where(self) -> Where:
        """Which series is chosen."""
        return Where(self.time.value(), self.position.value(), self.channel.currentIndex(), self.z.value())

    @property
    def request(self) -> Request:
        """What is to be shown."""
        angle, phase = self.frame.currentData() or (0, 0)
        return Request(self.where, angle, phase, self.denoiser.currentData() or NO_DENOISER)

    def show_marks(self, marks: Marks) -> None:
        """Show what is wrong with the series of the image that is chosen."""
        self.marks = marks
        self.strip.show_marks(marks)
        anything = marks.next_marked(-1, 1) is not None
        self.back.setEnabled(anything)
        self.on.setEnabled(anything)

    def go(self, where: Where) -> None:
        """Choose a series."""
        self.channel.setCurrentIndex(where.channel)
        self.position.setValue(where.position)
        self.z.setValue(where.z)
        self.time.setValue(where.time)

    def step(self, by: int) -> None:
        """Go on by some time points."""
        self.time.setValue(self.time.value() + by)

    def go_marked(self, step: int) -> None:
        """Go to the next series (1) that is marked, or to the one before (-1)."""
        found = self.marks.next_marked(self.time.value(), step)
        if found is not None:
            self.time.setValue(found)

    def _time_changed(self, time: int) -> None:
        blocker = QSignalBlocker(self.number)
        self.number.setValue(time + 1)
        blocker.unblock()
        self.strip.show_time(time)
        self._changed()

    def _changed(self) -> None:
        self._position_words.setText(f"{self.position.value() + 1} / {self._sizes.positions}")
        self._z_words.setText(f"{self.z.value() + 1} / {self._sizes.z_planes}")
        self.wanted.emit(self.request)

    def _play_on(self) -> None:
        if self.ready:
            last = self.time.value() == self.time.maximum()
            self.time.setValue(0 if last else self.time.value() + 1)

    def _button(self, text: str, icon: QStyle.StandardPixmap, tip: str, name: str) -> QPushButton:
        style = self.style()
        assert style is not None
        button = QPushButton(style.standardIcon(icon), text)
        button.setObjectName(f"browse-{name}")
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return button


def _slider(count: int, name: str, tip: str) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, max(count - 1, 0))
    slider.setPageStep(max(count // 20, 1))
    slider.setObjectName(name)
    slider.setToolTip(tip)
    slider.setMinimumWidth(90)
    return slider


def _box(name: str, tip: str, entries: Sequence[tuple[str, object]]) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.setToolTip(tip)
    for text, data in entries:
        box.addItem(text, data)
    return box
