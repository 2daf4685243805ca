"""The retraining window: what it learns from and tells, how the denoiser is exchanged; real clicks, no training."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QComboBox, QLabel, QPushButton, QWidget

from rdl_live.app.retrain.process import taken
from rdl_live.errors import ConfigError
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.session import Activity, Recording, Severity
from rdl_live.view.live.sim_widget import SimWidget
from rdl_live.view.retrain.model import LEAST_SERIES, RetrainModel, headline
from rdl_live.view.retrain.panel import RetrainPanel
from rdl_live.view.retrain.state import Phase, Progress
from tests.app.retrain.test_sentences import RUNS
from tests.view.fake_session import FakeSession

LEFT = Qt.MouseButton.LeftButton


class FakeRetrainer:
    """Trains nothing: a test says where it is."""

    def __init__(self) -> None:
        self.progress: Progress | None = None
        self.started: list[tuple[Sequence[Path], float, str, str, Path]] = []
        self.cancelled = 0
        self.refuses = ""

    def start(self, raws: Sequence[Path], minutes: float, start: str, channel: str, folder: Path) -> None:
        if self.refuses:
            raise ConfigError(self.refuses)
        self.started.append((raws, minutes, start, channel, folder))
        self.progress = Progress()

    def cancel(self) -> None:
        self.cancelled += 1
        self.progress = Progress(Phase.CANCELLED)


@pytest.fixture
def retrainer() -> FakeRetrainer:
    return FakeRetrainer()


@pytest.fixture
def session() -> FakeSession:
    return FakeSession()


@pytest.fixture
def widget(qtbot: QtBot, session: FakeSession, retrainer: FakeRetrainer, tmp_path: Path) -> SimWidget:
    made = SimWidget(session, Memory("test"), tmp_path / "recordings", retrainer=retrainer)
    qtbot.addWidget(made, before_close_func=lambda one: one.end())
    made.resize(1366, 728)
    with qtbot.waitExposed(made):
        made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    return made


@pytest.fixture
def panel(qtbot: QtBot, widget: SimWidget) -> RetrainPanel:
    qtbot.keyClick(widget, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    made = widget.panels.get("retrain")
    assert isinstance(made, RetrainPanel)
    assert made.isVisible()
    return made


def recorded(folder: Path, series: int, *, running: bool = False) -> Recording:
    return Recording(folder, series, None, 10**6, running, 3.0, folder / "raw.ome.zarr")


def record(session: FakeSession, widget: SimWidget, folder: Path, series: int) -> None:
    """Record: it runs, then it has ended."""
    session.be(Activity.RECORDING, recording=recorded(folder, series, running=True))
    widget.refresh()
    session.be(Activity.IDLE, recording=recorded(folder, series))
    widget.refresh()


def button(panel: QWidget, name: str) -> QPushButton:
    found = panel.findChild(QPushButton, name)
    assert found is not None
    return found


def test_without_a_retrainer_there_is_no_such_window(qtbot: QtBot, session: FakeSession, tmp_path: Path) -> None:
    made = SimWidget(session, Memory("test"), tmp_path)
    qtbot.addWidget(made, before_close_func=lambda one: one.end())
    with pytest.raises(KeyError):
        _ = made.commands["retrain"]


def test_what_was_recorded_is_learnt_from(
    qtbot: QtBot, widget: SimWidget, panel: RetrainPanel, session: FakeSession, retrainer: FakeRetrainer, tmp_path: Path
) -> None:
    start = button(panel, "retrain-start")
    assert not start.isEnabled()
    assert panel.nothing.isVisible()
    for name, series in (("first", 24), ("second", 30), ("short", LEAST_SERIES - 1)):
        record(session, widget, tmp_path / name, series)
    panel.refresh()
    texts = [panel.list.item(row).text() for row in range(panel.list.count())]  # type: ignore[union-attr]
    assert texts == ["short   7 images, too few to learn from", "second   30 images", "first   24 images"]
    assert not panel.nothing.isVisible()
    item = panel.list.item(2)
    assert item is not None
    item.setCheckState(Qt.CheckState.Unchecked)
    panel.add(tmp_path / "earlier" / "raw.ome.zarr")
    choice = panel.findChild(QComboBox, "retrain-minutes")
    assert choice is not None
    choice.setCurrentText("20 minutes")
    qtbot.mouseClick(start, LEFT)
    raws, minutes, weights, channel, folder = retrainer.started[0]
    assert list(raws) == [tmp_path / "second" / "raw.ome.zarr", tmp_path / "earlier" / "raw.ome.zarr"]
    assert (minutes, weights, channel, folder) == (20, "rdl", "488", tmp_path / "recordings")
    assert not start.isEnabled()


def test_it_goes_on_from_the_denoiser_in_use(
    qtbot: QtBot, widget: SimWidget, panel: RetrainPanel, session: FakeSession, retrainer: FakeRetrainer, tmp_path: Path
) -> None:
    record(session, widget, tmp_path / "first", 24)
    session.change(denoiser="mine.safetensors")
    panel.refresh()
    qtbot.mouseClick(button(panel, "retrain-start"), LEFT)
    assert retrainer.started[0][2] == "mine.safetensors"
    qtbot.mouseClick(button(panel, "retrain-cancel"), LEFT)
    assert retrainer.cancelled == 1


def test_what_cannot_be_begun_is_told(
    qtbot: QtBot, widget: SimWidget, panel: RetrainPanel, session: FakeSession, retrainer: FakeRetrainer, tmp_path: Path
) -> None:
    record(session, widget, tmp_path / "first", 24)
    panel.refresh()
    retrainer.refuses = "the disk is read-only"
    qtbot.mouseClick(button(panel, "retrain-start"), LEFT)
    shown = widget.findChild(QLabel, "notice-text")
    assert shown is not None
    assert "read-only" in shown.text()


def done(tmp_path: Path, **fields: object) -> Progress:
    made = Progress(
        Phase.DONE, 1.0, 200, 0.4, 0.8, 0.9, ("training helped",), weights=tmp_path / "new.safetensors", offered=True
    )
    return replace(made, **{"verdict": "better than rdl: error 0.900", **fields})  # type: ignore[arg-type]


def test_the_new_denoiser_is_swapped_in_and_one_click_brings_the_old_one_back(
    qtbot: QtBot, widget: SimWidget, panel: RetrainPanel, session: FakeSession, retrainer: FakeRetrainer, tmp_path: Path
) -> None:
    session.change(denoiser="rdl")
    use, back = button(panel, "retrain-use"), button(panel, "retrain-back")
    retrainer.progress = Progress(Phase.TRAINING, 0.5, 100, 0.4, 0.85, 0.9)
    panel.refresh()
    assert not use.isEnabled()
    assert not back.isEnabled()
    assert "0.944 of that at the start" in panel.where.text()
    retrainer.progress = done(tmp_path)
    panel.refresh()
    widget.refresh()
    assert "better than rdl" in panel.words.text()
    qtbot.mouseClick(use, LEFT)
    assert session.last("change") == {"denoiser": str(tmp_path / "new.safetensors")}
    assert not use.isEnabled()
    assert back.text() == "Back to rdl"
    widget.refresh()
    assert widget.controls.denoiser.currentText() == "new"
    qtbot.mouseClick(back, LEFT)
    assert session.last("change") == {"denoiser": "rdl"}
    assert not back.isEnabled()
    assert use.isEnabled()
    widget.refresh()
    names = [widget.controls.denoiser.itemText(row) for row in range(widget.controls.denoiser.count())]
    assert names == ["Off", "rdl", "new"]
    assert widget.controls.denoiser.currentText() == "rdl"


def test_a_worse_denoiser_is_not_offered_without_saying_so(
    panel: RetrainPanel, retrainer: FakeRetrainer, tmp_path: Path
) -> None:
    told: list[tuple[Severity, str]] = []
    panel.told.connect(lambda severity, text: told.append((severity, text)))
    retrainer.progress = done(tmp_path, offered=False, verdict="worse than rdl: error 1.2; not offered for use")
    panel.refresh()
    panel.refresh()
    assert [severity for severity, _ in told] == [Severity.WARNING]  # once
    assert "the old denoiser is kept" in told[0][1]
    assert button(panel, "retrain-use").text() == "Use it anyway"
    assert "not offered for use" in panel.words.text()


def test_what_is_read_after_a_dozen_scripted_runs(
    widget: SimWidget, panel: RetrainPanel, retrainer: FakeRetrainer
) -> None:
    """One after the other in the same window: headline, list, button and notice are those of the run at hand."""
    assert len(RUNS) >= 10
    for lines, short, long in RUNS:
        retrainer.progress = Progress()
        panel.refresh()
        progress = Progress()
        for line in lines:
            progress = taken(progress, line)
        retrainer.progress = progress
        panel.refresh()
        assert short in panel.where.text()
        assert (progress.verdict or progress.words[-1]) in panel.words.text()
        notice = widget.findChild(QLabel, "notice-text")
        assert notice is not None
        assert long in notice.text()
        # Nothing is called better that was not found better, and only that is offered without a warning.
        use = button(panel, "retrain-use")
        assert use.isEnabled() == (progress.weights is not None)
        assert (use.text() == "Use it anyway") == (progress.weights is not None and not progress.offered)
        assert ("is better" in panel.where.text()) == progress.offered


@pytest.mark.parametrize(
    ("progress", "severity", "text"),
    [
        (Progress(Phase.UNCHANGED, words=("bright data",)), Severity.INFO, "retraining ended: bright data"),
        (Progress(Phase.FAILED, words=("film.tif: no such file",)), Severity.ERROR, "film.tif: no such file"),
        (Progress(Phase.CANCELLED), None, ""),
        (Progress(Phase.TRAINING), None, ""),
        (None, None, ""),
    ],
)
def test_news(progress: Progress | None, severity: Severity | None, text: str) -> None:
    news = RetrainModel().news(progress)
    assert (None if news is None else news[0]) == severity
    assert news is None or text in news[1]


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_words(phase: Phase) -> None:
    assert len(headline(Progress(phase), 10)) > 5


def test_the_picture_follows_its_file(panel: RetrainPanel, retrainer: FakeRetrainer, tmp_path: Path) -> None:
    file = tmp_path / "preview.png"
    retrainer.progress = Progress(Phase.TRAINING, preview=file)
    panel.refresh()
    assert panel.picture.image is None  # not written yet
    image = QImage(30, 20, QImage.Format.Format_Grayscale8)
    image.fill(77)
    assert image.save(str(file))
    retrainer.progress = Progress(Phase.TRAINING, step=1, preview=file)
    panel.refresh()
    assert panel.picture.image is not None
    assert panel.picture.image.width() == 30
    panel.picture.repaint()
