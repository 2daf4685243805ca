"""Numbers in words: dose, disk, what was dropped, whether the denoised image can be believed."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from rdl_live.view.common import words
from rdl_live.view.common.theme import AMBER, RED
from rdl_live.view.common.wrapped import wrapped
from rdl_live.view.live.session import Snapshot

LITTLE_DISK, NO_DISK = 10e9, 2e9
"""Bytes left on the disk from which the user is warned, and warned in red."""


class FactsPanel(QWidget):
    """A table of what matters while it runs."""

    dose_reset = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("facts")
        self._values: dict[str, QLabel] = {}
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        for row, (name, title, tip) in enumerate(
            (
                ("dose", "Dose so far", "Light on the sample since the dose was set to zero, all colours together"),
                ("disk", "Free disk space", "Free space on the disk that recordings are written to"),
                ("raw", "Raw frames", "Frames from the camera since the start, and how many are missing"),
                (
                    "images",
                    "Images",
                    "Super-resolved images; dropped: whole series that this computer was too slow for "
                    "(their raw frames are recorded anyway)",
                ),
            )
        ):
            label, value = QLabel(title), wrapped("-")
            label.setToolTip(tip)
            value.setToolTip(tip)
            value.setObjectName(f"fact-{name}")
            value.setAlignment(Qt.AlignmentFlag.AlignRight)
            grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(value, row, 1)
            self._values[name] = value
        self._zero = QPushButton("Reset dose")
        self._zero.setToolTip("Set the dose to zero, for another place on the sample")
        self._zero.clicked.connect(self.dose_reset)
        self.light = wrapped()
        self.light.setObjectName("illumination")
        self.light.setToolTip("How the light enters the sample, by its NA and the sample's refractive index")
        self.light.setVisible(False)
        self.doubts = wrapped()
        self.doubts.setObjectName("doubts")
        self.doubts.setVisible(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.light)
        column.addLayout(grid)
        column.addWidget(self._zero, 0, Qt.AlignmentFlag.AlignRight)
        column.addWidget(self.doubts)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show how it is."""
        counts, free = snapshot.counts, snapshot.disk_free_bytes
        lit = dict(zip(snapshot.channels, snapshot.illuminations, strict=False))
        named = [one for one in snapshot.settings.beside if one in lit] or [snapshot.settings.channel]
        said = "<br>".join(f"<b>{name}</b>: {lit[name]}" for name in named if lit.get(name))
        if said != self.light.text():
            self.light.setText(said)
            self.light.setVisible(bool(said))
        self._say("dose", words.dose(snapshot.dose_j_cm2))
        colour = "" if free is None or free > LITTLE_DISK else RED if free < NO_DISK else AMBER
        self._say("disk", "unknown" if free is None else words.size(free), colour)
        missing = f", {counts.missing} missing" if counts.missing else ""
        self._say("raw", words.count(counts.raw) + missing, RED if counts.missing else "")
        lost = [
            f"{words.count(number)} {what}"
            for number, what in ((counts.dropped, "dropped"), (counts.refused, "refused"))
            if number
        ]
        self._say("images", ", ".join([words.count(counts.images), *lost]), AMBER if counts.refused else "")
        self._show_doubts(snapshot)

    def _show_doubts(self, snapshot: Snapshot) -> None:
        text = ""
        if snapshot.doubts:
            lines = "".join(f"<br>• {doubt}" for doubt in snapshot.doubts)
            text = f"<b style='color:{AMBER}'>Caution: fine detail may be wrong</b>{lines}"
        if text != self.doubts.text():
            self.doubts.setText(text)
            self.doubts.setVisible(bool(text))

    def _say(self, name: str, text: str, colour: str = "") -> None:
        label = self._values[name]
        shown = f"<b style='color:{colour}'>{text}</b>" if colour else text
        if shown != label.text():
            label.setText(shown)
