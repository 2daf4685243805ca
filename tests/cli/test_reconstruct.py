"""`rdl-live reconstruct`: the fixed names, what is in the files, and the ways in."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from rdl_live.app.reconstruct.run import OfflineRun
from rdl_live.files import open_raw, read_provenance
from rdl_live.optics import PatternGeometry, Reconstructor
from tests.cli.conftest import MICROSCOPE, SHAPE, Frames, Run, listing

pytestmark = pytest.mark.usefixtures("folder")

SR = (2 * SHAPE[0], 2 * SHAPE[1])


def photons(adu: Frames) -> float:
    return (float(adu.mean()) - 100) * 0.5


def report_of(path: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return record


def test_everything_at_once(run: Run, folder: Path, film: Frames) -> None:
    result = run(
        "reconstruct", "raw.tif", "--microscope", "M.yaml", "--denoise", "none", "--out", "SR.tif",
        "--report", "R.json", "--preview", "P.png", "--device", "cpu",
    )  # fmt: skip
    assert result.code == 0, result.words
    assert sorted(listing(folder)) == ["M.yaml", "P.png", "R.json", "SR.tif", "raw.tif"]
    with tifffile.TiffFile("SR.tif") as tiff:
        image = tiff.asarray()
        assert tiff.is_ome
        assert 'PhysicalSizeX="0.04"' in (tiff.ome_metadata or "")
    assert image.shape == SR
    assert image.dtype == np.float32
    assert float(image.mean()) == pytest.approx(photons(film[0]), rel=0.01)
    record = report_of("R.json")
    assert {"patterns", "mcnr", "wiener", "resolution_um", "seconds", "warnings"} <= set(record)
    assert len(record["patterns"]) == 3
    for pattern in record["patterns"]:
        assert {"angle_deg", "period_um", "phases_deg", "modulation", "score", "trusted"} <= set(pattern)
        assert 0 <= pattern["angle_deg"] < 180
        assert len(pattern["phases_deg"]) == 3
        assert pattern["trusted"] is True
        assert pattern["modulation"] == pytest.approx(0.8, abs=0.1)
    assert {"estimate", "reconstruct"} <= set(record["seconds"])
    assert all(seconds >= 0 for seconds in record["seconds"].values())
    assert record["mcnr"] > 4
    assert 0 < record["wiener"] < 1
    assert 0.08 < record["resolution_um"] < 0.3
    assert record["warnings"] == []
    with Image.open("P.png") as picture:
        assert min(picture.size) > 400
    made_by = read_provenance("SR.tif")
    assert made_by["patterns"] == record["patterns"]
    assert made_by["microscope"]["name"] == "test scope"
    assert made_by["raw"] == "raw.tif"
    assert "trusted" in result.out
    assert "SR.tif" in result.out


def test_the_image_is_that_of_the_library(run: Run) -> None:
    """The command and the three lines of Python of the documentation give the same image."""
    import rdl_live
    from rdl_live.optics import estimate_patterns

    assert run("reconstruct", "raw.tif", "-m", "M.yaml", "--out", "SR.tif", "--device", "cpu").code == 0
    scope = rdl_live.load_microscope("M.yaml")
    series = tifffile.imread("raw.tif").reshape(3, 3, *SHAPE)
    rec = Reconstructor(scope, estimate_patterns(series, scope), shape=series.shape[-2:], device="cpu")
    image = rec(series).numpy()
    assert np.abs(tifffile.imread("SR.tif") - image).max() < 1e-4 * image.max()


def test_default_name_is_beside_the_raw_file(run: Run) -> None:
    Path("day.1").mkdir()
    Path("raw.tif").rename("day.1/cell.2.ome.tif")
    assert run("reconstruct", "day.1/cell.2.ome.tif", "-m", "M.yaml").code == 0
    assert Path("day.1/cell.2-sr.tif").is_file()


def test_time_lapse(run: Run, film_file: str, film: Frames) -> None:
    assert run("reconstruct", film_file, "-m", "M.yaml", "--out", "SR.tif", "--report", "R.json").code == 0
    images = tifffile.imread("SR.tif")
    assert images.shape == (3, *SR)
    assert images.dtype == np.float32
    for image, series in zip(images, film, strict=True):
        assert float(image.mean()) == pytest.approx(photons(series), rel=0.01)
    assert len(report_of("R.json")["patterns"]) == 3


def test_phase_angle_order(run: Run, film: Frames) -> None:
    assert run("reconstruct", "raw.tif", "-m", "M.yaml", "--out", "straight.tif").code == 0
    tifffile.imwrite("swapped.tif", film[0].swapaxes(0, 1).reshape(9, *SHAPE))
    text = MICROSCOPE + "pattern: {angles: 3, phases: 3, order: phase-angle}\n"
    Path("M2.yaml").write_text(text, encoding="utf-8")
    assert run("reconstruct", "swapped.tif", "-m", "M2.yaml", "--out", "SR.tif").code == 0
    assert np.array_equal(tifffile.imread("SR.tif"), tifffile.imread("straight.tif"))


def test_another_order_is_found_and_said(run: Run, film: Frames) -> None:
    """Frames in another order than the microscope file says: the stripes show which."""
    tifffile.imwrite("swapped.tif", film[0].swapaxes(0, 1).reshape(9, *SHAPE))
    result = run("reconstruct", "swapped.tif", "-m", "M.yaml", "--out", "SR.tif", "--report", "R.json")
    assert result.code == 0
    record = report_of("R.json")
    assert all(pattern["trusted"] for pattern in record["patterns"])
    assert record["frame_order"] == "phase-angle"
    assert any("read as phase-angle" in warning for warning in record["warnings"])
    result = run(
        "reconstruct", "swapped.tif", "-m", "M.yaml", "--out", "S.tif", "--report", "S.json", "--order", "phase-angle"
    )
    assert result.code == 0
    assert not any("read as" in warning for warning in report_of("S.json")["warnings"])


def test_a_wrong_order_that_is_said_is_noticed(run: Run, film: Frames) -> None:
    """Nothing is trusted, and the warnings name what to check."""
    tifffile.imwrite("swapped.tif", film[0].swapaxes(0, 1).reshape(9, *SHAPE))
    order = ("--order", "angle-phase")
    result = run("reconstruct", "swapped.tif", "-m", "M.yaml", "--out", "SR.tif", "--report", "R.json", *order)
    assert result.code == 3
    record = report_of("R.json")
    assert not all(pattern["trusted"] for pattern in record["patterns"])
    assert any("read as phase-angle they do: correct the order" in warning for warning in record["warnings"])


@pytest.mark.parametrize("mode", [6, 2])
def test_mrc(run: Run, film: Frames, mode: int) -> None:
    import mrcfile

    dtype = {6: np.uint16, 2: np.float32}[mode]
    with mrcfile.new("raw.mrc", data=film[0].reshape(9, *SHAPE).astype(dtype)) as file:
        file.voxel_size = 800.0
    assert run("reconstruct", "raw.tif", "-m", "M.yaml", "--out", "straight.tif").code == 0
    result = run("reconstruct", "raw.mrc", "-m", "M.yaml", "--out", "SR.tif")
    assert result.code == 0, result.words
    assert np.abs(tifffile.imread("SR.tif") - tifffile.imread("straight.tif")).max() < 1e-3


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int32, ">u2"])
def test_number_types(run: Run, film: Frames, dtype: Any) -> None:
    frames = film[0].reshape(9, *SHAPE)
    text = MICROSCOPE
    if dtype is np.uint8:
        frames, text = (
            np.clip((frames - 100.0) / 32, 0, 255),
            text.replace("offset_adu: 100, gain_e_per_adu: 0.5", "gain_e_per_adu: 16"),
        )
    Path("M.yaml").write_text(text, encoding="utf-8")
    tifffile.imwrite("other.tif", frames.astype(dtype))
    result = run("reconstruct", "other.tif", "-m", "M.yaml", "--out", "SR.tif", "--report", "R.json")
    assert result.code == 0, result.words
    assert float(tifffile.imread("SR.tif").mean()) == pytest.approx(photons(film[0]), rel=0.05)
    assert all(pattern["trusted"] for pattern in report_of("R.json")["patterns"])


def test_options_reach_the_reconstruction(run: Run) -> None:
    images = {}
    for name, options in {
        "plain": [],
        "wiener": ["--wiener", "0.3"],
        "apodization": ["--wiener", "0.3", "--apodization", "cosine"],
        "attenuation": ["--wiener", "0.3", "--attenuation", "0.9"],
        "channel": ["--wiener", "0.3", "--channel", "red"],
    }.items():
        result = run(
            "reconstruct", "raw.tif", "-m", "M.yaml", "--out", f"{name}.tif", *options, "--report", f"{name}.json"
        )
        # Another colour's optics do not image what these frames hold.
        assert result.code == (3 if name == "channel" else 0), result.words
        images[name] = tifffile.imread(f"{name}.tif")
    assert report_of("wiener.json")["wiener"] == pytest.approx(0.3)
    names = list(images)
    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            assert not np.allclose(images[one], images[other], rtol=1e-3)
    assert read_provenance("channel.tif")["patterns"] != read_provenance("plain.tif")["patterns"]


@pytest.mark.parametrize(
    ("dtype", "ceiling", "stated"),
    [
        (np.uint16, 65535, ""),
        (np.uint8, 255, ""),
        (np.uint16, 4095, ""),
        (np.float32, 65535, ""),
        (np.uint16, 1400, ", saturation_adu: 1400"),
    ],
    ids=["16 bit", "8 bit", "12 bit in 16", "16 bit as float", "stated"],
)
def test_saturation_is_a_warning(run: Run, film: Frames, dtype: Any, ceiling: int, stated: str) -> None:
    frames = film[0].reshape(9, *SHAPE).astype(float)
    frames = np.clip(frames * ceiling / np.quantile(frames, 0.995), 0, ceiling).astype(dtype)
    tifffile.imwrite("bright.tif", frames)
    Path("M.yaml").write_text(MICROSCOPE.replace("offset_adu: 100", f"offset_adu: 0{stated}"), encoding="utf-8")
    result = run("reconstruct", "bright.tif", "-m", "M.yaml", "--out", "SR.tif", "--report", "R.json")
    assert result.code == 0, result.words
    assert tifffile.imread("SR.tif").shape == SR
    (warning,) = (text for text in report_of("R.json")["warnings"] if "saturated" in text)
    assert "0.5" in warning
    assert "less light" in warning
    assert "saturated" in result.words


def test_saturation_of_any_time_point_is_told(run: Run, film: Frames) -> None:
    """Also where the time point is none of those that the patterns are estimated from."""
    long = np.concatenate([film] * 6)[:16].copy()
    long[1, 0, 0, 10:20, 10:20] = 65535
    tifffile.imwrite("long.tif", long.reshape(-1, *SHAPE))
    assert run("reconstruct", "long.tif", "-m", "M.yaml", "--out", "SR.tif", "--report", "R.json").code == 0
    assert any("saturated" in text for text in report_of("R.json")["warnings"])


def test_warnings_say_what_is_doubtful(run: Run, film: Frames) -> None:
    """An uncalibrated camera, another pixel size than the file's, pixels too coarse."""
    text = MICROSCOPE.replace("camera: {offset_adu: 100, gain_e_per_adu: 0.5, read_noise_e: 1.5}\n", "")
    Path("M.yaml").write_text(text.replace("pixel_size_um: 0.08", "pixel_size_um: 0.12"), encoding="utf-8")
    with open_raw("raw.tif", PatternGeometry()) as recording:
        assert recording.pixel_size_um is None
    tifffile.imwrite(
        "sized.ome.tif",
        film[0].reshape(9, *SHAPE),
        metadata={"axes": "TYX", "PhysicalSizeX": 0.08, "PhysicalSizeY": 0.08},
    )
    result = run("reconstruct", "sized.ome.tif", "-m", "M.yaml", "--out", "SR.tif", "--report", "R.json")
    assert result.code == 3, result.words  # with a pixel that is half again too large no pattern can be trusted
    told = " ".join(report_of("R.json")["warnings"])
    assert "not calibrated" in told
    assert "camera.gain_e_per_adu" in told
    assert "optics.pixel_size_um" in told
    assert "too coarse" in told


