"""What is recorded is what is read, whatever the order of arrival; holes are holes and never shifts."""

import json
import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tensorstore
import yaozarrs
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from rdl_live.errors import DataError, OutputError
from rdl_live.files import open_raw
from rdl_live.files.recorder import (
    ChannelInfo,
    FrameFlag,
    FrameTag,
    Limits,
    Recorder,
    SrLayout,
    SrRecorder,
    open_recording,
    recover,
    required_bytes,
    verify,
)
from rdl_live.optics.microscope import PatternGeometry

from .conftest import FRAME, frame_at, is_in_order, layout_of, record, series, tag_at

GEOMETRY = PatternGeometry(angles=3, phases=3)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), times=st.integers(1, 4), data=st.data())
def test_order_and_holes_never_shift_a_frame(seed: int, times: int, data: st.DataObject) -> None:
    places = series(*range(times))
    holes = set(data.draw(st.lists(st.sampled_from(places), max_size=12)))
    marked = {hole for hole in holes if data.draw(st.booleans())}
    mixed = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.ome.zarr"
        recorder = Recorder(path, layout_of())
        for time in range(times):
            one = [place for place in series(time) if place not in holes or place in marked]
            mixed.shuffle(one)
            for place in one:
                if place in marked:
                    recorder.mark_missing(tag_at(*place))
                else:
                    recorder.append(frame_at(*place), tag_at(*place))
        summary = recorder.close()
        with open_recording(path) as recording:
            values, valid = recording.read(), recording.valid
            patterns, stamps = recording.pattern_ids, recording.timestamps_s
    there = [place for place in places if place not in holes]
    length = max([t for t, _, _ in there] + [t for t, _, _ in marked], default=-1) + 1
    assert len(values) == length
    for t, a, p in places[: 9 * length]:
        assert valid[t, a, p] == ((t, a, p) in there)
        np.testing.assert_array_equal(values[t, a, p], frame_at(t, a, p) if valid[t, a, p] else 0)
        if valid[t, a, p]:
            assert patterns[t, a, p] == 3 * a + p
            assert stamps[t, a, p] == pytest.approx(t + 0.01 * a)
    assert summary.raw_frames == summary.verified == len(there)
    assert summary.missing == 9 * length - len(there)
    assert summary.series + summary.incomplete == length
    assert summary.lost_frames == 0


@pytest.mark.parametrize("compression", ["lz4", "zstd", "none"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32"])
def test_every_type_and_compression(path: Path, dtype: str, compression: str) -> None:
    values = np.random.default_rng(0).integers(0, 200, (2, 3, 3, *FRAME)).astype(dtype)
    with Recorder(path, layout_of(dtype=dtype, compression=compression)) as recorder:
        for t, a, p in series(0, 1):
            recorder.append(values[t, a, p], FrameTag(t, a, p))
    with open_recording(path) as recording:
        np.testing.assert_array_equal(recording.read(), values)
    np.testing.assert_array_equal(zarr.open_array(str(path / "0"), mode="r")[:], values)
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path / "0")}}
    np.testing.assert_array_equal(tensorstore.open(spec, open=True).result().read().result(), values)


def test_the_common_reader_reads_the_same(path: Path) -> None:
    layout = layout_of(channels=("GFP",), interval_s=2.0)
    with Recorder(path, layout) as recorder:
        record(recorder, series(0, 1, 2))
    with open_raw(path, GEOMETRY) as common, open_recording(path) as ours:
        np.testing.assert_array_equal(common.read(), ours.read())
        assert common.shape == ours.shape == (3, 3, 3, *FRAME)
        assert common.pixel_size_um == ours.pixel_size_um == 0.065
        assert common.channel_names == ours.channel_names == ["GFP"]
        assert common.notes == ours.notes == []


def test_one_image_is_valid_ome_zarr(path: Path) -> None:
    with Recorder(path, layout_of(interval_s=2.0)) as recorder:
        yaozarrs.validate_zarr_store(path)  # from the first moment
        record(recorder, series(0, 1))
    yaozarrs.validate_zarr_store(path)
    node = json.loads((path / "zarr.json").read_text())
    multiscale = node["attributes"]["ome"]["multiscales"][0]
    assert [axis["name"] for axis in multiscale["axes"]] == ["t", "angle", "phase", "y", "x"]
    assert multiscale["datasets"][0]["coordinateTransformations"][0]["scale"] == [2.0, 1, 1, 0.065, 0.065]
    assert node["attributes"]["rdl_live"]["closed"] is True


def test_several_images_are_valid_ome_zarr_and_kept_apart(path: Path) -> None:
    layout = layout_of(
        channels=(ChannelInfo(name="GFP", excitation_nm=488), "RFP"), z_planes=2, positions=2, time_points=2
    )
    with Recorder(path, layout) as recorder:
        for t, a, p in series(0, 1):  # colours within a phase: all series are open at a time
            for image in layout.images:
                more = image._asdict()
                recorder.append(frame_at(t, a, p, **more), tag_at(t, a, p, **more))
    yaozarrs.validate_zarr_store(path)
    for image in layout.images:
        more = image._asdict()
        expected = [[[frame_at(t, a, p, **more) for p in range(3)] for a in range(3)] for t in range(2)]
        with open_recording(path, **more) as ours, open_raw(path / layout.folder(image), GEOMETRY) as common:
            np.testing.assert_array_equal(ours.read(), expected)
            np.testing.assert_array_equal(common.read(), expected)
            assert ours.channel_names == [("GFP", "RFP")[image.channel]]
    with pytest.raises(DataError, match="has no position 0, channel 2"):
        open_recording(path, channel=2)


