"""The readers, each with small files that it takes."""

import json
import struct
import tempfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import tifffile
import torch
import zarr

from rdl_live.acquire.plan import load_plan
from rdl_live.errors import DataError, RdlError
from rdl_live.files import load_microscope, open_raw, read_map, read_otf, read_provenance
from rdl_live.files.ome_xml import parse_ome
from rdl_live.files.recorder import (
    FrameTag,
    Recorder,
    RecordingLayout,
    export_tiffs,
    open_recording,
    recover,
    verify,
)
from rdl_live.files.recorder.journal import decode_line, encode_line
from rdl_live.optics.microscope import PatternGeometry
from rdl_live.train import SceneSettings, TrainSettings, scene_training
from rdl_models import Card, ObjectPlane, ObjectPlaneConfig, load_weights, read_card, save_weights
from tests.raw_files import write_raw

from . import NAMES
from .harness import Target, blow_up
from .mutate import mutate_bytes, mutate_json, mutate_text, mutate_xml

CONFIGS = Path(__file__).parents[2] / "configs"
GEOMETRY = PatternGeometry()
FRAMES = np.random.default_rng(0).integers(0, 60000, (18, 6, 7)).astype("u2")
TRAINING = TrainSettings(steps=1, scenes=SceneSettings(size=32))


def _read_all(path: Path) -> None:
    with open_raw(path, GEOMETRY) as raw:
        for time in {0, len(raw) - 1}:
            raw.read(time, time + 1)


def _each(*actions: Callable[[], object]) -> None:
    """Run all actions; raise the last refusal if all are refused, or if memory ran out in one."""
    refusals: list[RdlError] = []
    for action in actions:
        try:
            action()
        except RdlError as error:
            if blow_up(error):
                raise
            refusals.append(error)
    if len(refusals) == len(actions):
        raise refusals[-1]


# ---- MRC -------------------------------------------------------------------------------------------------------------
def _mrc(order: str, mode: int, *, dv: bool, extended: int = 0) -> bytes:
    dtype = {0: "i1", 1: "i2", 2: "f4", 4: "c8", 6: "u2"}[mode]
    frames = FRAMES[:1, :1] if mode == 4 else FRAMES
    head = bytearray(1024)
    struct.pack_into(f"{order}4i", head, 0, *frames.shape[::-1], mode)
    struct.pack_into(f"{order}3i", head, 28, *frames.shape[::-1])
    struct.pack_into(f"{order}3f", head, 40, 0.065, 0.065, 0.1)
    struct.pack_into(f"{order}3i", head, 64, 1, 2, 3)
    struct.pack_into(f"{order}i", head, 92, extended)
    if dv:
        struct.pack_into(f"{order}h", head, 96, -16224)
        struct.pack_into(f"{order}3h", head, 180, 2, 1, 0)
        struct.pack_into(f"{order}3h", head, 196, 1, 525, 600)
    else:
        head[208:212] = b"MAP "
    return bytes(head) + b"\0" * extended + frames.astype(np.dtype(order + dtype)).tobytes()


def _mrc_target() -> Target:
    def read(content: bytes, folder: Path) -> None:
        path = folder / "a.mrc"
        path.write_bytes(content)
        _each(lambda: read_otf(path), lambda: _read_all(path))

    seeds = [_mrc(o, m, dv=dv, extended=e) for o in "<>" for m in (1, 2, 4, 6) for dv in (False, True) for e in (0, 64)]
    return Target("mrc", tuple(seeds), mutate_bytes, read)


# ---- TIFF ------------------------------------------------------------------------------------------------------------
def _tiffs() -> list[bytes]:
    options: list[dict[str, Any]] = [
        {"imagej": True},
        {"imagej": True, "metadata": {"Labels": [f"c:1/1 z:{i}/18 - 488" for i in range(18)]}},
        {"compression": "lzw", "predictor": True},
        {"compression": "zstd"},
        {"planarconfig": "separate", "metadata": {"axes": "QCYX"}},
        {"bigtiff": True, "metadata": None, "byteorder": ">"},
        {"compression": "zlib", "predictor": True},
        {"compression": "lzma"},
        {"tile": (16, 16), "compression": "zlib"},
        {"truncate": True},
        {"metadata": {"axes": "TAPYX"}},
    ]
    made = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.tif"
        for option in options:
            gray = {} if "imagej" in option else {"photometric": "minisblack"}
            shape = (2, 3, 3, 6, 7) if option.get("metadata") else FRAMES.shape
            tifffile.imwrite(path, FRAMES.reshape(shape), **gray, **option)
            made.append(path.read_bytes())
        tifffile.imwrite(path, FRAMES[0].astype("f4"))
        made.append(path.read_bytes())
        write_raw(path, FRAMES.reshape(2, 3, 3, 6, 7), GEOMETRY, 0.065, overwrite=True, provenance={"a": [1, {"b": 2}]})
        made.append(path.read_bytes())
    return made