AWKWARD: dict[str, Any] = {
    "constant": lambda frames: np.full_like(frames, 500),
    "noise": lambda frames: np.random.default_rng(0).poisson(300, frames.shape).astype(np.uint16),
    "one photon": lambda frames: (np.random.default_rng(0).poisson(0.3, frames.shape) * 2 + 100).astype(np.uint16),
    "no modulation": lambda frames: np.repeat(frames.mean(axis=0, keepdims=True), 9, axis=0).astype(np.uint16),
    "tiny": lambda frames: frames[:, :16, :17],
    "shuffled": lambda frames: frames[[4, 0, 7, 2, 8, 3, 6, 1, 5]],
    "dark orientation": lambda frames: np.concatenate([frames[:6], np.full_like(frames[:3], 100)]),
}


@pytest.mark.parametrize("what", AWKWARD)
def test_awkward_data_give_an_image_and_a_warning(run: Run, film: Frames, what: str) -> None:
    frames = AWKWARD[what](film[0].reshape(9, *SHAPE))
    tifffile.imwrite("odd.tif", frames)
    result = run(
        "reconstruct", "odd.tif", "-m", "M.yaml", "--out", "SR.tif", "--report", "R.json", "--preview", "P.png"
    )
    image = tifffile.imread("SR.tif")
    assert np.isfinite(image).all()
    assert float(image.mean()) == pytest.approx(photons(frames), rel=0.03, abs=0.05)
    record = report_of("R.json")
    any_right = any(pattern["trusted"] for pattern in record["patterns"])
    assert any_right is (what == "dark orientation")
    assert result.code == (0 if any_right else 3), result.words  # a part that is right is no failure
    assert not all(pattern["trusted"] for pattern in record["patterns"]) or what == "tiny"
    assert record["warnings"]


