"""The exported OME-TIFF holds every frame at its index, for tifffile and for our own reader."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import typer
from typer.testing import CliRunner

from rdl_live.cli import _recording
from rdl_live.errors import DataError, OutputError
from rdl_live.files import open_raw, read_provenance
from rdl_live.files.recorder import (
    ChannelInfo,
    Recorder,
    SrLayout,
    SrRecorder,
    export_tiff,
    open_recording,
)
from rdl_live.optics.microscope import PatternGeometry, SeriesOrder

from .conftest import frame_at, layout_of, record, series, tag_at

APP = typer.Typer()
for _verb in (_recording.recover, _recording.verify, _recording.export):
    APP.command()(_verb)


@pytest.mark.parametrize("order", SeriesOrder)
def test_axes_are_named_and_holes_told(path: Path, tmp_path: Path, order: SeriesOrder) -> None:
    geometry = PatternGeometry(angles=3, phases=5, order=order)
    layout = layout_of(
        pattern=geometry,
        channels=(ChannelInfo(name="GFP", excitation_nm=488, emission_nm=525),),
        provenance={"plan": "night"},
    )
    with Recorder(path, layout) as recorder:
        for t in range(4):
            for a in range(3):
                for p in range(5):
                    if (t, a, p) != (2, 1, 3):
                        recorder.append(frame_at(t, a, p), tag_at(t, a, p))
    out = export_tiff(path, tmp_path / "cells.ome.tif")
    with open_recording(path) as recording, open_raw(out, geometry) as exported:
        expected = recording.read()
        np.testing.assert_array_equal(exported.read(), expected)
        assert exported.pixel_size_um == pytest.approx(0.065)
        assert exported.channel_names == ["GFP"]
    by_tifffile = tifffile.imread(out)
    if order is SeriesOrder.PHASE_ANGLE:
        by_tifffile = by_tifffile.swapaxes(1, 2)
    np.testing.assert_array_equal(by_tifffile, expected)
    told = read_provenance(out)
    assert told["plan"] == "night"
    assert told["missing_frames"] == [[2, 1, 3]]
    assert told["timestamps_s"][3][1][0] == pytest.approx(3.01)
    assert told["timestamps_s"][2][1][3] is None
    assert not expected[2, 1, 3].any()


def test_super_resolved_images(path: Path, tmp_path: Path) -> None:
    image = np.random.default_rng(0).normal(size=(3, 16, 12)).astype(np.float32)
    with SrRecorder(path, SrLayout(frame=(16, 12), pixel_size_um=0.03)) as recorder:
        for time in range(3):
            recorder.append(image[time], time, provenance={"score": time})
    out = export_tiff(path, tmp_path / "sr.ome.tif")
    np.testing.assert_array_equal(tifffile.imread(out), image)
    assert read_provenance(out)["images"][2] == {"score": 2}


def test_refusals(path: Path, tmp_path: Path) -> None:
    with Recorder(path, layout_of()) as recorder:
        record(recorder, series(0))
    out = tmp_path / "a.ome.tif"
    out.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        export_tiff(path, out)
    assert out.read_bytes() == b"mine"
    export_tiff(path, out, overwrite=True)
    with pytest.raises(DataError, match="channel 3"):
        export_tiff(path, tmp_path / "b.ome.tif", channel=3)
    empty = tmp_path / "empty.ome.zarr"
    Recorder(empty, layout_of()).close()
    with pytest.raises(DataError, match="holds no time point"):
        export_tiff(empty, tmp_path / "c.ome.tif")
    assert not (tmp_path / "c.ome.tif").exists()


def test_the_verbs(path: Path, tmp_path: Path) -> None:
    with Recorder(path, layout_of(channels=("a", "b"))) as recorder:
        record(recorder, series(0, 1))
    run = CliRunner()
    result = run.invoke(APP, ["recover", str(path), "--json"], catch_exceptions=False)
    assert json.loads(result.stdout)["raw_frames"] == 18
    assert "was in order: 2 complete series" in " ".join(run.invoke(APP, ["recover", str(path)]).stdout.split())
    assert run.invoke(APP, ["verify", str(path)]).exit_code == 0
    out = tmp_path / "a.ome.tif"
    assert run.invoke(APP, ["export", str(path), str(out)], catch_exceptions=False).exit_code == 0
    np.testing.assert_array_equal(tifffile.imread(out)[1, 2, 2], frame_at(1, 2, 2))
    refused = run.invoke(APP, ["export", str(path), str(out)])
    assert isinstance(refused.exception, OutputError)
    next((path / "p0_c0_z0" / "0" / "c" / "1").rglob("0")).rename(tmp_path / "moved")
    for chunk in (path / "p0_c0_z0" / "0" / "c" / "0").rglob("*"):
        if chunk.is_file():
            chunk.unlink()
    broken = run.invoke(APP, ["verify", str(path), "--json"])
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["ok"] is False
    for verb in ("recover", "verify", "export"):
        shown = run.invoke(APP, [verb, "--help"])
        assert f"rdl-live {verb} " in " ".join(shown.stdout.split())


def test_a_journal_that_claims_what_is_not_there_does_not_fill_the_disk(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by fuzzing: one series at time 65 536 would be exported as 590 000 frames of zeros."""
    monkeypatch.setattr("rdl_live.files.recorder.export.MOST_HOLES", 250)
    with Recorder(path, layout_of()) as recorder:
        for time in (0, 200):
            for angle, phase in np.ndindex(3, 3):
                recorder.append(frame_at(time, angle, phase), tag_at(time, angle, phase))
    export_tiff(path, tmp_path / "some.ome.tif")  # 199 missing of 201: a long pause, perhaps
    monkeypatch.setattr("rdl_live.files.recorder.export.MOST_HOLES", 10)
    monkeypatch.setattr("rdl_live.files.recorder.export.LEAST_SHARE", 0.05)
    with pytest.raises(DataError, match="claims 201 time points, of which 2 are there"):
        export_tiff(path, tmp_path / "all.ome.tif")
    assert not (tmp_path / "all.ome.tif").exists()
