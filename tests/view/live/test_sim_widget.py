"""The whole widget on a screen, with real clicks and keys, on a session that only writes down what it is asked."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QPushButton, QWidget

from rdl_live.acquire.lamp import Lamp, LampState
from rdl_live.files.microscope_file import load_microscope
from rdl_live.optics.pattern import PatternSet, evenly_spaced
from rdl_live.view.common.memory import Memory
from rdl_live.view.common.theme import RED, Theme
from rdl_live.view.live.facts_panel import FactsPanel
from rdl_live.view.live.health_panel import HealthPanel
from rdl_live.view.live.main_window import MainWindow
from rdl_live.view.live.session import (
    Activity,
    Counts,
    Light,
    Readings,
    Recording,
    Settings,
    Severity,
    Snapshot,
    StagePlace,
)
from rdl_live.view.live.sim_widget import SimWidget
from rdl_live.view.live.state_bars import light_words
from rdl_live.view.live.trace_panel import TracePanel
from rdl_live.view.patterns.panel import SpectrumPanel
from rdl_live.view.plan.panel import PlanPanel
from tests.view.fake_session import FakeSession

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def session(root: Path) -> FakeSession:
    """An idle demo microscope."""
    return FakeSession(load_microscope(root / "configs" / "demo.yaml"))


@pytest.fixture
def widget(qtbot: QtBot, session: FakeSession, tmp_path: Path) -> SimWidget:
    """The widget, shown."""
    made = SimWidget(session, Memory("test"), tmp_path / "recordings")
    qtbot.addWidget(made, before_close_func=lambda one: one.end())
    made.resize(1366, 728)
    with qtbot.waitExposed(made):
        made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    return made


def find(widget: QWidget, name: str) -> QWidget:
    found = widget.findChild(QWidget, name)
    assert found is not None, name
    return found


def text_of(widget: QWidget, name: str) -> str:
    return str(find(widget, name).text())  # type: ignore[attr-defined]


def patterns(score: float = 30.0, *, trusted: bool = True) -> PatternSet:
    made = evenly_spaced(0.195, first_angle_deg=8, modulation=(0.85,))
    changed = {"score": score, "trusted": trusted, "doubt": "" if trusted else "no stripes: is the SLM on?"}
    return made.replace(patterns=[{**one.model_dump(), **changed} for one in made])


@pytest.mark.parametrize(
    ("name", "key", "what"),
    [("live", Qt.Key.Key_L, "live"), ("snap", Qt.Key.Key_K, "snap"), ("record", Qt.Key.Key_R, "record")],
)
def test_buttons_and_keys(
    qtbot: QtBot, widget: SimWidget, session: FakeSession, name: str, key: Qt.Key, what: str
) -> None:
    qtbot.mouseClick(find(widget, f"button-{name}"), LEFT)
    assert session.count(what) == 1
    qtbot.keyClick(widget, key, Qt.KeyboardModifier.ControlModifier)
    assert session.count(what) == 2


@pytest.mark.parametrize("activity", list(Activity))
def test_stop_works_always(qtbot: QtBot, widget: SimWidget, session: FakeSession, activity: Activity) -> None:
    session.be(activity)
    widget.refresh()
    qtbot.mouseClick(find(widget, "button-stop"), LEFT)
    qtbot.keyClick(widget, Qt.Key.Key_Escape)
    assert session.count("stop") == 2


def test_escape_stops_also_while_a_number_is_typed(qtbot: QtBot, widget: SimWidget, session: FakeSession) -> None:
    box = find(widget, "power")
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Escape)
    assert session.count("stop") == 1


def test_power_and_exposure_are_typed_and_slid(qtbot: QtBot, widget: SimWidget, session: FakeSession) -> None:
    box = find(widget, "exposure")
    box.setFocus()
    box.selectAll()  # type: ignore[attr-defined]
    qtbot.keyClicks(box, "25")
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert session.last("change") == {"exposure_ms": 25.0}
    slider = find(widget, "power-slider")
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_End)
    assert session.last("change") == {"power_percent": 100.0}
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    assert session.last("change") == {"power_percent": pytest.approx(0.1)}
    widget.refresh()
    assert widget.controls.power.value == pytest.approx(0.1)


def test_what_others_set_is_shown_and_not_asked_again(widget: SimWidget, session: FakeSession) -> None:
    before = session.count("change")
    session.be(Activity.IDLE, settings=Settings("488", 3.0, 77.0, (0, 0, 64, 64), "rdl"))
    widget.refresh()
    assert (widget.controls.power.value, widget.controls.exposure.value) == (3.0, 77.0)
    assert widget.controls.denoiser.currentData() == "rdl"
    assert session.count("change") == before


def test_the_light_is_told_in_red_and_in_words(widget: SimWidget, session: FakeSession) -> None:
    assert "light off" in text_of(widget, "light-bar")
    session.be(Activity.LIVE, light=Light.ON)
    widget.refresh()
    assert "LIGHT ON" in text_of(widget, "light-bar")
    assert widget.bars.light.colour == RED
    session.be(Activity.BROKEN, light=Light.UNKNOWN)
    widget.refresh()
    assert "MAY BE ON" in text_of(widget, "light-bar")
    session.be(Activity.IDLE, light=Light.OFF)
    widget.refresh()
    assert widget.bars.light.colour == ""


@pytest.mark.parametrize(
    ("lamps", "words"),
    [
        ((Lamp("488", 9.96),), "488, 9.96 %"),
        (
            (Lamp("488", 5, LampState.CHANGING), Lamp("488", 20, LampState.CHANGING)),
            "488, 5 %  \N{RIGHTWARDS ARROW}  488, 20 %   (being set)",
        ),
        (
            (Lamp("488", 10, LampState.STEPPED), Lamp("560", 40, LampState.STEPPED)),
            "488, 10 %  +  560, 40 %   (in turn, switched by hardware; powers as planned)",
        ),
    ],
)
def test_the_bar_says_what_is_read_back(lamps: tuple[Lamp, ...], words: str) -> None:
    shown = Snapshot(light=Light.ON, lamps=lamps, plan="night")
    assert light_words(shown) == (f"LIGHT ON   {words}   plan 'night'", RED)


def test_recording_is_told_and_keeps_what_it_was_begun_with(
    widget: SimWidget, session: FakeSession, tmp_path: Path
) -> None:
    recording = Recording(tmp_path, 12, 100, 5_000_000, True, 63.0, tmp_path / "raw.ome.zarr")
    session.be(Activity.RECORDING, recording=recording)
    widget.refresh()
    assert "RECORDING   series 12 of 100   1 min 3 s" in text_of(widget, "record-bar")
    assert not find(widget, "drag-region").isEnabled()
    assert find(widget, "denoiser").isEnabled()  # exchanged between two images
    assert not find(widget, "button-live").isEnabled()
    assert find(widget, "button-stop").isEnabled()
    session.be(Activity.IDLE)
    widget.refresh()
    assert "recorded 12 series, 5 MB" in text_of(widget, "record-bar")
    assert find(widget, "drag-region").isEnabled()


def test_recordings_never_share_a_folder(widget: SimWidget, session: FakeSession) -> None:
    widget.record()
    first, plan = session.last("record")
    assert plan is None
    first.mkdir(parents=True)
    assert widget.new_folder() != first
    assert first.parent == widget.controls.folder


def test_images_fill_the_panes(widget: SimWidget, session: FakeSession) -> None:
    images = session.give()
    widget.refresh()
    assert widget.grid.panes["sim"].picture is images["sim"]
    assert widget.grid.shown == ["raw", "widefield", "sim"]


def test_earlier_series_can_be_left_out(qtbot: QtBot, widget: SimWidget, session: FakeSession) -> None:
    box = widget.controls.memory
    assert box.isChecked()
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton)
    assert session.last("change") == {"memory": False}
    session.be(Activity.RECORDING)
    widget.refresh()
    assert not box.isEnabled()  # a recording stays what it was begun as


def test_the_denoised_pane_comes_and_goes_with_the_denoiser(
    qtbot: QtBot, widget: SimWidget, session: FakeSession
) -> None:
    box = widget.controls.denoiser
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Down)
    box.activated.emit(box.currentIndex())
    assert session.last("change") == {"denoiser": "rdl"}
    session.be(Activity.LIVE)
    session.give(denoised=True)
    widget.refresh()
    assert widget.grid.shown[-1] == "denoised"
    session.change(denoiser="none")
    session.be(Activity.LIVE)
    widget.refresh()
    assert "denoised" not in widget.grid.shown


def test_every_image_that_a_stage_makes_has_a_pane(widget: SimWidget, session: FakeSession) -> None:
    session.change(denoiser="dfcan")
    session.be(Activity.LIVE)
    usual = session.give()
    sim = usual["sim"]
    assert sim is not None
    session.give_these(replace(usual, pictures={**usual.pictures, "sr": sim, "taken away": sim}, denoiser="dfcan"))
    widget.refresh()
    assert widget.grid.shown == ["raw", "widefield", "sim", "sr", "taken away"]
    assert [widget.grid.panes[name].title for name in ("sr", "taken away")] == [
        "By network, fine detail inferred",
        "Taken away",
    ]
    assert widget.grid.panes["sr"].picture is sim
    session.give(denoised=True)
    widget.refresh()
    assert widget.grid.panes["sr"].picture is None
    assert not {"sr", "taken away"} & set(widget.grid.shown)


def test_doubtful_places_are_shaded(qtbot: QtBot, widget: SimWidget, session: FakeSession) -> None:
    session.change(denoiser="rdl")
    session.be(Activity.LIVE)
    session.give(denoised=True)
    widget.refresh()
    canvas = widget.grid.panes["denoised"].canvas
    plain = canvas.grab().toImage()
    qtbot.keyClick(widget, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    assert canvas.layer.doubt
    assert canvas.grab().toImage() != plain


def test_doubts_of_the_guards_are_told(widget: SimWidget, session: FakeSession) -> None:
    session.be(Activity.LIVE, doubts=("the removed residual contains structure",))
    widget.refresh()
    assert "contains structure" in text_of(widget, "doubts")
    session.be(Activity.LIVE, doubts=())
    widget.refresh()
    assert text_of(widget, "doubts") == ""


def lamps(widget: SimWidget) -> HealthPanel:
    panel = widget.panels.get("patterns")
    assert isinstance(panel, HealthPanel)
    return panel


def test_patterns_are_told_in_words(widget: SimWidget, session: FakeSession) -> None:
    session.be(Activity.LIVE, patterns=patterns())
    widget.refresh()
    assert "All patterns are good" in lamps(widget).headline.text()
    session.be(Activity.LIVE, patterns=patterns(trusted=False))
    widget.refresh()
    assert "no super-resolution" in lamps(widget).headline.text()


def test_the_image_itself_says_that_it_is_not_to_be_believed(
    widget: SimWidget, session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen(trusted: bool) -> bytes:
        shown = replace(session.give(), patterns=patterns(), seen=patterns(trusted=trusted))
        monkeypatch.setattr(session, "_images", shown)
        widget.refresh()
        image = widget.grid.panes["sim"].rendered()
        return bytes(image.constBits().asarray(image.sizeInBytes()))

    session.be(Activity.LIVE)
    plain = seen(trusted=True)
    assert seen(trusted=False) != plain
    assert "no pattern is trusted any more" in widget.grid.panes["sim"].canvas.toolTip()
    assert widget.grid.panes["raw"].canvas.toolTip() == ""
    widget.commands["split"].trigger()
    assert "no pattern is trusted" in widget.grid.canvases[-1].other.caution.words
    widget.commands["split"].trigger()
    assert seen(trusted=True) == plain
    assert widget.grid.panes["sim"].canvas.toolTip() == ""


def test_what_went_wrong_stays_until_it_is_dismissed(qtbot: QtBot, widget: SimWidget, session: FakeSession) -> None:
    session.notify(Severity.ERROR, "Camera: has stalled; check its cable", "a trace")
    session.notify(Severity.INFO, "something else")
    widget.refresh()
    assert "Camera: has stalled" in widget.notices.text
    assert "1 more" in widget.notices.text
    assert "a trace" in widget.notices.everything()
    qtbot.mouseClick(find(widget, "dismiss"), LEFT)
    assert widget.notices.text == ""
    widget.refresh()
    assert widget.notices.text == ""
    widget.notices.show_details()
    window = QApplication.activeWindow() or widget
    copy = next(b for b in window.findChildren(QPushButton) if b.text() == "Copy")
    qtbot.mouseClick(copy, LEFT)
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    assert "Camera: has stalled" in clipboard.text()


def test_dose_disk_and_losses(qtbot: QtBot, widget: SimWidget, session: FakeSession) -> None:
    session.be(
        Activity.LIVE,
        dose_j_cm2=12.3,
        disk_free_bytes=1_500_000_000,
        counts=Counts(9000, 2, 990, 7, 3),
        readings=Readings(photons=50.0, brightness=0.8),
    )
    widget.refresh()
    assert "12.3 J/cm²" in text_of(widget, "fact-dose")
    assert "1.5 GB" in text_of(widget, "fact-disk")
    assert "2 missing" in text_of(widget, "fact-raw")
    assert "7 dropped" in text_of(widget, "fact-images")
    assert "3 refused" in text_of(widget, "fact-images")
    traces, facts = widget.panels.get("traces"), widget.panels.get("facts")
    assert isinstance(traces, TracePanel)
    assert isinstance(facts, FactsPanel)
    assert traces.model.latest("brightness") == pytest.approx(80)
    zero = next(b for b in facts.findChildren(QPushButton) if "Reset" in b.text())
    qtbot.mouseClick(zero, LEFT)
    assert session.count("reset_dose") == 1


def test_a_region_is_dragged_onto_the_chip(qtbot: QtBot, widget: SimWidget, session: FakeSession) -> None:
    session.give()
    widget.refresh()
    qtbot.mouseClick(find(widget, "drag-region"), LEFT)
    canvas = widget.grid.panes["raw"].canvas
    start, end = (QPoint(*(round(v) for v in canvas.mapping.to_screen(um, um))) for um in (1.0, 3.0))
    qtbot.mousePress(canvas, LEFT, pos=start)
    qtbot.mouseMove(canvas, (start + end) / 2)
    qtbot.mouseMove(canvas, end)
    qtbot.mouseRelease(canvas, LEFT, pos=end)
    region = session.last("change")["region"]
    assert region[2] == region[3] == 64
    # the middle of what was dragged, 2 um = 31 pixels into the shown region
    assert region[0] + 32 == pytest.approx(128 + 31, abs=2)
    assert not widget.controls.drag.isChecked()
    qtbot.mouseClick(find(widget, "whole-chip"), LEFT)
    assert session.last("change") == {"region": (0, 0, 512, 512)}


def test_the_specimen_of_the_demo(widget: SimWidget, session: FakeSession) -> None:
    assert find(widget, "kind").isVisible()
    widget.controls.kind.setCurrentText("beads")
    widget.controls.kind.activated.emit(1)
    assert session.last("turn") == {"kind": "beads"}
    widget.controls.speed.box.setValue(0.5)
    assert session.last("turn") == {"speed_um_s": 0.5}


def test_a_picture_is_saved_and_copied(widget: SimWidget, session: FakeSession, tmp_path: Path) -> None:
    widget.pictures.save(tmp_path / "none.png")
    assert "no image" in widget.notices.text
    session.give()
    widget.refresh()
    widget.pictures.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width >= 128
        assert "SIM, 488" in picture.text["Title"]  # type: ignore[attr-defined]
    widget.pictures.save(tmp_path / "a.tif")
    assert (tmp_path / "a.tif").stat().st_size > 128 * 128 * 4
    widget.pictures.save(tmp_path / "no" / "such" / "a.png")
    assert widget.notices.notices[-1].severity is Severity.ERROR
    widget.pictures.copy()
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    assert clipboard.image().width() > 200


def test_the_split_compares_the_two_best(qtbot: QtBot, widget: SimWidget, session: FakeSession) -> None:
    session.give()
    widget.refresh()
    qtbot.keyClick(widget, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert widget.grid.splits
    assert widget.grid.split_of == ("widefield", "sim")
    qtbot.keyClick(widget, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert not widget.grid.splits


def test_plan_and_spectrum_open_beside(qtbot: QtBot, widget: SimWidget, session: FakeSession) -> None:
    session.give()
    session.be(Activity.LIVE, patterns=patterns())
    widget.refresh()
    widget.commands["spectrum"].trigger()
    widget.commands["plan"].trigger()
    spectrum, editor = widget.panels.get("spectrum"), widget.panels.get("plan")
    assert isinstance(spectrum, SpectrumPanel)
    assert isinstance(editor, PlanPanel)
    assert spectrum.isVisible()
    assert editor.model.plan is not None
    assert editor.model.plan.channels[0].power_percent == 50
    qtbot.mouseClick(find(editor, "plan-run"), LEFT)
    folder, plan = session.last("record")
    assert plan == editor.model.plan
    assert folder.name.endswith("time-lapse")
    widget.panels.close()


def test_contrasts_sizes_and_settings_are_remembered(
    qtbot: QtBot, widget: SimWidget, session: FakeSession, tmp_path: Path
) -> None:
    session.give()
    widget.refresh()
    widget.grid.panes["raw"]._levels_dragged(3.0, 30.0, False)
    widget.grid.show_pane("widefield", False)
    widget.controls.set_folder(tmp_path / "elsewhere")
    widget.end()
    again = SimWidget(session, Memory("test"))
    qtbot.addWidget(again, before_close_func=lambda one: one.end())
    assert again.grid.history.get("raw", "488").high == 30.0
    assert not again.grid.is_wanted("widefield")
    assert again.controls.folder == tmp_path / "elsewhere"
    assert Memory("test").get("settings")["power_percent"] == 50.0


def test_a_damaged_memory_is_no_reason_to_fail(
    qtbot: QtBot, session: FakeSession, own_memory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own_memory.mkdir()
    (own_memory / "test.json").write_text("{broken", encoding="utf-8")
    made = SimWidget(session, Memory("test"))
    qtbot.addWidget(made, before_close_func=lambda one: one.end())
    assert "starts as new" in caplog.text


def test_the_window_closes_its_session_and_remembers_its_colours(
    qtbot: QtBot, session: FakeSession, tmp_path: Path
) -> None:
    window = MainWindow(SimWidget(session, Memory("test"), tmp_path), "test")
    qtbot.addWidget(window)
    window.show()
    window.use_theme(Theme.LIGHT)
    # Qt passes new colours on with its events.
    qtbot.waitUntil(lambda: window.palette().window().color().lightness() > 200)
    window.close()
    assert session.count("close") == 1
    assert Memory("test").get("theme") == "light"


@pytest.mark.parametrize("size", [(1366, 728), (1024, 640), (3840, 2100)])
def test_nothing_is_cut_off_that_matters(widget: SimWidget, session: FakeSession, size: tuple[int, int]) -> None:
    session.give()
    widget.resize(*size)
    QApplication.processEvents()
    widget.refresh()
    assert widget.width() <= max(size[0], widget.minimumSizeHint().width())
    assert widget.minimumSizeHint().width() <= 1024
    stop = find(widget, "button-stop")
    assert stop.isVisible()
    assert stop.width() >= stop.sizeHint().width()
    for name in ("live", "snap", "record", "plan"):
        button = find(widget, f"button-{name}")
        assert button.width() >= button.sizeHint().width()
    assert widget.grid.width() > 0.4 * widget.width()


def test_the_place_of_the_stage_can_be_planned(qtbot: QtBot, widget: SimWidget, session: FakeSession) -> None:
    qtbot.keyClick(widget, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier)
    editor = widget.panels.get("plan")
    assert isinstance(editor, PlanPanel)
    editor.place_requested.emit()
    assert not editor.model.get("positions")
    assert "no stage answers" in text_of(widget, "notice-text")
    session.be(Activity.LIVE, stage=StagePlace((12.5, -3.0), 4.5))
    widget.refresh()
    editor.place_requested.emit()
    (place,) = editor.model.get("positions")
    assert (place["x_um"], place["y_um"], place["z_um"]) == (12.5, -3.0, 4.5)
    collect = next(one for one in editor.presets() if one.name.startswith("Collect"))
    assert collect.plan is not None
    assert len(collect.plan.positions) == 9
