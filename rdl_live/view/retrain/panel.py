"""The retraining window: choose recordings, watch the training while imaging goes on, use the result, go back."""

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from rdl_live._names import NO_DENOISER
from rdl_live.errors import RdlError
from rdl_live.view.common.theme import AMBER, GREEN
from rdl_live.view.common.wrapped import wrapped
from rdl_live.view.live.panel import PanelHost
from rdl_live.view.live.session import Session, Severity, Snapshot
from rdl_live.view.retrain.model import MINUTES, USUAL_MINUTES, RetrainModel, headline
from rdl_live.view.retrain.picture import RetrainPicture
from rdl_live.view.retrain.state import Phase, Progress, Retrainer

EVERY_MS = 500
"""How often the training is asked where it is."""
ABOUT = (
    "Improves the denoiser for your cells, from noisy recordings alone. It runs slowly in the background and gives way "
    "to imaging; the new denoiser is compared with the old one before it is offered."
)


class RetrainPanel(QWidget):
    """Passes on to the retrainer what the user wants, and shows where it is."""

    told = Signal(object, str)
    """Severity and text of what the user should know although this window may be hidden."""
    offered = Signal(str)
    """A denoiser that can be chosen from now on."""

    def __init__(
        self, session: Session, retrainer: Retrainer, folder: Callable[[], Path], parent: QWidget | None = None
    ) -> None:
        """Show it.

        Args:
            session: whose denoiser is exchanged.
            retrainer: does the work.
            folder: where recordings go at the moment; new denoisers go to a folder in it.
            parent: as usual.
        """
        super().__init__(parent)
        self.setObjectName("retrain")
        self._session, self._retrainer, self._folder = session, retrainer, folder
        self.model = RetrainModel()
        self._minutes = USUAL_MINUTES
        self._seen: Progress | None = None
        column = QVBoxLayout(self)
        about = wrapped(ABOUT)
        column.addWidget(about)
        column.addWidget(self._made_lessons())
        column.addLayout(self._made_start())
        column.addWidget(self._made_progress(), 1)
        column.addLayout(self._made_end())
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(EVERY_MS)
        self._show_lessons()
        self._show_progress(None)
        self.refresh()

    # Layout ---------------------------------------------------------------------------------------------

    def _made_lessons(self) -> QGroupBox:
        group = QGroupBox("Recordings to train on")
        self.list = QListWidget()
        self.list.setObjectName("retrain-recordings")
        self.list.setToolTip(
            "Tick the recordings to train on: different cells of one kind, at the light you image with"
        )
        self.list.setMaximumHeight(self.fontMetrics().height() * 7)
        self.list.itemChanged.connect(self._ticked)
        self.nothing = wrapped("Nothing yet: record a time-lapse (Plan … has “Collect for retraining”), or add one.")
        self.add_button = _button("Add recording …", "retrain-add", "Also train on a recording made earlier", self._add)
        column = QVBoxLayout(group)
        column.setContentsMargins(6, 2, 6, 6)
        for widget in (self.list, self.nothing):
            column.addWidget(widget)
        column.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignLeft)
        return group

    def _made_start(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.minutes = QComboBox()
        self.minutes.setObjectName("retrain-minutes")
        self.minutes.setToolTip("Ends early when there is nothing more to gain")
        for number in MINUTES:
            self.minutes.addItem(f"{number} minutes", number)
        self.minutes.setCurrentIndex(MINUTES.index(USUAL_MINUTES))
        self.start_button = _button("Start retraining", "retrain-start", "Begin in the background", self._start)
        self.cancel_button = _button(
            "Cancel", "retrain-cancel", "Cancel it; nothing is changed", self._retrainer.cancel
        )
        row.addWidget(QLabel("For at most"))
        row.addWidget(self.minutes)
        row.addStretch(1)
        row.addWidget(self.start_button)
        row.addWidget(self.cancel_button)
        return row

    def _made_progress(self) -> QGroupBox:
        group = QGroupBox("Training")
        self.where = wrapped()
        self.where.setObjectName("retrain-where")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.words = wrapped()
        self.words.setObjectName("retrain-words")
        self.picture = RetrainPicture()
        column = QVBoxLayout(group)
        column.setContentsMargins(6, 2, 6, 6)
        column.addWidget(self.where)
        column.addWidget(self.bar)
        column.addWidget(self.words)
        column.addWidget(self.picture, 1)
        return group

    def _made_end(self) -> QHBoxLayout:
        row = QHBoxLayout()
        tip = "Denoise with it from the next image on; no frame is lost"
        self.use_button = _button("Use the new denoiser", "retrain-use", tip, self._use)
        self.back_button = _button("Back to the old one", "retrain-back", "Use the old denoiser again", self._back)
        row.addStretch(1)
        row.addWidget(self.use_button)
        row.addWidget(self.back_button)
        return row

    def sizeHint(self) -> QSize:  # noqa: N802
        """Room for the picture."""
        em = self.fontMetrics().averageCharWidth()
        return QSize(90 * em, 100 * em)

    # What is shown --------------------------------------------------------------------------------------

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Take in how the microscope is: a recording that has ended can be learnt from."""
        if self.model.see(snapshot):
            self._show_lessons()

    def refresh(self) -> None:
        """Show where the training is."""
        progress = self._retrainer.progress
        if progress is not self._seen:
            self._seen = progress
            self._show_progress(progress)
        self._show_buttons(progress)
        if (news := self.model.news(progress)) is not None:
            self.told.emit(*news)
            if progress is not None and progress.weights is not None:
                self.offered.emit(str(progress.weights))

    def _show_progress(self, progress: Progress | None) -> None:
        self.where.setText(headline(progress, self._minutes))
        running = progress is not None and not progress.phase.over
        self.bar.setVisible(running)
        if progress is None:
            self.words.setText("")
            return
        # No share is known of what goes before the training and after it: then the bar only moves.
        self.bar.setRange(0, 1000 if progress.phase is Phase.TRAINING else 0)
        self.bar.setValue(round(1000 * progress.done))
        self.words.setText(_told(progress))
        self.picture.show_file(progress.preview)

    def _show_buttons(self, progress: Progress | None) -> None:
        running = progress is not None and not progress.phase.over
        self.start_button.setEnabled(not running and bool(self.model.chosen))
        self.cancel_button.setEnabled(running)
        denoiser = self._session.snapshot.settings.denoiser
        made = None if progress is None else progress.weights
        self.use_button.setEnabled(made is not None and str(made) != denoiser)
        better = progress is None or progress.offered or made is None
        self.use_button.setText("Use the new denoiser" if better else "Use it anyway")
        old = self.model.back(denoiser)
        self.back_button.setEnabled(old is not None)
        self.back_button.setText("Back to the old one" if old is None else f"Back to {_called(old)}")

    def _show_lessons(self) -> None:
        self.list.blockSignals(True)
        self.list.clear()
        for lesson in self.model.lessons:
            item = QListWidgetItem(lesson.words)
            item.setToolTip(str(lesson.raw))
            item.setData(Qt.ItemDataRole.UserRole, str(lesson.raw))
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if lesson.wanted else Qt.CheckState.Unchecked)
            self.list.addItem(item)
        self.list.blockSignals(False)
        self.list.setVisible(bool(self.model.lessons))
        self.nothing.setVisible(not self.model.lessons)

    # What the user does ---------------------------------------------------------------------------------

    def _ticked(self, item: QListWidgetItem) -> None:
        wanted = item.checkState() is Qt.CheckState.Checked
        self.model.want(Path(item.data(Qt.ItemDataRole.UserRole)), wanted)

    def _add(self) -> None:
        title = "A recording to train on (its folder, or the .ome.zarr in it)"
        chosen = QFileDialog.getExistingDirectory(self, title, str(self._folder()))
        if chosen:
            self.add(Path(chosen))

    def add(self, path: Path) -> None:
        """Add a recording made earlier; what is wrong with it is reported when it is read."""
        self.model.add(path, path.parent.name if path.suffix == ".zarr" else path.name)
        self._show_lessons()

    def _start(self) -> None:
        settings = self._session.snapshot.settings
        self._minutes = int(self.minutes.currentData())
        start = self.model.starts_from(settings.denoiser)
        try:
            self._retrainer.start(self.model.chosen, self._minutes, start, settings.channel, self._folder())
        except RdlError as error:
            self.told.emit(Severity.ERROR, str(error))
        self.picture.show_file(None)
        self.refresh()

    def _use(self) -> None:
        if self._seen is not None:
            self._exchange(self.model.use(self._seen, self._session.snapshot.settings.denoiser))

    def _back(self) -> None:
        self._exchange(self.model.back(self._session.snapshot.settings.denoiser))

    def _exchange(self, denoiser: str | None) -> None:
        if denoiser is not None:
            self._session.change(denoiser=denoiser)
        self.refresh()


def make(host: PanelHost) -> RetrainPanel | None:
    """Return the panel of a window; None for one without a retrainer."""
    if host.retrainer is None:
        return None
    panel = RetrainPanel(host.session, host.retrainer, lambda: host.folder)
    panel.told.connect(lambda severity, text: host.notify(text, severity))
    panel.offered.connect(host.offer_denoiser)
    return panel


def _told(progress: Progress) -> str:
    """Return what was found, the verdict last."""
    lines = "".join(f"<li>{word}</li>" for word in progress.words[-4:])
    text = f"<ul style='margin:0 0 0 -20px'>{lines}</ul>" if lines else ""
    if progress.verdict:
        text += f"<p><b style='color:{GREEN if progress.offered else AMBER}'>{progress.verdict}</b></p>"
    return text


def _called(denoiser: str) -> str:
    return {NO_DENOISER: "no denoising"}.get(denoiser, Path(denoiser).stem)


def _button(text: str, name: str, tip: str, do: Callable[[], object]) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setToolTip(tip)
    button.clicked.connect(lambda _=False: do())
    return button