def test_metadata_flags_and_provenance_come_back(path: Path) -> None:
    layout = layout_of(provenance={"plan": Path("plan.yaml"), "power_mw": np.float64(3.5)})
    with Recorder(path, layout) as recorder:
        tag = FrameTag(0, 1, 2, flags=FrameFlag.SATURATED, metadata={"stage_um": np.array([1.5, 2.0])})
        recorder.append(frame_at(0, 1, 2), tag)
    with open_recording(path) as recording:
        assert recording.provenance == {"plan": "plan.yaml", "power_mw": 3.5}
        found = recording.records(0)[5]
        assert found.metadata == {"stage_um": [1.5, 2.0]}
        assert found.flags == FrameFlag.SATURATED
        assert found.number == 0
        assert np.isnan(recording.timestamps_s).all()
        assert recording.flags[0, 1, 2] == FrameFlag.SATURATED
        assert recording.flags[0, 0, 0] == FrameFlag.MISSING
        assert "8 frame(s) are missing" in recording.notes[0]
        assert not recording.complete.any()


def test_remarks_are_kept(path: Path) -> None:
    with Recorder(path, layout_of(provenance={"plan": "night"})) as recorder:
        record(recorder, series(0))
        recorder.remarks["warnings"] = ["orientation 2 is 6 degrees off"]
    with open_recording(path) as recording:
        assert recording.provenance == {"plan": "night", "warnings": ["orientation 2 is 6 degrees off"]}
    assert not recover(path).changed


def test_remarks_that_no_file_holds_do_not_harm_the_frames(path: Path) -> None:
    recorder = Recorder(path, layout_of())
    record(recorder, series(0))
    recorder.remarks["what"] = object()
    with pytest.raises(RuntimeError) as caught:
        recorder.close()
    assert "cannot hold a object" in str(caught.value.__cause__)
    assert verify(path).ok


def test_the_recording_can_be_read_while_it_runs(path: Path) -> None:
    with Recorder(path, layout_of()) as recorder:
        record(recorder, [*series(0, 1), (2, 0, 0)])
        while recorder.status.frames_written < 18:
            recorder.check()
        with open_recording(path) as recording:
            assert len(recording) == 2
            np.testing.assert_array_equal(recording[1][2, 1], frame_at(1, 2, 1))
            assert "was not closed" in recording.notes[0]
        while zarr.open_array(str(path / "0"), mode="r").shape[0] < 2:
            recorder.check()


WRONG = {
    "angle": (FrameTag(0, 3, 0), frame_at(0, 0, 0), "angle below 3"),
    "time": (FrameTag(5, 0, 0), frame_at(0, 0, 0), "time below 5"),
    "channel": (FrameTag(0, 0, 0, channel=1), frame_at(0, 0, 0), "channel below 1"),
    "size": (FrameTag(1, 0, 1), frame_at(0, 0, 0)[:4], r"\(4, 6\) uint16.*\(8, 6\) uint16"),
    "type": (FrameTag(1, 0, 1), frame_at(0, 0, 0).astype(np.uint8), "uint8.*uint16"),
    "twice": (FrameTag(1, 0, 0), frame_at(0, 0, 0), "came twice"),
    "late": (FrameTag(0, 2, 2), frame_at(0, 0, 0), "finished already"),
}


@pytest.mark.parametrize(("tag", "frame", "says"), WRONG.values(), ids=WRONG)
def test_wrong_frames_are_refused_and_the_rest_goes_on(
    path: Path, tag: FrameTag, frame: np.ndarray[tuple[int, ...], np.dtype[np.uint16]], says: str
) -> None:
    with Recorder(path, layout_of(time_points=5)) as recorder:
        record(recorder, [(0, 0, 0), (1, 0, 0)])
        with pytest.raises(DataError, match=says):
            recorder.append(frame, tag)
        record(recorder, [(1, 0, 1)])
    assert recorder.summary is not None
    assert recorder.summary.raw_frames == 3
    with open_recording(path) as recording:
        np.testing.assert_array_equal(recording[1][0, 0], frame_at(1, 0, 0))


@pytest.mark.parametrize("bad", [{"time": -1}, {"time": 0, "timestamp_s": float("nan")}])
def test_impossible_tags(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="frame tag"):
        FrameTag(**bad)  # type: ignore[arg-type]


