"""The exported OME-TIFF holds every frame at its index, for tifffile and for our own reader."""

import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import tifffile
import typer
from typer.testing import CliRunner

from rdl_live.cli import _recording
from rdl_live.errors import ConfigError, DataError, OutputError
from rdl_live.files import open_raw, read_provenance
from rdl_live.files.ome_document import SCHEMA
from rdl_live.files.recorder import (
    ChannelInfo,
    Recorder,
    SrLayout,
    SrRecorder,
    export_tiffs,
    open_recording,
    verify,
)
from rdl_live.files.wavelength import colour_of
from rdl_live.optics.microscope import PatternGeometry, SeriesOrder

from .conftest import frame_at, layout_of, record, series, tag_at

APP = typer.Typer()
for _verb in (_recording.recover, _recording.verify, _recording.export):
    APP.command()(_verb)


def export_paths(path: Path, out: Path) -> list[Path]:
    """Export, and return the files."""
    return [one.path for one in export_tiffs(path, out)]


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
    [out] = export_paths(path, tmp_path / "cells.ome.tif")
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


def xml_of(path: Path) -> ET.Element:
    with tifffile.TiffFile(path) as file:
        assert file.ome_metadata is not None
        return ET.fromstring(file.ome_metadata)


def found(root: ET.Element, tag: str) -> list[ET.Element]:
    return root.findall(f".//{{{SCHEMA}}}{tag}")


@pytest.mark.parametrize("order", SeriesOrder)
def test_one_file_a_position_with_colours_planes_and_times(path: Path, tmp_path: Path, order: SeriesOrder) -> None:
    channels = (
        ChannelInfo(name="GFP", excitation_nm=488, emission_nm=510),
        ChannelInfo(name="RFP", excitation_nm=561, emission_nm=645),
    )
    layout = layout_of(
        pattern=PatternGeometry(angles=2, phases=3, order=order),
        channels=channels,
        positions=2,
        z_planes=2,
        z_step_um=0.3,
        interval_s=2.0,
        provenance={
            "plan": {"channels": [{"name": "GFP", "exposure_ms": 5.0}]},
            "positions_um": [{"x_um": 10.0, "y_um": -4.5, "name": "left"}, {"x_um": 80.0, "y_um": 0.0}],
        },
    )
    with Recorder(path, layout) as recorder:
        for t, p, z, c, a, f in np.ndindex(3, 2, 2, 2, 2, 3):
            if (t, p, z, c, a, f) != (1, 0, 1, 0, 1, 2):
                recorder.append(frame_at(t, a, f, c, z, p), tag_at(t, a, f, channel=c, z=z, position=p))
    left, right = export_tiffs(path, tmp_path / "cells.ome.tif")
    assert [left.path.name, right.path.name] == ["cells-p0.ome.tif", "cells-p1.ome.tif"]
    assert (left.time_points, left.missing_frames, right.missing_frames) == (3, 1, 0)
    pages = tifffile.imread(right.path, key=range(3 * 2 * 2 * 2 * 3))
    sizes = (3, 2, 2, 2, 3) if order is SeriesOrder.ANGLE_PHASE else (3, 3, 2, 2, 2)
    for t, outer, c, z, inner in np.ndindex(*sizes):
        a, f = (outer, inner) if order is SeriesOrder.ANGLE_PHASE else (inner, outer)
        page = np.ravel_multi_index((t, outer, c, z, inner), sizes)
        np.testing.assert_array_equal(pages[page], frame_at(t, a, f, c, z, 1))
    # What another reader makes of it: tifffile knows Modulo annotations, too.
    with tifffile.TiffFile(right.path) as file:
        assert file.series[0].shape == (sizes[0], sizes[1], 2, 2, sizes[4], 8, 6)
    root = xml_of(left.path)
    (image,), (pixels,) = found(root, "Image"), found(root, "Pixels")
    assert image.get("Name") == "left"
    assert pixels.attrib.items() >= {"SizeC": "2", "PhysicalSizeZ": "0.3", "TimeIncrement": "2.0"}.items()
    date = datetime.fromisoformat(found(root, "AcquisitionDate")[0].text or "")
    assert abs((datetime.now(UTC) - date).total_seconds()) < 600
    green, red = (int(one.get("Color", "0")) % 2**32 for one in found(root, "Channel"))
    assert (green, red) == (0x00FF00FF, 0xFF0000FF)
    planes = found(root, "Plane")
    assert len(planes) == 72
    last = planes[-1]
    assert last.attrib.items() >= {"TheC": "1", "PositionX": "10.0", "PositionY": "-4.5"}.items()
    assert float(last.get("DeltaT", "nan")) == pytest.approx(2.01)
    assert float(planes[0].get("ExposureTime", "nan")) == pytest.approx(5e-3)
    assert last.get("ExposureTime") is None
    lacking = [plane.attrib for plane in planes if "DeltaT" not in plane.attrib]
    assert len(lacking) == 1
    assert read_provenance(left.path)["missing_frames"] == [[1, 0, 1, 1, 2]]
    (one,) = export_tiffs(path, tmp_path / "red.ome.tif", channel="RFP", position=1, z=1)
    with open_raw(one.path, layout.pattern) as exported:
        np.testing.assert_array_equal(exported[2][1, 2], frame_at(2, 1, 2, 1, 1, 1))
        assert exported.channel_names == ["RFP"]
    with pytest.raises(ConfigError, match="--channel blue: the recording has no such colour; it has GFP, RFP"):
        export_tiffs(path, tmp_path / "blue.ome.tif", channel="blue")
    with pytest.raises(ConfigError, match="--position 5: the recording has numbers 0 to 1"):
        export_tiffs(path, tmp_path / "none.ome.tif", position=5)


