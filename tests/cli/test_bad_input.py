"""Whatever is wrong with what a user gives: a sentence that says what to do, exit code 2, and nothing written."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from rich.console import Console

from rdl_live.cli._show import pattern_table
from rdl_live.optics import evenly_spaced
from tests.cli.conftest import MICROSCOPE, SHAPE, Frames, Outcome, Run, listing

OUTPUTS = ["--out", "SR.tif", "--report", "R.json", "--preview", "P.png"]


def refused(run: Run, folder: Path, arguments: list[str], *words: str) -> Outcome:
    """Run a command that must fail: code 2, one message with all the words, no traceback, no file touched."""
    before = listing(folder)
    result = run(*arguments)
    assert result.code == 2, result.words
    assert listing(folder) == before
    for word in words:
        assert word in result.words
    assert "Traceback" not in result.words
    return result


def reconstruct(raw: str = "raw.tif", *more: str, microscope: str = "M.yaml") -> list[str]:
    return ["reconstruct", raw, "--microscope", microscope, *OUTPUTS, *more]


MICROSCOPE_FILES = [
    pytest.param("na: 1.3", "na: 1.3, magnification: 100", ["optics.magnification", "unknown key"], id="unknown key"),
    pytest.param(
        "pixel_size_um", "pixle_size_um", ["optics.pixle_size_um", "did you mean", "pixel_size_um"], id="misspelt"
    ),
    pytest.param(
        "emission_nm: 525", "emision_nm: 525", ["channels[0].emision_nm", "emission_nm"], id="misspelt in a list"
    ),
    pytest.param("na: 1.3", "na: 1.6", ["1.6", "1.518", "correct na", "immersion_index"], id="NA above the medium's"),
    pytest.param("na: 1.3", "na: 1.2, immersion_index: 1.0", ["1.2", "immersion"], id="NA above air"),
    pytest.param("pixel_size_um: 0.08", "pixel_size_um: 0", ["optics.pixel_size_um", "0"], id="zero pixel"),
    pytest.param("pixel_size_um: 0.08", "pixel_size_um: -0.08", ["optics.pixel_size_um", "-0.08"], id="negative pixel"),
    pytest.param("pixel_size_um: 0.08", "pixel_size_um: small", ["optics.pixel_size_um", "small"], id="no number"),
    pytest.param("pixel_size_um: 0.08", "pixel_size_um: .nan", ["optics.pixel_size_um"], id="NaN"),
    pytest.param(", pixel_size_um: 0.08", "", ["optics.pixel_size_um", "missing"], id="missing key"),
    pytest.param("emission_nm: 525", "emission_nm: 470", ["470", "488", "swap"], id="anti-Stokes"),
    pytest.param("gain_e_per_adu: 0.5", "gain_e_per_adu: 0", ["camera.gain_e_per_adu"], id="zero gain"),
    pytest.param(
        "read_noise_e: 1.5", "offset_file: none.tif", ["camera.offset_file", "none.tif", "does not exist"], id="no map"
    ),
    pytest.param("name: test scope", "name: [", ["not valid YAML"], id="no YAML"),
    pytest.param("name: test scope", "name: a\nname: b", ["stands twice"], id="key twice"),
]


@pytest.mark.parametrize("verb", ["reconstruct", "estimate"])
def test_pixels_of_the_chip_are_not_those_of_the_sample(run: Run, folder: Path, verb: str) -> None:
    Path("M.yaml").write_text(MICROSCOPE.replace("pixel_size_um: 0.08", "pixel_size_um: 65"), encoding="utf-8")
    refused(run, folder, [verb, "raw.tif", "-m", "M.yaml"], "M.yaml", "optics.pixel_size_um 65", "magnification")


def test_nothing_is_left_of_a_calibration_that_cannot_be(run: Run, folder: Path) -> None:
    refused(run, folder, ["calibrate", "camera", "--dark", "raw.tif", "--flat", "raw.tif", "--out", "cal"], "9 frames")


def test_one_option_is_complained_of_once(run: Run, folder: Path) -> None:
    done = refused(run, folder, ["simulate", "s.tif", "-m", "M.yaml", "--size", "0"], "--size 0")
    assert done.words.count("--size 0") == 1


@pytest.mark.parametrize("width", [60, 80])
def test_the_verdict_is_never_cut(width: int) -> None:
    console = Console(width=width, record=True, file=io.StringIO())
    patterns = evenly_spaced(0.2, 3, 5)
    doubted = patterns.replace(patterns=[{**one.model_dump(), "trusted": False} for one in patterns])
    console.print(pattern_table(doubted))
    assert console.export_text().count("not trusted") == 3


@pytest.mark.parametrize("verb", ["reconstruct", "estimate"])
@pytest.mark.parametrize(("old", "new", "words"), MICROSCOPE_FILES)
def test_microscope_file(run: Run, folder: Path, verb: str, old: str, new: str, words: list[str]) -> None:
    assert old in MICROSCOPE
    Path("M.yaml").write_text(MICROSCOPE.replace(old, new, 1), encoding="utf-8")
    arguments = reconstruct() if verb == "reconstruct" else ["estimate", "raw.tif", "--microscope", "M.yaml"]
    refused(run, folder, arguments, "error: M.yaml", *words)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("{angles: 3, phases: 2}", ["pattern.phases", "2"]),
        ("{angles: 3, phases: 4, harmonics: 2}", ["4 phases", "at least 5"]),
        ("{angles: 3, phases: 3, order: phases-first}", ["pattern.order", "phase-angle"]),
        ("{angle: 3}", ["pattern.angle", "did you mean", "angles"]),
    ],
)
def test_pattern_section(run: Run, folder: Path, pattern: str, words: list[str]) -> None:
    Path("M.yaml").write_text(f"{MICROSCOPE}pattern: {pattern}\n", encoding="utf-8")
    refused(run, folder, reconstruct(), "M.yaml", *words)


def cut(source: str, target: str, share: float) -> None:
    content = Path(source).read_bytes()
    Path(target).write_bytes(content[: int(len(content) * share)])


def truncated_tiff(frames: Frames) -> str:  # noqa: ARG001  # one of the table's makers
    cut("raw.tif", "bad.tif", 0.6)
    return "bad.tif"


def truncated_ome(frames: Frames) -> str:
    tifffile.imwrite("whole.ome.tif", frames, metadata={"axes": "TYX"})
    cut("whole.ome.tif", "bad.ome.tif", 0.6)
    Path("whole.ome.tif").unlink()
    return "bad.ome.tif"


def truncated_compressed(frames: Frames) -> str:
    tifffile.imwrite("whole.tif", frames, compression="zlib")
    cut("whole.tif", "bad.tif", 0.7)
    Path("whole.tif").unlink()
    return "bad.tif"


def truncated_mrc(frames: Frames) -> str:
    import mrcfile

    with mrcfile.new("whole.mrc", data=frames):
        pass
    cut("whole.mrc", "bad.mrc", 0.6)
    Path("whole.mrc").unlink()
    return "bad.mrc"


def header_only_mrc(frames: Frames) -> str:
    name = truncated_mrc(frames)
    Path(name).write_bytes(Path(name).read_bytes()[:1024])
    return name


def stack(count: int) -> Callable[[Frames], str]:
    def write(frames: Frames) -> str:
        tifffile.imwrite("bad.tif", np.concatenate([frames, frames])[:count])
        return "bad.tif"

    return write


def with_value(value: float, time: int, times: int = 1) -> Callable[[Frames], str]:
    def write(frames: Frames) -> str:
        film = np.stack([frames.astype(np.float32)] * times)
        film[time, 4, 7, 9] = value
        tifffile.imwrite("bad.tif", film.reshape(-1, *SHAPE))
        return "bad.tif"

    return write


def plain_bytes(name: str, content: bytes) -> Callable[[Frames], str]:
    def write(frames: Frames) -> str:  # noqa: ARG001  # one of the table's makers
        Path(name).write_bytes(content)
        return name

    return write


def a_folder(frames: Frames) -> str:  # noqa: ARG001  # one of the table's makers
    Path("folder").mkdir()
    return "folder"


def complex_numbers(frames: Frames) -> str:
    tifffile.imwrite("bad.tif", frames.astype(np.complex64))
    return "bad.tif"


def colours(frames: Frames) -> str:
    tifffile.imwrite("bad.tif", np.stack([frames[0]] * 3, axis=-1).astype(np.uint8), photometric="rgb")
    return "bad.tif"


def small(frames: Frames) -> str:
    tifffile.imwrite("bad.tif", frames[:, :12, :14])
    return "bad.tif"


def dark(frames: Frames) -> str:
    tifffile.imwrite("bad.tif", np.full_like(frames, 90))
    return "bad.tif"


RAW_FILES = [
    pytest.param(truncated_tiff, ["truncated|ends|cut|damaged"], id="truncated TIFF"),
    pytest.param(truncated_ome, ["truncated|ends|cut|damaged"], id="truncated OME-TIFF"),
    pytest.param(truncated_compressed, ["truncated|ends|cut|damaged"], id="truncated compressed TIFF"),
    pytest.param(truncated_mrc, ["truncated|ends|cut|damaged"], id="truncated MRC"),
    pytest.param(header_only_mrc, ["truncated|ends|cut|damaged"], id="MRC without data"),
    pytest.param(stack(8), ["8", "9", "pattern.angles|angles", "phases"], id="8 frames"),
    pytest.param(stack(10), ["10", "9"], id="10 frames"),
    pytest.param(stack(1), ["one single image", "9", "pattern.angles"], id="1 frame"),
    pytest.param(with_value(np.nan, 0), ["NaN", "time point 0", "angle 1, phase 1", "y 7, x 9", "replace"], id="NaN"),
    pytest.param(with_value(np.inf, 0), ["infinite", "time point 0"], id="infinite"),
    pytest.param(with_value(np.nan, 1, times=2), ["NaN", "time point 1"], id="NaN in the last time point"),
    pytest.param(with_value(np.nan, 9, times=20), ["NaN", "time point 9"], id="NaN between the sampled time points"),
    pytest.param(plain_bytes("empty.tif", b""), ["empty"], id="empty file"),
    pytest.param(
        plain_bytes("notes.tif", b"not an image at all" * 99), ["none of the known formats", "OME-TIFF"], id="text"
    ),
    pytest.param(plain_bytes("raw.zip", b"PK\x03\x04" + bytes(2000)), ["zip archive", "unpack"], id="zip"),
    pytest.param(plain_bytes("head.tif", b"II*\0\x08\0\0\0"), ["head.tif"], id="TIFF header only"),
    pytest.param(a_folder, ["folder", "Zarr"], id="folder"),
    pytest.param(lambda _: "absent.tif", ["absent.tif", "no such file"], id="no such file"),
    pytest.param(complex_numbers, ["complex"], id="complex numbers"),
    pytest.param(colours, ["bad.tif"], id="RGB picture"),
    pytest.param(small, ["12", "14", "16"], id="too small"),
    pytest.param(dark, ["no light", "camera.offset_adu", "100"], id="darker than the offset"),
]


@pytest.mark.parametrize(("make", "words"), RAW_FILES)
def test_raw_file(run: Run, folder: Path, film: Frames, make: Callable[[Frames], str], words: list[str]) -> None:
    name = make(film[0].reshape(9, *SHAPE))
    result = refused(run, folder, reconstruct(name), name)
    for word in words:
        assert any(choice in result.words for choice in word.split("|")), result.words


def test_estimate_refuses_the_same_files(run: Run, folder: Path, film: Frames) -> None:
    for make in (truncated_tiff, stack(8), with_value(np.nan, 0), a_folder):
        name = make(film[0].reshape(9, *SHAPE))
        result = refused(run, folder, ["estimate", name, "-m", "M.yaml", "--json"], name)
        assert result.out == ""


OPTIONS = [
    (["--device", "cuda"], ["--device cuda", "--device cpu"]),
    (["--device", "gpu"], ["gpu", "auto, cpu or cuda"]),
    (["--denoise", "magic"], ["--denoise", "magic", "none"]),
    (["--channel", "blue"], ["blue", "green", "red"]),
    (["--wiener", "0"], ["wiener", "above 0"]),
    (["--wiener", "-0.1"], ["wiener", "above 0"]),
    (["--wiener", "nan"], ["wiener", "nan"]),
    (["--wiener", "much"], ["--wiener", "number"]),
    (["--apodization", "square"], ["--apodization", "square", "triangle"]),
    (["--attenuation", "1.0"], ["--attenuation", "1.0"]),
    (["--attenuation", "-1"], ["--attenuation", "-1"]),
    (["--attenuation", "nan"], ["--attenuation", "nan"]),
]


@pytest.mark.parametrize(("option", "words"), OPTIONS, ids=lambda value: " ".join(value))
def test_options(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, option: list[str], words: list[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused(run, folder, reconstruct("raw.tif", *option), *words)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["reconstruct"], "RAW"),
        (["reconstruct", "raw.tif"], "--microscope"),
        (["reconstruct", "raw.tif", "--microscop", "M.yaml"], "--microscop"),
        (["reconstruct", "raw.tif", "--microscope"], "--microscope"),
        (["reconstruct", "raw.tif", "more.tif", "-m", "M.yaml"], "more.tif"),
        (["rekonstruct", "raw.tif"], "rekonstruct"),
        (["estimate", "raw.tif"], "--microscope"),
        (["--verion"], "--verion"),
    ],
)
def test_usage(run: Run, folder: Path, arguments: list[str], word: str) -> None:
    refused(run, folder, arguments, word)


OUTPUT_PLACES = [
    (["--out", "old.tif"], ["old.tif", "exists", "--overwrite"]),
    (["--out", "SR.tif", "--report", "old.tif"], ["old.tif", "exists", "--overwrite"]),
    (["--out", "SR.tif", "--preview", "old.tif"], ["old.tif", "exists", "--overwrite"]),
    (["--out", "raw.tif"], ["raw.tif", "input"]),
    (["--out", "raw.tif", "--overwrite"], ["raw.tif", "input", "never overwritten"]),
    (["--out", "./sub/../raw.tif", "--overwrite"], ["raw.tif", "never overwritten"]),
    (["--out", "link.tif", "--overwrite"], ["link.tif", "never overwritten"]),
    (["--out", "SR.tif", "--report", "M.yaml", "--overwrite"], ["M.yaml", "never overwritten"]),
    (["--out", "nowhere/SR.tif"], ["nowhere", "no folder"]),
    (["--out", "SR.tif", "--report", "nowhere/R.json"], ["nowhere", "no folder"]),
    (["--out", "sub"], ["sub", "folder"]),
    (["--out", "SR.tif", "--preview", "SR.tif"], ["different files"]),
    (["--out", "SR.tif", "--report", "sub/../SR.tif"], ["different files"]),
    (["--out", "SR.png"], ["SR.png", ".tif"]),
    (["--out", "x" * 300 + ".tif"], ["cannot be written"]),
]


@pytest.mark.parametrize(("options", "words"), OUTPUT_PLACES, ids=lambda value: " ".join(value)[:60])
def test_outputs(run: Run, folder: Path, options: list[str], words: list[str]) -> None:
    Path("old.tif").write_text("precious", encoding="utf-8")
    Path("sub").mkdir()
    Path("link.tif").symlink_to("raw.tif")
    refused(run, folder, ["reconstruct", "raw.tif", "-m", "M.yaml", *options], *words)


def test_a_full_disk_leaves_nothing(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile.TiffWriter, "write", full)
    refused(run, folder, reconstruct(), "SR.tif", "No space left", "free space")


@pytest.mark.parametrize("failing", ["rdl_live.app.reconstruct.outputs.save_preview", "pathlib.Path.write_text"])
def test_a_disk_that_fills_at_the_end_leaves_nothing(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(failing, full)
    refused(run, folder, reconstruct(), "No space left", "free space")