def _tiff_target() -> Target:
    def read(content: bytes, folder: Path) -> None:
        path = folder / "a.tif"
        path.write_bytes(content)
        _each(lambda: read_provenance(path), lambda: read_map(path, (6, 7)), lambda: _read_all(path))

    return Target("tiff", tuple(_tiffs()), mutate_bytes, read)


def _ome_target() -> Target:
    """The description alone, in a TIFF file that is well otherwise."""

    def read(content: bytes, folder: Path) -> None:
        path = folder / "a.tif"
        text = bytes(b for b in content.rstrip() if b) or b" "
        tifffile.imwrite(path, FRAMES, photometric="minisblack", metadata=None, description=text)
        _each(lambda: read_provenance(path), lambda: _read_all(path))

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.tif"
        write_raw(path, FRAMES.reshape(2, 3, 3, 6, 7), GEOMETRY, 0.065, provenance={"a": [1, {"b": 2}]})
        ours = tifffile.tiffcomment(path).encode()
        tifffile.imwrite(path, FRAMES, ome=True, photometric="minisblack", metadata={"axes": "TYX"})
        theirs = tifffile.tiffcomment(path).encode()
    assert parse_ome(ours, 18).stack.frames.size == 18
    imagej = b"ImageJ=1.53\nimages=18\nslices=9\nframes=2\nhyperstack=true\nunit=micron\n"
    shaped = b'{"shape": [2, 9, 6, 7], "axes": "TPYX"}'

    def mutate(content: bytes, random: Random) -> bytes:
        if content.startswith(b"<"):
            return mutate_xml(content, random)
        return (mutate_json if content.startswith(b"{") else mutate_text)(content, random)

    return Target("ome-xml", (ours, theirs, imagej, shaped), mutate, read)


# ---- Zarr: the input is a folder, as {"name": "text"}, with the chunks as they are -----------------------------------
def _packed(folder: Path) -> bytes:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return json.dumps({str(f.relative_to(folder)): f.read_bytes().decode("latin-1") for f in files}).encode()


def _unpack(content: bytes, folder: Path) -> None:
    """Write the files of a packed folder; the names are those of the seed, never of a mutation.

    Raises:
        DataError: an engine cut the input itself.
    """
    try:
        files: dict[str, str] = json.loads(content)
    except ValueError as error:
        raise DataError(f"no packed folder: {error}") from error
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode("latin-1", "replace"))


def _mutate_packed(change: Callable[[str, bytes, Random], bytes]) -> Callable[[bytes, Random], bytes]:
    def mutate(content: bytes, random: Random) -> bytes:
        files: dict[str, str] = json.loads(content)
        name = random.choice(sorted(files))
        files[name] = change(name, files[name].encode("latin-1", "replace"), random).decode("latin-1")
        if random.random() < 0.02:
            del files[name]
        return json.dumps(files).encode()

    return mutate


def _zarrs() -> list[bytes]:
    made = []
    with tempfile.TemporaryDirectory() as name:
        for number, (version, options) in enumerate(
            [
                (2, {"compressors": None}),
                (2, {}),
                (3, {}),
                (3, {"compressors": zarr.codecs.BloscCodec()}),
                (3, {"shards": (2, 3, 3, 6, 7), "chunks": (1, 3, 3, 6, 7)}),
                (3, {"compressors": zarr.codecs.GzipCodec()}),
            ]
        ):
            folder = Path(name) / str(number)
            group = zarr.open_group(str(folder), mode="w", zarr_format=version)
            array = group.create_array("0", shape=(2, 3, 3, 6, 7), dtype="u2", **{"chunks": (1, 3, 3, 6, 7), **options})
            array[:] = FRAMES.reshape(array.shape)
            axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in ("t", "angle", "phase", "y", "x")]
            scale = [{"type": "scale", "scale": [1.0, 1.0, 1.0, 0.065, 0.065]}]
            image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
            about = {"multiscales": [image], "omero": {"channels": [{"label": "GFP"}]}}
            group.attrs.update({"ome": {"version": "0.5", **about}} if version == 3 else about)
            made.append(_packed(folder))
    return made


