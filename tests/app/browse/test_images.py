"""Browsing without a screen: what is shown is what was recorded, what is computed is told, holes stay holes."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from rdl_live.app.browse.images import Light, RecordingImages
from rdl_live.app.browse.source import open_source
from rdl_live.errors import DataError
from rdl_live.files.recorder.layout import ImageAddress
from rdl_live.optics.reconstruct import Reconstructor
from rdl_live.view.browse.about import about_image, about_recording
from rdl_live.view.browse.images import Request, Shown
from rdl_live.view.browse.latest_worker import LatestWorker
from rdl_live.view.browse.marks import Marks
from rdl_live.view.browse.source import Where
from rdl_live.view.patterns.verdicts import Verdict
from tests.raw_files import write_raw
from tests.view import recordings as rec


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder."""
    return rec.record(tmp_path_factory.mktemp("run"))


def last(images: RecordingImages, request: Request) -> Shown:
    *_, shown = images.steps(request)
    assert shown.done
    return shown


@pytest.mark.parametrize("name", ["", "raw.ome.zarr", "sr.ome.zarr"])
def test_a_run_is_opened_by_any_of_its_names(folder: Path, name: str) -> None:
    source = open_source(folder / name)
    sizes = source.sizes
    assert (sizes.times, sizes.channels, sizes.angles, sizes.phases) == (5, ("488", "560"), 3, 3)
    assert (sizes.frame, sizes.pixel_um) == ((rec.SIDE, rec.SIDE), rec.PIXEL_UM)
    assert source.microscope == rec.SCOPE
    assert np.array_equal(source.series(Where(4, channel=1)), rec.raw_series(4, 1))


def test_recorded_images_are_shown_as_recorded(folder: Path) -> None:
    images = RecordingImages(open_source(folder))
    shown = last(images, Request(Where(1), 2, 1))
    assert np.array_equal(shown.pictures["sim"].pixels, rec.sr_image(1))
    assert shown.pictures["sim"].pixel_um == rec.PIXEL_UM / 2
    photons = (rec.raw_series(1, 0)[2, 1].astype(np.float32) - 100) * 0.5
    assert np.array_equal(shown.pictures["raw"].pixels, photons)
    assert shown.patterns == rec.PATTERNS
    assert shown.patterns_from == "recorded with this image"
    assert shown.photons == pytest.approx(float(((rec.raw_series(1, 0) - 100.0) * 0.5).mean()), rel=1e-4)


def test_a_denoised_image_stands_in_its_own_pane_and_the_plain_one_is_computed(folder: Path) -> None:
    shown = last(RecordingImages(open_source(folder)), Request(Where(rec.DENOISED)))
    assert np.array_equal(shown.pictures["denoised"].pixels, rec.sr_image(rec.DENOISED))
    series = rec.raw_series(rec.DENOISED, 0)
    plain = Reconstructor(rec.SCOPE, rec.PATTERNS, (rec.SIDE, rec.SIDE))(series).numpy()
    np.testing.assert_allclose(shown.pictures["sim"].pixels, plain, rtol=1e-4, atol=1e-3)


def test_what_was_not_recorded_is_computed_with_the_nearest_patterns_and_told(folder: Path) -> None:
    source = open_source(folder)
    first, *_, shown = RecordingImages(source).steps(Request(Where(0)))
    assert set(first.pictures) == {"raw", "widefield"}  # what is read comes before what is computed
    assert shown.patterns_from == "recorded with time point 2"
    plain = Reconstructor(rec.SCOPE, rec.PATTERNS, (rec.SIDE, rec.SIDE))(rec.raw_series(0, 0)).numpy()
    np.testing.assert_allclose(shown.pictures["sim"].pixels, plain, rtol=1e-4, atol=1e-3)
    assert ("SIM image", "computed now; none was recorded for this time point") in about_image(source, Where(0), shown)


def test_each_colour_has_its_own_optics(folder: Path) -> None:
    source = open_source(folder)
    images = RecordingImages(source)
    # As if estimated: the second colour has no recorded patterns.
    images._estimated[ImageAddress(0, 1, 0)] = Light(rec.PATTERNS, rec.SCOPE.channels[1], "estimated")
    shown = last(images, Request(Where(0, channel=1)))
    red = Reconstructor(rec.SCOPE, rec.PATTERNS, (rec.SIDE, rec.SIDE), channel=rec.SCOPE.channels[1])
    np.testing.assert_allclose(shown.pictures["sim"].pixels, red(rec.raw_series(0, 1)).numpy(), rtol=1e-4, atol=1e-3)
    assert shown.patterns_from == "estimated"