def test_the_root_names_all_images_for_readers_of_collections(path: Path) -> None:
    """As napari-ome-zarr follows it: each Image of OME/METADATA.ome.xml leads to a folder with an OME-Zarr image."""
    channels = (ChannelInfo(name="GFP", excitation_nm=488, emission_nm=510), ChannelInfo(name="RFP"))
    with Recorder(path, layout_of(channels=channels, positions=2)) as recorder:
        record(recorder, series(0, 1))
    attributes = json.loads((path / "zarr.json").read_bytes())["attributes"]["ome"]
    assert attributes == {"version": "0.5", "bioformats2raw.layout": 3}
    listed = json.loads((path / "OME" / "zarr.json").read_bytes())["attributes"]["ome"]["series"]
    root = ET.fromstring((path / "OME" / "METADATA.ome.xml").read_bytes())
    images = found(root, "Image")
    assert [image.get("ID") for image in images] == [f"Image:{folder}" for folder in listed]
    for folder in listed:
        node = json.loads((path / folder / "zarr.json").read_bytes())["attributes"]["ome"]
        assert node["multiscales"][0]["datasets"][0]["path"] == "0"
    colours = [
        json.loads((path / folder / "zarr.json").read_bytes())["attributes"]["ome"]["omero"]["channels"][0]["color"]
        for folder in listed[:2]
    ]
    assert colours == ["00FF00", "FFFFFF"]
    sizes = [pixels.get("SizeT") for pixels in found(root, "Pixels")]
    assert sizes[0] == str(2 * 3)  # time points and angles that were really recorded


def test_positions_that_were_not_reached_make_no_file(path: Path, tmp_path: Path) -> None:
    with Recorder(path, layout_of(positions=2)) as recorder:
        record(recorder, series(0))
    there, empty = export_tiffs(path, tmp_path / "cells.ome.tif")
    assert (there.time_points, empty.time_points) == (1, 0)
    assert [one.name for one in tmp_path.glob("*.tif")] == ["cells-p0.ome.tif"]


def test_super_resolved_images(path: Path, tmp_path: Path) -> None:
    image = np.random.default_rng(0).normal(size=(3, 16, 12)).astype(np.float32)
    with SrRecorder(path, SrLayout(frame=(16, 12), pixel_size_um=0.03)) as recorder:
        for time in range(3):
            recorder.append(image[time], time, provenance={"score": time})
    [out] = export_paths(path, tmp_path / "sr.ome.tif")
    np.testing.assert_array_equal(tifffile.imread(out), image)
    assert read_provenance(out)["images"][2] == {"score": 2}


def test_refusals(path: Path, tmp_path: Path) -> None:
    with Recorder(path, layout_of()) as recorder:
        record(recorder, series(0))
    out = tmp_path / "a.ome.tif"
    out.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        export_tiffs(path, out)
    assert out.read_bytes() == b"mine"
    export_tiffs(path, out, overwrite=True)
    with pytest.raises(ConfigError, match="--channel 3: the recording has only number 0"):
        export_tiffs(path, tmp_path / "b.ome.tif", channel=3)
    empty = tmp_path / "empty.ome.zarr"
    Recorder(empty, layout_of()).close()
    with pytest.raises(DataError, match="holds no time point"):
        export_tiffs(empty, tmp_path / "c.ome.tif")
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
    np.testing.assert_array_equal(tifffile.imread(out)[1, 2, 0, 2], frame_at(1, 2, 2))
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
    export_tiffs(path, tmp_path / "some.ome.tif")  # 199 missing of 201: a long pause, perhaps
    monkeypatch.setattr("rdl_live.files.recorder.export.MOST_HOLES", 10)
    monkeypatch.setattr("rdl_live.files.recorder.export.LEAST_SHARE", 0.05)
    with pytest.raises(DataError, match="claims 201 time points, of which 2 are there"):
        export_tiffs(path, tmp_path / "all.ome.tif")
    assert not (tmp_path / "all.ome.tif").exists()


@pytest.mark.parametrize(
    ("nm", "rgb"),
    [(None, (255, 255, 255)), (380, (255, 0, 255)), (470, (0, 153, 255)), (525, (55, 255, 0)), (610, (255, 137, 0))],
)
def test_the_colour_of_light(nm: float | None, rgb: tuple[int, int, int]) -> None:
    assert colour_of(nm) == rgb
    assert colour_of(200) == colour_of(380)
    assert colour_of(900) == colour_of(645) == (255, 0, 0)


def test_a_recording_of_nothing_is_not_well(path: Path) -> None:
    Recorder(path, layout_of()).close()
    report = verify(path)
    assert not report.ok
    assert "holds no frame" in report.problems[0]