def _zarr_target() -> Target:
    def change(name: str, content: bytes, random: Random) -> bytes:
        return (mutate_json if "z" in Path(name).name else mutate_bytes)(content, random)

    def read(content: bytes, folder: Path) -> None:
        path = folder / "a.zarr"
        _unpack(content, path)
        _read_all(path)

    return Target("zarr", tuple(_zarrs()), _mutate_packed(change), read)


# ---- NDTiff: a folder whose index says where everything lies -----------------------------------------------------
def _ndtiff() -> bytes:
    index, pixels = b"", b""
    for number, frame in enumerate(FRAMES):
        axes = json.dumps({"time": number, "channel": "488"}).encode()
        index += struct.pack("<I", len(axes)) + axes + struct.pack("<I", 5) + b"a.tif"
        index += struct.pack("<8I", 32 + len(pixels), 7, 6, 1, 0, 0, 0, 0)
        pixels += frame.tobytes()
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "NDTiff.index").write_bytes(index)
        (Path(name) / "a.tif").write_bytes(bytes(32) + pixels)
        return _packed(Path(name))


def _ndtiff_target() -> Target:
    def read(content: bytes, folder: Path) -> None:
        path = folder / "a"
        path.mkdir()
        _unpack(content, path)
        _read_all(path)

    return Target(
        "ndtiff", (_ndtiff(),), _mutate_packed(lambda _, content, random: mutate_bytes(content, random)), read
    )