def test_tags_may_hold_numpy_numbers(path: Path) -> None:
    with Recorder(path, layout_of()) as recorder:
        tag = FrameTag(np.int64(1), np.uint8(2), np.int32(0), np.int64(6), np.float32(0.5))  # type: ignore[arg-type]
        recorder.append(frame_at(1, 2, 0), tag)
    with open_recording(path) as recording:
        assert recording.pattern_ids[1, 2, 0] == 6
        assert recording.timestamps_s[1, 2, 0] == 0.5


def test_metadata_that_no_file_holds_is_refused_at_once(path: Path) -> None:
    with Recorder(path, layout_of()) as recorder, pytest.raises(TypeError, match="cannot hold a object"):
        recorder.append(frame_at(0, 0, 0), FrameTag(0, metadata={"what": object()}))


def test_the_frame_is_copied(path: Path) -> None:
    frame = frame_at(0, 0, 0)
    with Recorder(path, layout_of()) as recorder:
        recorder.append(frame, FrameTag(0))
        frame[:] = 0
    with open_recording(path) as recording:
        np.testing.assert_array_equal(recording[0][0, 0], frame_at(0, 0, 0))


def test_too_many_open_series_are_written_with_their_holes(path: Path) -> None:
    layout = layout_of(positions=4)
    with Recorder(path, layout, limits=Limits(open_series=2)) as recorder:
        for position in range(4):
            recorder.append(frame_at(0, 0, 0), FrameTag(0, position=position))
        with pytest.raises(DataError, match="finished already"):
            recorder.append(frame_at(0, 0, 1), FrameTag(0, 0, 1, position=0))
        recorder.append(frame_at(0, 0, 1), FrameTag(0, 0, 1, position=3))
    assert recorder.summary is not None
    assert recorder.summary.raw_frames == 5


def test_closing_is_final_and_can_be_repeated(path: Path) -> None:
    recorder = Recorder(path, layout_of())
    record(recorder, series(0))
    assert recorder.close() is recorder.close()
    with pytest.raises(OutputError, match="is closed"):
        recorder.append(frame_at(1, 0, 0), FrameTag(1))


def test_an_empty_recording_is_one_too(path: Path) -> None:
    summary = Recorder(path, layout_of()).close()
    assert (summary.raw_frames, summary.series, summary.seconds) == (0, 0, 0.0)
    assert is_in_order(path)
    with open_recording(path) as recording:
        assert recording.shape == (0, 3, 3, *FRAME)


def test_required_bytes_bound_what_is_stored(path: Path) -> None:
    layout = layout_of(time_points=3, compression="none")
    with Recorder(path, layout) as recorder:
        record(recorder, series(0, 1, 2))
    used = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    assert used < required_bytes(layout)
    assert required_bytes(layout) == 3 * required_bytes(layout.replace(time_points=None))


class TestSuperResolved:
    """The stream of results."""

    def image(self, time: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return np.random.default_rng(time).normal(5, 9, (16, 12)).astype(np.float32)

    def test_images_holes_and_provenance(self, path: Path) -> None:
        layout = SrLayout(frame=(16, 12), pixel_size_um=0.0325)
        with SrRecorder(path, layout) as recorder:
            for time in (0, 1, 3):  # 2 was dropped
                recorder.append(self.image(time), time, timestamp_s=0.1 * time, provenance={"score": time})
        yaozarrs.validate_zarr_store(path)
        with open_recording(path) as recording:
            assert recording.kind == "sr"
            assert recording.shape == (4, 1, 1, 16, 12)
            assert recording.complete.tolist() == [True, True, False, True]
            np.testing.assert_array_equal(recording[3][0, 0], self.image(3))
            assert recording.records(3)[0].metadata == {"score": 3}
            assert not recording[2].any()
        assert recorder.summary is not None
        assert (recorder.summary.series, recorder.summary.missing) == (3, 1)

    def test_no_nan_is_saved(self, path: Path) -> None:
        with SrRecorder(path, SrLayout(frame=(16, 12), pixel_size_um=0.0325)) as recorder:
            bad = self.image(0)
            bad[3, 3] = np.nan
            with pytest.raises(DataError, match="NaN"):
                recorder.append(bad, 0)
            recorder.append(self.image(0), 0)
        assert verify(path).verified == 1


def test_a_verdict_amends_frames_of_an_open_series_and_is_reported_where_it_comes_too_late(tmp_path: Path) -> None:
    told: list[str] = []
    path = tmp_path / "a.ome.zarr"
    first, *_, last = series(0)
    verdict = FrameTag(*first, flags=FrameFlag.WRONG_PATTERN)
    with Recorder(path, layout_of(), on_warning=told.append) as recorder:
        for place in series(0)[:-1]:
            recorder.append(frame_at(*place), tag_at(*place))
        recorder.amend(verdict)
        assert not told
        recorder.append(frame_at(*last), tag_at(*last))
        recorder.amend(verdict)  # its series is written
    assert len(told) == 1
    assert "after its series was written" in told[0]
    with open_recording(path) as recording:
        flags = recording.flags.reshape(-1)
        assert FrameFlag(int(flags[0])) is FrameFlag.WRONG_PATTERN
        assert not flags[1:].any()
        np.testing.assert_array_equal(recording.read()[0, 0, 0], frame_at(*first))
