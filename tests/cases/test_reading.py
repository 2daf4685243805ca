"""Files of other programs are read as what they are, or refused; nothing is silently wrong.

The frames come from the independent simulator of `make_cases.py`; what is right is what was written. A reading is right
only if every frame is where it belongs, which is stronger than agreement of the images. Every order is read fast with
3 x 3 frames a series; other counts, and images from end to end, are slow: they cost fifteen seconds more.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml
import zarr
from typer.testing import CliRunner

from rdl_live.cli import app
from rdl_live.errors import DataError
from rdl_live.files import RawRecording, load_microscope, open_raw
from rdl_live.files.raw import request_for, said

Case = Callable[[str], Path]
GREY = {"photometric": "minisblack"}


def opened(path: Path, scope_file: Path, channel: str | None = None, **words: Any) -> RawRecording:
    scope = load_microscope(scope_file)
    asked = None if channel is None else scope.channel(channel)
    return open_raw(path, scope.pattern, request_for(scope.channels, asked, said(**words)))


def is_right(path: Path, scope_file: Path, right: np.ndarray, channel: str | None = None, **words: Any) -> list[str]:
    """Check that a file is read as `right` (series x frames, y, x); return the notes."""
    with opened(path, scope_file, channel, **words) as raw:
        values = raw.read()
        np.testing.assert_array_equal(values.reshape(-1, *values.shape[-2:]), right.reshape(-1, *right.shape[-2:]))
        return raw.notes


# ---- the cases that went wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "order"),
    [
        ("pza.tif", None),
        ("pza.tif", "angle-z-phase"),
        ("pza.dv", "angle-z-phase"),
        pytest.param("pza.dv", None, marks=pytest.mark.slow),
    ],
)
def test_omx_order(case: Case, file: str, order: str | None) -> None:
    folder = case("omx-order")
    notes = is_right(folder / file, folder / "M.yaml", tifffile.imread(folder / "reference.tif"), order=order)
    assert (notes == []) == (order is not None)
    if order is None:
        assert "read as angle-z-phase (slowest first, 4 planes)" in notes[0]


def test_omx_order_in_the_microscope_file(case: Case, tmp_path: Path) -> None:
    folder = case("omx-order")
    text = (folder / "M.yaml").read_text().replace("angle-phase", "angle-z-phase")
    (tmp_path / "M.yaml").write_text(text)
    assert not is_right(folder / "pza.tif", tmp_path / "M.yaml", tifffile.imread(folder / "reference.tif"))
    assert not is_right(folder / "reference.tif", folder / "M.yaml", tifffile.imread(folder / "reference.tif"))


def test_an_order_that_the_stripes_contradict_is_named(case: Case) -> None:
    folder = case("omx-order")
    with opened(folder / "pza.tif", folder / "M.yaml", order="angle-phase") as raw:
        assert any("hardly any stripes; read as angle-z-phase they do" in note for note in raw.notes)


@pytest.mark.parametrize(("file", "count"), [("one.ome.tif", 1), ("stack.ome.tif", 4), ("time.ome.tif", 4)])
def test_bioformats_modulo(case: Case, file: str, count: int) -> None:
    folder = case("bioformats-modulo")
    right = tifffile.imread(folder / "reference.tif")[: 9 * count]
    assert not is_right(folder / file, folder / "M.yaml", right)


@pytest.mark.parametrize("file", ["two.ome.tif", "zct.tif"])
@pytest.mark.parametrize("channel", ["488", "561"])
def test_colours_by_name(case: Case, file: str, channel: str) -> None:
    folder = case("colours-by-name")
    right = tifffile.imread(folder / f"reference-{channel}.tif")
    assert not is_right(folder / file, folder / "M.yaml", right, channel)
    with opened(folder / file, folder / "M.yaml", channel) as raw:
        assert raw.channel is not None
        assert raw.channel.name == channel


@pytest.mark.parametrize("file", ["planar.tif", "lzw.tif", "packed12.tif", "frames", "mosaic.tif"])
def test_containers(case: Case, file: str) -> None:
    folder = case("containers")
    words = {"tiles": "3x3"} if file == "mosaic.tif" else {}
    assert not is_right(folder / file, folder / "M.yaml", tifffile.imread(folder / "reference.tif"), **words)


@pytest.mark.parametrize("file", ["Pos0", "cell_MMStack_Pos0.ome.tif", "cell_MMStack_Pos0_1.ome.tif"])
def test_micro_manager(case: Case, file: str) -> None:
    folder = case("containers")
    right = np.stack([tifffile.imread(one) for one in sorted((folder / "Pos0").iterdir())])
    assert not is_right(folder / file, folder / "M.yaml", right)


def test_a_mosaic_is_recognised(case: Case) -> None:
    folder = case("containers")
    with pytest.raises(DataError, match="looks like a mosaic of 3 x 3 frames in one picture: add --tiles 3x3"):
        opened(folder / "mosaic.tif", folder / "M.yaml")


@pytest.mark.parametrize("which", ["t", "z"])
def test_ambiguous(case: Case, which: str) -> None:
    folder = case("ambiguous")
    notes = is_right(folder / f"{which}-pattern.tif", folder / "M.yaml", tifffile.imread(folder / "reference.tif"))
    order = "angle-phase-z" if which == "t" else "time-angle-phase"
    assert f"Say --order {order} to make it certain" in notes[0]
    right = tifffile.imread(folder / "reference.tif")
    assert not is_right(folder / f"{which}-pattern.tif", folder / "M.yaml", right, order=order)


@pytest.mark.slow
def test_images_agree_from_end_to_end(case: Case, tmp_path: Path) -> None:
    """The agreement of `make_cases.py`: correlation with the right image from 5 to 9 cycles/um."""
    folder = case("omx-order")
    images = []
    for name in ("pza.dv", "reference.tif"):
        out = tmp_path / f"{name}.tif"
        result = CliRunner().invoke(
            app, ["reconstruct", str(folder / name), "-m", str(folder / "M.yaml"), "--out", str(out)]
        )
        assert result.exit_code == 0, result.output
        images.append(tifffile.imread(out))
    assert images[0].shape == (4, 512, 512)
    frequency = np.hypot(np.fft.fftfreq(512, 0.0325)[:, None], np.fft.fftfreq(512, 0.0325)[None])
    band = (frequency > 5) & (frequency < 9)
    for ours, right in zip(*images, strict=True):
        a, b = (np.fft.fft2(one)[band] for one in (ours, right))
        assert np.vdot(a, b).real / np.sqrt(np.vdot(a, a).real * np.vdot(b, b).real) > 0.95


# ---- variants of other sizes, orders, axes and names -----------------------------------------------------------------


class Made:
    """Series of small frames, each of its own specimen, in two counts; made once."""

    def __init__(self, make: ModuleType, folder: Path) -> None:
        self.folder = folder
        self.series = {
            counts: np.stack(
                [make.series(obj=make.curves(n=128, seed=i, count=16), noise=i, **counts_of(counts)) for i in range(6)]
            )
            for counts in ((3, 3), (2, 4), (3, 5))
        }

    def microscope(
        self, counts: tuple[int, int], *channels: tuple[str, float, float], order: str = "angle-phase"
    ) -> Path:
        listed = channels or (("488", 488.0, 525.0),)
        path = self.folder / f"{abs(hash((counts, listed, order)))}.yaml"
        content = {
            "name": "case",
            "optics": {"na": 1.49, "pixel_size_um": 0.065},
            "channels": [{"name": n, "excitation_nm": x, "emission_nm": m} for n, x, m in listed],
            "pattern": {"angles": counts[0], "phases": counts[1], "order": order},
        }
        path.write_text(yaml.safe_dump(content))
        return path


def counts_of(counts: tuple[int, int]) -> dict[str, int]:
    return {"angles": counts[0], "phases": counts[1]}


@pytest.fixture(scope="module")
def made(make_cases: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(make_cases, tmp_path_factory.mktemp("made"))


ORDERS = ["time-phase-angle", "angle-z-phase", "phase-z-angle", "angle-phase-z", "phase-angle-z", "time-angle-z-phase"]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("counts", [(3, 3), *(pytest.param(one, marks=pytest.mark.slow) for one in ((2, 4), (3, 5)))])
def test_any_order_is_found_or_taken_at_its_word(
    made: Made, counts: tuple[int, int], order: str, tmp_path: Path
) -> None:
    words = order.split("-")
    right = made.series[counts][:6]
    sizes = {"angle": counts[0], "phase": counts[1], "z": 6, "time": 6} | (
        {"time": 2, "z": 3} if len(words) == 4 else {}
    )
    named = [one for one in ("time", "z") if one in words] + ["angle", "phase"]
    grid = right.reshape(*(sizes[one] for one in named), 128, 128)
    stored = grid.transpose(*(named.index(one) for one in words), -2, -1)
    tifffile.imwrite(tmp_path / "a.tif", np.ascontiguousarray(stored).reshape(-1, 128, 128), **GREY)
    notes = is_right(tmp_path / "a.tif", made.microscope(counts), right)
    assert len(notes) == 1
    planes = 3 if len(words) == 4 else None
    assert not is_right(tmp_path / "a.tif", made.microscope(counts), right, order=order, planes=planes)


def test_good_plain_files_draw_no_note(made: Made, tmp_path: Path) -> None:
    for counts, right in made.series.items():
        tifffile.imwrite(tmp_path / "a.tif", right.reshape(-1, 128, 128), **GREY)
        assert not is_right(tmp_path / "a.tif", made.microscope(counts), right)


AXES = {
    "pattern in t, planes in z": ("TZ", lambda s: s.reshape(6, 9, 128, 128).swapaxes(0, 1)),
    "pattern in z, points in t": ("TZ", lambda s: s.reshape(6, 9, 128, 128)),
    "angle in z, phase in t": ("TZ", lambda s: s[0].swapaxes(0, 1)),
    "angle in t, phase in z": ("TZ", lambda s: s[0]),
    "pattern in c": ("TC", lambda s: s.reshape(6, 9, 128, 128)),
    "angle and phase named, phase slowest": ("PTA", lambda s: s.transpose(2, 0, 1, 3, 4)),
}


@pytest.mark.parametrize("kind", ["imagej", "ome", "shaped"])
@pytest.mark.parametrize("case_", AXES.values(), ids=AXES)
def test_axes(made: Made, kind: str, case_: Any, tmp_path: Path) -> None:
    axes, arrange = case_
    if kind == "imagej" and "A" in axes:
        pytest.skip("ImageJ has no such axes")
    stored = np.ascontiguousarray(arrange(made.series[3, 3]))
    options: dict[str, Any] = {"imagej": {"imagej": True}, "ome": {"ome": True, **GREY}, "shaped": GREY}[kind]
    tifffile.imwrite(tmp_path / "a.tif", stored, metadata={"axes": f"{axes}YX"}, **options)
    right = made.series[3, 3] if stored.ndim > 4 or len(stored) * len(stored[0]) == 54 else made.series[3, 3][:1]
    is_right(tmp_path / "a.tif", made.microscope((3, 3)), right)


@pytest.mark.parametrize("names", [("p", "t"), ("t", "p"), ("pos", "t"), ("p", "t", "a"), ("t", "z", "p")])
def test_zarr_axes(made: Made, names: tuple[str, ...], tmp_path: Path) -> None:
    """ "p" is the position where the sizes say so, the phase where they say that."""
    six = made.series[3, 3]
    stored, right = {
        ("p", "t"): (six.reshape(2, 27, 128, 128), six),
        ("t", "p"): (six.reshape(2, 27, 128, 128).swapaxes(0, 1), six),
        ("pos", "t"): (six[:3].reshape(3, 9, 128, 128), six[:3]),
        ("p", "t", "a"): (six.transpose(2, 0, 1, 3, 4), six),
        ("t", "z", "p"): (six.reshape(6, 3, 3, 128, 128), six),
    }[names]
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    group.create_array("0", data=np.ascontiguousarray(stored))
    axes = [{"name": name, "type": "other"} for name in (*names, "y", "x")]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0"}]}]
    is_right(tmp_path / "a.zarr", made.microscope((3, 3)), right)
    with opened(tmp_path / "a.zarr", made.microscope((3, 3))) as raw:
        assert raw.grid[0] == (
            2 if names[:2] in (("p", "t"), ("t", "p")) and len(names) == 2 else 3 if "pos" in names else 1
        )


TWO = (("488", 488.0, 525.0), ("561", 561.0, 605.0))
LABELS = {
    "names": ({"Name": ["561", "488"]}, True),
    "lasers in names": ({"Name": ["Cam2 561nm", "Cam1 488nm"]}, True),
    "wavelengths": ({"Name": ["a", "b"], "EmissionWavelength": [609, 520]}, True),
    "dyes": ({"Name": ["mCherry", "GFP"]}, True),
    "Alexa": ({"Name": ["Alexa Fluor 568", "Alexa Fluor 488"]}, True),
    "nothing": ({"Name": ["Channel 0", "Channel 1"]}, False),
}


@pytest.mark.parametrize("channel", ["488", "561"])
@pytest.mark.parametrize(("labels", "swapped"), LABELS.values(), ids=LABELS)
def test_channels(made: Made, labels: dict[str, Any], swapped: bool, channel: str, tmp_path: Path) -> None:
    first, second = made.series[3, 3][:2]
    stored = np.stack([first.reshape(9, 128, 128), second.reshape(9, 128, 128)], axis=1)
    tifffile.imwrite(tmp_path / "a.ome.tif", stored, ome=True, metadata={"axes": "TCYX", "Channel": labels}, **GREY)
    right = second if (channel == "488") == swapped else first
    assert not is_right(tmp_path / "a.ome.tif", made.microscope((3, 3), *TWO), right, channel)


@pytest.mark.parametrize("names", [("488",), ("640",), ("488", "640")])
def test_one_colour_is_read_with_its_own_optics_or_refused(made: Made, names: tuple[str, ...], tmp_path: Path) -> None:
    """A file of one colour that is named 488 has the optics of 488, not of the first channel."""
    stored = made.series[3, 3][0].reshape(9, 1, 128, 128)
    about = {"Name": [names[0]]} | ({"EmissionWavelength": [680]} if len(names) > 1 else {})
    tifffile.imwrite(tmp_path / "a.ome.tif", stored, ome=True, metadata={"axes": "TCYX", "Channel": about}, **GREY)
    scope = made.microscope((3, 3), ("405", 405.0, 450.0), *TWO, ("far", 642.0, 680.0))
    if len(names) > 1:
        with pytest.raises(DataError, match=r"both 488 and far of the microscope file"):
            opened(tmp_path / "a.ome.tif", scope)
        return
    with opened(tmp_path / "a.ome.tif", scope) as raw:
        assert raw.channel is not None
        assert raw.channel.name == {"488": "488", "640": "far"}[names[0]]
    with pytest.raises(DataError, match=r"'405' \(405/450 nm\) was asked for, but the file has '(488|640)'"):
        opened(tmp_path / "a.ome.tif", scope, "405")


def test_light_that_no_channel_has_is_refused(made: Made, tmp_path: Path) -> None:
    stored = made.series[3, 3][0].reshape(9, 1, 128, 128)
    about = {"Name": ["561"], "EmissionWavelength": [605]}
    tifffile.imwrite(tmp_path / "a.ome.tif", stored, ome=True, metadata={"axes": "TCYX", "Channel": about}, **GREY)
    with pytest.raises(
        DataError, match=r"emission 605 nm\), which is none of the microscope file's: '488' \(488/525 nm"
    ):
        opened(tmp_path / "a.ome.tif", made.microscope((3, 3)))


@pytest.mark.parametrize("channel", ["488", "561"])
@pytest.mark.parametrize("sequence", [0, 1, 2])
def test_deltavision_waves(made: Made, make_cases: ModuleType, channel: str, sequence: int, tmp_path: Path) -> None:
    """Sequences ZTW, WZT, ZWT; the red wave first."""
    red, green = made.series[3, 5][0].reshape(15, 128, 128), made.series[3, 5][1].reshape(15, 128, 128)
    both = np.stack([red, green], axis=1 if sequence == 1 else 0).reshape(-1, 128, 128)
    make_cases.deltavision(tmp_path / "a.dv", both, waves=(608, 528))
    content = bytearray((tmp_path / "a.dv").read_bytes())
    struct.pack_into("<h", content, 182, sequence)
    (tmp_path / "a.dv").write_bytes(bytes(content))
    right = green if channel == "488" else red
    assert not is_right(tmp_path / "a.dv", made.microscope((3, 5), *TWO), right, channel)


def test_imagej_labels(made: Made, tmp_path: Path) -> None:
    first, second = made.series[3, 3][:2]
    stored = np.stack([first.reshape(9, 128, 128), second.reshape(9, 128, 128)], axis=1)
    labels = [f"c:{c + 1}/2 z:{z + 1}/9 - {('561', '488')[c]} nm" for z in range(9) for c in range(2)]
    tifffile.imwrite(tmp_path / "a.tif", stored, imagej=True, metadata={"axes": "ZCYX", "Labels": labels})
    assert not is_right(tmp_path / "a.tif", made.microscope((3, 3), *TWO), second, "488")
    assert not is_right(tmp_path / "a.tif", made.microscope((3, 3), *TWO), first, "561")


@pytest.mark.parametrize("tiles", [(3, 5), (5, 3), (1, 15)])
def test_mosaics(made: Made, tiles: tuple[int, int], tmp_path: Path) -> None:
    """Nikon N-SIM: 3 angles x 5 phases in one picture, in rows or in columns."""
    one = made.series[3, 5][0].reshape(15, 128, 128)
    if tiles == (5, 3):
        one = np.ascontiguousarray(made.series[3, 5][0].swapaxes(0, 1)).reshape(15, 128, 128)
    picture = one.reshape(*tiles, 128, 128).swapaxes(1, 2).reshape(tiles[0] * 128, tiles[1] * 128)
    tifffile.imwrite(tmp_path / "a.tif", picture, **GREY)
    words = f"{tiles[0]}x{tiles[1]}"
    is_right(tmp_path / "a.tif", made.microscope((3, 5)), made.series[3, 5][0], tiles=words)
    with pytest.raises(DataError, match=f"add --tiles {words}"):
        opened(tmp_path / "a.tif", made.microscope((3, 5)))
