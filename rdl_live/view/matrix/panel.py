"""The panel that asks a matrix: a structure and the light of the moment in, a method out."""

from pathlib import Path

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from rdl_live.errors import DataError
from rdl_live.view.common.memory import Memory
from rdl_live.view.common.no_wheel import without_wheel
from rdl_live.view.live.panel import PanelHost
from rdl_live.view.live.session import Snapshot
from rdl_live.view.matrix.advice import Matrix

_KEY = "matrix"
_SHOWN = (
    "Light is the mean number of photons of a raw frame where there is structure. The reading of the live view is the "
    "mean of the whole field, which is less."
)


class MatrixPanel(QWidget):
    """Asks the matrix that was chosen last; follows the light of live view where that is wanted."""

    def __init__(self, memory: Memory, parent: QWidget | None = None) -> None:
        """Ask the matrix that is remembered, if there is one."""
        super().__init__(parent)
        self.setObjectName("matrix-panel")
        self._memory = memory
        self._matrix: Matrix | None = None
        self.file, self.choose = QLabel("no matrix was chosen"), QPushButton("Matrix …")
        self.choose.setObjectName("matrix-choose")
        self.choose.setToolTip("The matrix.json that `rdl-live assess` has made")
        self.structure, self.photons = QComboBox(), QDoubleSpinBox()
        self.structure.setObjectName("matrix-structure")
        self.structure.setToolTip("What is in your sample; the methods were compared on each of these structures")
        self.photons.setObjectName("matrix-photons")
        self.photons.setToolTip(_SHOWN)
        self.photons.setRange(0.01, 1e6)
        self.photons.setValue(100.0)
        self.photons.setSuffix(" photons")
        self.follow = QCheckBox("as in live view")
        self.follow.setObjectName("matrix-follow")
        self.follow.setToolTip(_SHOWN)
        for box in (self.structure, self.photons):
            without_wheel(box)
        self.answer, self.why = QLabel(), QLabel()
        self.answer.setObjectName("matrix-answer")
        self.answer.setStyleSheet("font-weight: bold; font-size: 120%;")
        for label in (self.answer, self.why, self.file):
            label.setWordWrap(True)
        self._lay_out()
        self.choose.clicked.connect(lambda _=False: self._choose())
        self.structure.currentIndexChanged.connect(lambda _: self.ask())
        self.photons.valueChanged.connect(lambda _: self.ask())
        remembered = memory.get(_KEY)
        if isinstance(remembered, str) and Path(remembered).is_file():
            self.open(Path(remembered))
        else:
            self.ask()

    def _lay_out(self) -> None:
        form = QFormLayout()
        row = QHBoxLayout()
        row.addWidget(self.file, 1)
        row.addWidget(self.choose)
        form.addRow("Matrix", row)
        form.addRow("Structure", self.structure)
        light = QHBoxLayout()
        light.addWidget(self.photons, 1)
        light.addWidget(self.follow)
        form.addRow("Light", light)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.answer)
        column.addWidget(self.why)
        column.addStretch(1)

    def open(self, path: Path) -> None:
        """Ask another matrix; what is wrong with its file is shown."""
        try:
            self._matrix = Matrix(path)
        except DataError as error:
            self._matrix = None
            self.file.setText(path.name)
            self.answer.setText("this file is no matrix")
            self.why.setText(str(error))
            return
        self.file.setText(f"{path.parent.name}/{path.name}")
        self._memory.put(**{_KEY: str(path)})
        self._memory.save()
        blocker = QSignalBlocker(self.structure)
        self.structure.clear()
        self.structure.addItems(list(self._matrix.structures))
        blocker.unblock()
        self.ask()

    def ask(self) -> None:
        """Show what the matrix says."""
        if self._matrix is None:
            self.answer.setText("")
            self.why.setText("Choose the matrix.json of an assessment (`rdl-live assess --models dfcan --out matrix`).")
            return
        found = self._matrix.ask(self.structure.currentText(), self.photons.value())
        self.answer.setText(found.words)
        self.why.setText(". ".join(one[0].upper() + one[1:] for one in (found.why, found.caution) if one) + ".")

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Follow the light of live view."""
        photons = snapshot.readings.photons
        if self.follow.isChecked() and photons is not None and photons > 0:
            self.photons.setValue(photons)

    def _choose(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Matrix of an assessment", "", "Matrix (matrix.json *.json)")
        if chosen:
            self.open(Path(chosen))


def make(host: PanelHost) -> MatrixPanel:
    """Return the panel of a window; which matrix was asked last is remembered for all microscopes."""
    del host
    return MatrixPanel(Memory("matrix"))