# ---- recordings: journal lines with right checksums, chunks ---------------------------------------------------------
def _recordings() -> list[bytes]:
    made = []
    with tempfile.TemporaryDirectory() as name:
        for number, more in enumerate([{}, {"compression": "none"}, {"channels": ("a", "b")}, {"compression": "zstd"}]):
            folder = Path(name) / f"{number}.zarr"
            with Recorder(folder, RecordingLayout(frame=(6, 7), pixel_size_um=0.1, **more)) as recorder:
                for index, frame in enumerate(FRAMES):
                    time, slot = divmod(index, 9)
                    tag = FrameTag(time, slot // 3, slot % 3, pattern_id=slot, timestamp_s=0.1, metadata={"a": 1})
                    recorder.append(frame, tag)
            made.append(_packed(folder))
    return made


def _mutate_journal(content: bytes, random: Random) -> bytes:
    """Change an entry and give it a right checksum, or damage the lines."""
    lines = content.split(b"\n")
    place = random.randrange(len(lines))
    entry = decode_line(lines[place])
    if random.random() < 0.1:
        return mutate_bytes(content, random)
    if random.random() < 0.1:
        del lines[place]
    elif entry is not None:
        changed = mutate_json(json.dumps(entry).encode(), random)
        try:
            lines[place] = encode_line(json.loads(changed))[:-1]
        except (ValueError, RecursionError):
            lines[place] = changed
    return b"\n".join(lines)


def _with_right_checksums(journal: bytes, files: dict[str, str]) -> bytes:
    """Let the journal say of each chunk file what it is."""
    lines = journal.split(b"\n")
    for place, line in enumerate(lines):
        series = (decode_line(line) or {}).get("series")
        if not isinstance(series, dict):
            continue
        inside = f"p{series.get('position')}_c{series.get('channel')}_z{series.get('z')}/"
        for name in (f"0/c/{series.get('time')}/0/0/0/0", f"{inside}0/c/{series.get('time')}/0/0/0/0"):
            if name in files:
                chunk = files[name].encode("latin-1", "replace")
                series |= {"stored": len(chunk), "crc": zlib.crc32(chunk)}
                lines[place] = encode_line({"series": series})[:-1]
    return b"\n".join(lines)


def _recording_target() -> Target:
    def change(name: str, content: bytes, random: Random) -> bytes:
        if name.endswith(".jsonl"):
            return _mutate_journal(content, random)
        return (mutate_json if name.endswith(".json") else mutate_bytes)(content, random)

    def mutate(content: bytes, random: Random) -> bytes:
        files: dict[str, str] = json.loads(_mutate_packed(change)(content, random))
        journal = files.get("journal.jsonl", "").encode("latin-1")
        if random.random() < 0.5:  # the journal is what readers believe
            journal = _mutate_journal(journal, random)
        elif random.random() < 0.5:  # damaged chunks with right checksums, so that they are decoded
            journal = _with_right_checksums(journal, files)
        if "journal.jsonl" in files:
            files["journal.jsonl"] = journal.decode("latin-1")
        return json.dumps(files).encode()

    def read(content: bytes, folder: Path) -> None:
        path = folder / "a.zarr"
        _unpack(content, path)
        _each(
            lambda: verify(path),
            lambda: _read_recording(path),
            lambda: _read_all(path),
            lambda: export_tiffs(path, folder / "a.ome.tif"),
            lambda: recover(path),
        )
        if recover(path).changed:
            raise AssertionError("a second recovery changed the recording again")

    return Target("recording", tuple(_recordings()), mutate, read)


def _read_recording(path: Path) -> None:
    with open_recording(path) as recording:
        assert recording.valid.shape == recording.shape[:3] == recording.timestamps_s.shape
        for time in range(min(len(recording), 3)):
            recording.read(time, time + 1)


# ---- YAML ------------------------------------------------------------------------------------------------------------
def _yaml_target() -> Target:
    def read(content: bytes, folder: Path) -> None:
        path = folder / "a.yaml"
        path.write_bytes(content)
        (folder / "demo.cfg").touch()
        _each(lambda: load_microscope(path), lambda: load_plan(path))

    seeds = tuple(file.read_bytes() for file in sorted(CONFIGS.glob("*.yaml")))
    return Target("yaml", seeds, mutate_text, read)


# ---- weights and checkpoints ----------------------------------------------------------------------------------------
def _mutate_safetensors(content: bytes, random: Random) -> bytes:
    """Change the header as JSON, the metadata within it as JSON in turn, or any byte."""
    (length,) = struct.unpack_from("<Q", content)
    if random.random() < 0.15 or length > len(content):
        return mutate_bytes(content, random)
    header, rest = content[8 : 8 + length], content[8 + length :]
    if random.random() < 0.5:
        changed = mutate_json(header, random)
    else:
        try:
            tree = json.loads(header)
            about = tree["__metadata__"]
            for key in about:
                about[key] = mutate_json(about[key].encode(), random).decode("utf-8", "replace")
            changed = json.dumps(tree).encode()
        except (ValueError, KeyError, TypeError, AttributeError):
            changed = mutate_bytes(header, random)
    return struct.pack("<Q", len(changed)) + changed + rest


def _tiny() -> ObjectPlane:
    return ObjectPlane(ObjectPlaneConfig(width=4, blocks=1))


def _weights_target() -> Target:
    def read(content: bytes, folder: Path) -> None:
        path = folder / "a.safetensors"
        path.write_bytes(content)
        _each(lambda: read_card(path), lambda: load_weights(path))

    card = Card(
        name="tiny",
        architecture="object-plane",
        config={"width": 4, "blocks": 1},
        trained_on={"seed": 1},
        steps=3,
        minutes=0.5,
        valid={"na": {"low": 1.2, "high": 1.5}},  # type: ignore[dict-item]  # pydantic makes Spans of them
        scores={"reticulum@5": 0.7},
    )
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.safetensors"
        save_weights(path, _tiny(), card)
        whole = path.read_bytes()
        torch.save({"weight": torch.ones(3)}, Path(name) / "a.pt")
        pickled = (Path(name) / "a.pt").read_bytes()

    def mutate(content: bytes, random: Random) -> bytes:
        return (_mutate_safetensors if content.startswith(whole[:8]) else mutate_bytes)(content, random)

    return Target("weights", (whole, whole, whole, pickled), mutate, read)


def _checkpoint_target() -> Target:
    def read(content: bytes, folder: Path) -> None:
        path = folder / "a.checkpoint"
        path.write_bytes(content)
        scene_training(_tiny, TRAINING, checkpoint=path, resume=True)

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.checkpoint"
        training = scene_training(_tiny, TRAINING, checkpoint=path)
        training.network(torch.ones(1, 4, 8, 8)).sum().backward()
        training.state.optimizers["network"].step()
        training.state.step, training.state.losses = 1, [1.0]
        training.save()
        whole = path.read_bytes()
    return Target("checkpoint", (whole,), _mutate_safetensors, read)


_MAKERS = (
    *(_mrc_target, _tiff_target, _ome_target, _zarr_target, _ndtiff_target, _recording_target),
    *(_yaml_target, _weights_target, _checkpoint_target),
)


@cache
def target(name: str) -> Target:
    """Return the target of a name."""
    return dict(zip(NAMES, _MAKERS, strict=True))[name]()
