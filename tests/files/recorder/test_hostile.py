"""Recordings made to harm: right checksums, wrong content. Cases marked (fuzz) were found by `make fuzz`."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rdl_live.errors import DataError, RdlError
from rdl_live.files.recorder import Recorder, SrLayout, open_recording, recover, verify
from rdl_live.files.recorder.journal import MAX_LINE, decode_line, encode_line
from rdl_live.files.recorder.layout import MAX_HOLES

from .conftest import frame_at, layout_of, record, series, tag_at

Entry = dict[str, Any]


@pytest.fixture
def recording(path: Path) -> Path:
    """Two series of one image."""
    with Recorder(path, layout_of()) as recorder:
        record(recorder, series(0, 1))
    return path


def change(recording: Path, line: int, how: Callable[[Entry], Any]) -> None:
    """Change a line of the journal, and give it a right checksum."""
    journal = recording / "journal.jsonl"
    lines = journal.read_bytes().split(b"\n")
    entry = decode_line(lines[line])
    assert entry is not None
    lines[line] = encode_line(how(entry) or entry)[:-1]
    journal.write_bytes(b"\n".join(lines))


def in_series(**values: Any) -> Callable[[Entry], None]:
    return lambda entry: entry["series"].update(values)


def in_frame(**values: Any) -> Callable[[Entry], None]:
    return lambda entry: entry["series"]["frames"][3].update(values)


def in_layout(**values: Any) -> Callable[[Entry], None]:
    return lambda entry: entry["layout"].update(values)


CHANGES: dict[str, tuple[int, Callable[[Entry], Any]]] = {
    "a billion time points": (1, in_series(time=10**9 - 1)),
    "more time points than numbers": (1, in_series(time=10**30)),
    "a negative time": (1, in_series(time=-1)),
    "a half time (fuzz)": (1, in_series(time=0.5)),
    "a time that is text (fuzz)": (1, in_series(time="1")),
    "a time that is true": (1, in_series(time=True)),
    "another image": (1, in_series(channel=7)),
    "a chunk of terabytes": (1, in_series(stored=2**40)),
    "a negative chunk": (1, in_series(stored=-1)),
    "no chunk, but frames": (1, in_series(stored=0)),
    "frames that are no list (fuzz)": (1, in_series(frames={"a": 1})),
    "frames that are numbers (fuzz)": (1, in_series(frames=[1] * 9)),
    "a frame too few": (1, in_series(frames=[])),
    "a checksum that is text": (1, in_frame(crc="0")),
    "flags that are huge": (1, in_frame(flags=2**70)),
    "a pattern of 30 digits": (1, in_frame(pattern=10**30)),
    "a time stamp that is text (fuzz)": (1, in_frame(time_s="now")),
    "metadata that are a list": (1, in_frame(metadata=[1])),
    "remarks that are a number": (1, lambda _: {"remarks": 3}),
    "a lost series that is a number (fuzz)": (1, lambda _: {"end": {"unusable": [3]}}),
    "an end that is text (fuzz)": (1, lambda _: {"end": "now"}),
    "a million million images": (0, in_layout(positions=10**6, z_planes=10**6)),
    "frames of gigabytes": (0, in_layout(frame=[65536, 65536])),
    "a kind that there is not": (0, lambda entry: {**entry, "kind": "../raw"}),
}


@pytest.mark.parametrize(("line", "how"), CHANGES.values(), ids=CHANGES)
def test_journals_that_cannot_be(recording: Path, line: int, how: Callable[[Entry], Any]) -> None:
    change(recording, line, how)
    before = sorted(recording.rglob("*"))
    for action in (verify, open_recording, recover):
        with pytest.raises(DataError, match=r"journal.jsonl: holds what this version does not understand"):
            action(recording)
    assert sorted(recording.rglob("*")) == before


def test_nesting_without_end_is_a_damaged_line(recording: Path) -> None:
    journal = recording / "journal.jsonl"
    payload = b'{"remarks":' + b"[" * 10**5 + b"]" * 10**5 + b"}"
    with journal.open("ab") as file:
        file.write(b'{"crc":"%08x","entry":%s}\n' % (zlib.crc32(payload), payload))
        file.write(b"x" * (MAX_LINE + 10) + b"\n")
    report = recover(recording)
    assert (report.damaged_lines, report.raw_frames) == (3, 18)


BLOSC = {
    "no header": lambda _: b"\x02\x01",
    "gigabytes": lambda content: content[:4] + struct.pack("<I", 2**31 - 1) + content[8:],
    "more than there is": lambda content: content[:12] + struct.pack("<I", 2**20) + content[16:],
    "nonsense": lambda content: content[:16] + b"\xff" * (len(content) - 16),
}


@pytest.mark.parametrize("how", BLOSC.values(), ids=BLOSC)
def test_chunks_whose_compression_lies(recording: Path, how: Callable[[bytes], bytes]) -> None:
    chunk = recording / "0" / "c" / "1" / "0" / "0" / "0" / "0"
    chunk.write_bytes(how(chunk.read_bytes()))
    content = chunk.read_bytes()
    change(recording, 2, in_series(stored=len(content), crc=zlib.crc32(content)))
    with open_recording(recording) as opened, pytest.raises(DataError, match="time 1 is damaged or lost"):
        opened.read(1, 2)
    assert len(verify(recording).problems) == 1
    assert recover(recording).raw_frames == 9
    assert not recover(recording).changed


METADATA = {
    "no object (fuzz)": "[]",
    "no attributes": "{}",
    "attributes that are a list (fuzz)": '{"attributes": [1]}',
    "ours is a number (fuzz)": '{"attributes": {"rdl_live": 3}}',
    "nested": "[" * 10**5,
}


@pytest.mark.parametrize("text", METADATA.values(), ids=METADATA)
@pytest.mark.parametrize("node", ["zarr.json", "0/zarr.json"])
def test_metadata_that_another_program_spoilt_are_made_anew(recording: Path, node: str, text: str) -> None:
    whole = (recording / node).read_text()
    (recording / node).write_text(text)
    report = recover(recording)
    assert (report.changed, report.series) == (True, 2)
    assert json.loads((recording / node).read_text()) == json.loads(whole)
    assert not recover(recording).changed


def test_folders_with_impossible_numbers_are_no_time_points(recording: Path) -> None:
    for name in ("٣", "9" * 200, "007", "-1", "1000000000", "x"):
        target = recording / "0" / "c" / name / "0" / "0" / "0"
        target.mkdir(parents=True)
        (target / "0").write_bytes(b"")
    assert recover(recording).series == 2
    assert not recover(recording).changed


@pytest.mark.parametrize("name", ["journal.jsonl", "0", "zarr.json.part"])
def test_links_do_not_lead_the_pen_out_of_the_recording(recording: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    place = recording / name
    if place.exists():
        place.rename(outside)
    else:
        outside.write_text("a thesis")
        (recording / "zarr.json").unlink()  # so that it is written anew
    place.symlink_to(outside)
    before = {f: f.read_bytes() for f in [outside, *outside.rglob("*")] if f.is_file()}
    try:
        recover(recording)
    except RdlError as error:
        assert "symbolic link" in str(error)  # noqa: PT017
    assert {f: f.read_bytes() for f in [outside, *outside.rglob("*")] if f.is_file()} == before


def test_layouts_that_could_not_be_recorded_are_refused_before() -> None:
    with pytest.raises(ValueError, match="more than the 2147418112 that can be recorded at a time; choose a smaller"):
        SrLayout(frame=(65536, 65536), pixel_size_um=0.03)
    with pytest.raises(ValueError, match="more than the 20000 of a recording"):
        layout_of(positions=10**6)


def test_a_time_point_that_no_reader_would_believe_is_refused(path: Path) -> None:
    with Recorder(path, layout_of()) as recorder:
        record(recorder, series(0))
        with pytest.raises(DataError, match="only 1 series came before"):
            recorder.append(frame_at(1, 0, 0), tag_at(MAX_HOLES + 2, 0, 0))
        recorder.append(frame_at(2, 0, 0), tag_at(MAX_HOLES + 1, 0, 0))
    with open_recording(path) as opened:
        assert (len(opened), int(opened.valid.sum())) == (MAX_HOLES + 2, 10)
    node = json.loads((path / "zarr.json").read_text())["attributes"]["rdl_live"]
    assert node["missing_frames"] is None
    assert len(node["incomplete_time_points"]) == MAX_HOLES + 1