def test_the_otf_recorded_with_an_image_computes_the_others(tmp_path: Path) -> None:
    rec.record(tmp_path, otf_damping=(0.08, 0.0))
    shown = last(RecordingImages(open_source(tmp_path)), Request(Where(0)))
    assert shown.patterns_from == "recorded with time point 2"
    shape, blue = (rec.SIDE, rec.SIDE), rec.SCOPE.channels[0]
    series = rec.raw_series(0, 0)
    damped = Reconstructor(rec.SCOPE, rec.PATTERNS, shape, channel=blue.replace(otf_damping=(0.08, 0.0)))(series)
    np.testing.assert_allclose(shown.pictures["sim"].pixels, damped.numpy(), rtol=1e-4, atol=1e-3)
    assumed = Reconstructor(rec.SCOPE, rec.PATTERNS, shape, channel=blue)(series)
    assert not np.allclose(damped.numpy(), assumed.numpy(), rtol=1e-2, atol=0.1)  # the law can fail


def test_patterns_that_cannot_be_are_a_problem_with_words(tmp_path: Path) -> None:
    rec.record(tmp_path, otf_damping=("steep", 0.0))
    shown = last(RecordingImages(open_source(tmp_path)), Request(Where(1)))
    assert "recorded with this image cannot be read" in shown.problem
    assert "otf_damping" in shown.problem


def test_holes_are_told_and_no_image_is_made_of_them(folder: Path) -> None:
    source = open_source(folder)
    time, angle, phase = rec.HOLE
    shown = last(RecordingImages(source), Request(Where(time), angle, phase))
    assert set(shown.pictures) == {"widefield"}
    assert "Frame missing" in shown.absent["raw"]
    assert "lacks frames" in shown.absent["sim"]
    whole = [rec.raw_series(time, 0)[a, p] for a in range(3) for p in range(3) if (a, p) != (angle, phase)]
    expected = (np.mean(whole, axis=0, dtype=np.float64) - 100) * 0.5  # zeros of a hole must not darken it
    np.testing.assert_allclose(shown.pictures["widefield"].pixels, expected, rtol=1e-4, atol=1e-3)


def test_marks_tell_what_is_wrong_where(folder: Path) -> None:
    source = open_source(folder)
    marks = Marks.of(source.flags(ImageAddress()), source.has_stored(ImageAddress()))
    assert [marks.verdict(t) for t in range(5)] == [*[Verdict.GOOD] * 2, Verdict.BAD, Verdict.GOOD, Verdict.CHECK]
    assert [marks.words(t) for t in (0, 2, 4)] == ["complete", "1 frame missing", "3 frames saturated"]
    assert marks.stored.tolist() == [False, True, False, True, False]
    assert (marks.next_marked(0, 1), marks.next_marked(2, 1), marks.next_marked(4, 1)) == (2, 4, None)
    assert (marks.next_marked(4, -1), marks.next_marked(2, -1)) == (2, None)
    assert marks.summary == "5 series: 1 with missing frames, 1 saturated"
    other = Marks.of(source.flags(ImageAddress(0, 1, 0)), source.has_stored(ImageAddress(0, 1, 0)))
    assert other.summary == "5 series, all complete"


def test_what_is_known_is_told(folder: Path) -> None:
    source = open_source(folder)
    lines = dict(about_recording(source))
    assert lines["Frames"] == "48 x 48 pixels of 65 nm, 3.1 x 3.1 µm"
    assert lines["Software"] == "rdl-live test"
    image = dict(about_image(source, Where(1), None))
    assert image["Exposed at"] == "1.000 s"
    assert image["Light"] == "20 %"


def test_camera_maps_are_used_and_where_they_lack_it_is_told(tmp_path: Path) -> None:
    offset = np.zeros((rec.SIDE + 8, rec.SIDE + 4), np.float32)
    corner = (6, 3)
    offset[corner[0] : corner[0] + rec.SIDE, corner[1] : corner[1] + rec.SIDE] = 100 + np.eye(rec.SIDE)
    path = tmp_path / "offset.tif"
    tifffile.imwrite(path, offset)
    scope = rec.SCOPE.replace(camera={**rec.SCOPE.camera.model_dump(), "offset_file": str(path)})
    folder = rec.record(tmp_path, with_sr=False, microscope=scope.model_dump(mode="json"), corner_px=corner)
    shown = last(RecordingImages(open_source(folder)), Request(Where(1)))
    adu = rec.raw_series(1, 0).astype(np.float32)
    assert np.allclose(shown.pictures["raw"].pixels, (adu[0, 0] - 100 - np.eye(rec.SIDE)) * 0.5)
    assert not shown.maps_lacking
    path.unlink()
    source = open_source(folder)
    shown = last(RecordingImages(source), Request(Where(1)))
    assert np.allclose(shown.pictures["raw"].pixels, (adu[0, 0] - 100) * 0.5)
    assert any("mean numbers" in text for _, text in about_image(source, Where(1), shown))


def test_without_raw_frames_the_images_alone_are_shown(tmp_path: Path) -> None:
    rec.record(tmp_path)
    (tmp_path / "raw.ome.zarr").rename(tmp_path / "elsewhere.ome.zarr")
    source = open_source(tmp_path / "sr.ome.zarr")
    assert source.sizes.phases == 1
    assert "no raw recording beside it" in source.notes[0]
    shown = last(RecordingImages(source), Request(Where(1)))
    assert list(shown.pictures) == ["sim"]
    assert "No image was recorded" in last(RecordingImages(source), Request(Where(0))).absent["sim"]