@pytest.mark.parametrize("when", ["read", "reconstruct", "report"])
def test_ctrl_c_leaves_nothing(
    run: Run, folder: Path, film_file: str, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Interrupted in reading, in computing or when all but the report is done: no file, whole or half."""

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    if when == "read":
        monkeypatch.setattr(OfflineRun, "series", interrupted)
    elif when == "reconstruct":
        calls: list[int] = []
        honest = Reconstructor.__call__

        def second_time(self: Reconstructor, series: Any) -> Any:
            calls.append(1)
            return interrupted() if len(calls) == 2 else honest(self, series)

        monkeypatch.setattr(Reconstructor, "__call__", second_time)
    else:
        monkeypatch.setattr("rdl_live.app.reconstruct.run._json", interrupted)
    before = listing(folder)
    result = run(
        "reconstruct", film_file, "-m", "M.yaml", "--out", "SR.tif", "--report", "R.json", "--preview", "P.png"
    )
    assert result.code not in (0, 2)
    assert listing(folder) == before


def test_overwrite_replaces_all_of_them(run: Run, folder: Path) -> None:
    for name in ("SR.tif", "R.json", "P.png"):
        Path(name).write_text("old", encoding="utf-8")
    command = ["reconstruct", "raw.tif", "-m", "M.yaml", "--out", "SR.tif", "--report", "R.json", "--preview", "P.png"]
    before = listing(folder)
    assert run(*command).code == 2
    assert listing(folder) == before
    assert run(*command, "--overwrite").code == 0
    assert tifffile.imread("SR.tif").shape == SR
    assert "patterns" in report_of("R.json")
    assert sorted(listing(folder)) == sorted(before)


def test_help_has_examples(run: Run) -> None:
    result = run("reconstruct", "--help")
    assert result.code == 0
    for word in ("--microscope", "--denoise", "--out", "--report", "--preview", "--device", "--overwrite", "sr.tif"):
        assert word in result.words


@pytest.mark.usefixtures("folder")
def test_the_light_of_a_film_is_that_of_all_its_series(run: Run, film: Frames) -> None:
    """Not of the first alone: here each is dimmer than the one before."""
    photons = (film.astype(float) - 100) * 0.5
    faded = np.stack([one * share for one, share in zip(photons, (1.0, 0.8, 0.6), strict=True)])
    tifffile.imwrite("faded.tif", (faded / 0.5 + 100).round().astype(np.uint16).reshape(27, *SHAPE))
    assert run("reconstruct", "faded.tif", "-m", "M.yaml", "--report", "R.json", "--device", "cpu").code == 0
    found = json.loads(Path("R.json").read_text(encoding="utf-8"))["photons_per_pixel"]
    assert found == pytest.approx(faded.mean(), rel=0.01)
    assert found < 0.9 * faded[0].mean()
