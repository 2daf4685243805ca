"""The two bars that nobody may overlook: light on the sample, and recording."""

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QHBoxLayout, QLabel, QWidget

from rdl_live.acquire.lamp import LampState
from rdl_live.view.common import words
from rdl_live.view.common.theme import AMBER, DEEP_RED, RED
from rdl_live.view.live.progress_words import ended_words, late_words
from rdl_live.view.live.session import Activity, Light, Snapshot


class StateBars(QWidget):
    """Light at the left, recording at the right; quiet while neither is on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.light, self.recording = _Bar("light-bar", self), _Bar("record-bar", self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        row.addWidget(self.light, 1)
        row.addWidget(self.recording, 1)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show how it is."""
        self.light.say(*light_words(snapshot))
        self.recording.say(*recording_words(snapshot))
        self.recording.setToolTip(recording_help(snapshot))


def light_words(snapshot: Snapshot) -> tuple[str, str]:
    """Return text and colour ("" for none) of the light's bar."""
    if snapshot.light is Light.UNKNOWN:
        return "THE LIGHT MAY BE ON: check, and turn it off by hand", AMBER
    if snapshot.light is Light.ON:
        plan = f"   plan {snapshot.plan!r}" if snapshot.plan else ""
        return f"LIGHT ON   {lamp_words(snapshot)}{plan}", RED
    return "light off", ""


def lamp_words(snapshot: Snapshot) -> str:
    """Return colours and powers, and what is known of them beyond being read back."""
    states = {lamp.state for lamp in snapshot.lamps}
    join = "  \N{RIGHTWARDS ARROW}  " if LampState.CHANGING in states else "  +  "
    lamps = join.join(f"{lamp.channel}, {lamp.power_percent:.3g} %" for lamp in snapshot.lamps)
    if LampState.CHANGING in states:
        return f"{lamps}   (being set)"
    return f"{lamps}   (in turn, switched by hardware; powers as planned)" if LampState.STEPPED in states else lamps


def recording_words(snapshot: Snapshot) -> tuple[str, str]:
    """Return text and colour ("" for none) of the recording's bar."""
    recording = snapshot.recording
    if snapshot.activity is Activity.RECORDING and recording is not None:
        done = f"series {recording.series}" + ("" if recording.planned is None else f" of {recording.planned}")
        progress = recording.progress
        skipped = f", {len(progress.skipped)} skipped" if progress is not None and progress.skipped else ""
        return f"RECORDING   {done}   {words.span(recording.seconds)}{late_words(progress)}{skipped}", DEEP_RED
    if recording is not None and recording.progress is not None:
        # How far a plan came stays until the next recording, whatever was dismissed.
        text, _ = ended_words(recording.progress, words.size(recording.written_bytes))
        return text, AMBER if recording.progress.lack else ""
    if recording is not None:
        return f"recorded {words.count(recording.series)} series, {words.size(recording.written_bytes)}", ""
    return "not recording", ""


def recording_help(snapshot: Snapshot) -> str:
    """Return the tooltip of the recording's bar: all that there is to say."""
    recording = snapshot.recording
    if recording is not None and recording.progress is not None and snapshot.activity is not Activity.RECORDING:
        return ended_words(recording.progress, words.size(recording.written_bytes))[1]
    return recording_words(snapshot)[0]


class _Bar(QLabel):
    """Text on a colour. By palette and not by style sheet: with one, a label keeps the colours of the old theme."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setMinimumWidth(60)
        self.setWordWrap(True)  # several colours, or why a plan is not whole, need more than a line
        self.setMargin(3)
        self.colour: str | None = None
        self.say("", "")

    def say(self, text: str, colour: str) -> None:
        if text != self.text():
            self.setText(text)
            self.setToolTip(text)
        if colour == self.colour:
            return
        self.colour = colour
        palette = QPalette()
        if colour:
            palette.setColor(QPalette.ColorRole.Window, QColor(colour))
            palette.setColor(QPalette.ColorRole.WindowText, QColor("white"))
        self.setPalette(palette)
        self.setAutoFillBackground(bool(colour))
        font = self.font()
        font.setBold(bool(colour))
        self.setFont(font)