def test_a_recording_that_does_not_know_its_microscope(tmp_path: Path) -> None:
    rec.record(tmp_path, with_sr=False, microscope={"name": "from the future"})
    source = open_source(tmp_path)
    assert "cannot be read by this version" in source.notes[0]
    shown = last(RecordingImages(source), Request(Where(0)))
    assert shown.pictures["raw"].unit == "ADU"
    assert "--microscope" in shown.absent["sim"]
    assert open_source(tmp_path, rec.SCOPE).microscope == rec.SCOPE


def test_files_of_other_programs_need_a_microscope(tmp_path: Path) -> None:
    path = tmp_path / "cells.tif"
    stack = np.stack([rec.raw_series(time, 0) for time in range(2)])
    write_raw(path, stack, rec.SCOPE.pattern, rec.PIXEL_UM)
    with pytest.raises(DataError, match="--microscope"):
        open_source(path)
    with pytest.raises(DataError, match="no such file"):
        open_source(tmp_path / "nothing.tif")
    source = open_source(path, rec.SCOPE)
    assert source.sizes.times == 2
    assert np.array_equal(source.series(Where(1)), stack[1])
    source.close()


def test_a_tiff_that_this_program_wrote_shows_how_it_was_made(tmp_path: Path) -> None:
    path, made = tmp_path / "cells.tif", {"software": "rdl-live 1.2", "warnings": ["dim"], "plan": {"name": "night"}}
    write_raw(path, rec.raw_series(0, 0)[None], rec.SCOPE.pattern, rec.PIXEL_UM, provenance=made)
    source = open_source(path, rec.SCOPE)
    try:
        shown = about_recording(source)
    finally:
        source.close()
    assert {("Software", "rdl-live 1.2"), ("Warning", "dim"), ("Plan", "night")} <= set(shown)


@pytest.mark.parametrize("warnings", [3, "all", {"a": 1}, None])
def test_what_a_foreign_file_calls_warnings_is_passed_over(tmp_path: Path, warnings: object) -> None:
    path = tmp_path / "cells.tif"
    write_raw(path, rec.raw_series(0, 0)[None], rec.SCOPE.pattern, rec.PIXEL_UM, provenance={"warnings": warnings})
    source = open_source(path, rec.SCOPE)
    try:
        assert "Warning" not in dict(about_recording(source))
    finally:
        source.close()


def test_a_place_to_begin_with_is_found_by_name_or_number(folder: Path) -> None:
    sizes = open_source(folder).sizes
    last_colour = len(sizes.channels) - 1
    assert sizes.beginning() == Where()
    assert sizes.beginning(channel=sizes.channels[last_colour]) == Where(channel=last_colour)
    assert sizes.beginning(position="0", channel=str(last_colour)) == Where(channel=last_colour)
    named = replace(sizes, positions=2, position_names=("left", "right"))
    assert named.beginning("right") == Where(position=1)
    with pytest.raises(DataError, match="no position 'up'; it has 2: left, right"):
        named.beginning("up")
    with pytest.raises(DataError, match="no channel 'infrared'"):
        sizes.beginning(channel="infrared")


def test_damage_is_told_and_the_rest_is_shown(tmp_path: Path) -> None:
    rec.record(tmp_path, with_sr=False)
    chunk = next((tmp_path / "raw.ome.zarr" / "p0_c0_z0" / "0" / "c" / "1").rglob("0"))
    while chunk.is_dir():
        chunk = next(chunk.iterdir())
    chunk.write_bytes(b"\0" * chunk.stat().st_size)
    images = RecordingImages(open_source(tmp_path))
    assert "damaged" in last(images, Request(Where(1))).problem
    images._estimated[ImageAddress()] = Light(rec.PATTERNS, rec.SCOPE.channels[0], "estimated")
    assert "sim" in last(images, Request(Where(0))).pictures


def test_the_newest_request_wins_and_failures_do_not_end_the_worker() -> None:
    begun, go_on, told = threading.Event(), threading.Event(), threading.Event()
    answers: list[str] = []
    failures: list[Exception] = []

    def steps(request: str) -> Iterator[str]:
        yield f"{request} 1"
        if request == "a":
            begun.set()
            assert go_on.wait(10)
        if request == "bad":
            raise ValueError(request)
        yield f"{request} 2"

    def failed(error: Exception) -> None:
        failures.append(error)
        told.set()

    def deliver(answer: str) -> None:
        answers.append(answer)
        if answer == "c 2":
            told.set()

    worker = LatestWorker(steps, deliver, failed)
    worker.ask("a")
    assert begun.wait(10)
    worker.ask("b")
    worker.ask("c")
    go_on.set()
    assert told.wait(10)
    assert answers == ["a 1", "a 2", "c 1", "c 2"]
    told.clear()
    worker.ask("bad")
    assert told.wait(10)
    assert [str(error) for error in failures] == ["bad"]
    told.clear()
    worker.ask("c")
    assert told.wait(10)
    assert worker.close()
