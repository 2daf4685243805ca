"""NDTiff and vendors' files are read by their axes: written by other programs, or mocked at documented interfaces."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import tifffile

from rdl_live.errors import DataError
from rdl_live.files import open_raw
from rdl_live.files.raw import open_any, request_for
from rdl_live.files.read.names import arranged, natural
from rdl_live.files.stack import Axis
from rdl_live.optics.microscope import Channel, PatternGeometry

GEOMETRY = PatternGeometry()
GREEN = Channel(name="488", excitation_nm=488, emission_nm=525)
RED = Channel(name="561", excitation_nm=561, emission_nm=605)
FRAMES = np.random.default_rng(0).integers(0, 60000, (2, 2, 3, 3, 12, 14)).astype("u2")
"""(time, channel, angle, phase, y, x); the first channel is 561."""


def read(path: Path, channel: Channel = GREEN) -> np.ndarray:
    with open_raw(path, GEOMETRY, request_for((GREEN, RED), channel)) as raw:
        assert raw.channel == channel
        return np.asarray(raw.read())


UNCLOSED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
"""The reference writer, and readers of damaged files, leave files to the garbage collector."""


@pytest.fixture
def ndtiff(tmp_path: Path) -> Path:
    from ndstorage import NDTiffDataset

    dataset = NDTiffDataset(str(tmp_path), summary_metadata={"PixelSize_um": 0.065}, writable=True, name="cells")
    for time, channel, angle, phase in np.ndindex(FRAMES.shape[:4]):
        place = {"time": time, "channel": ("561", "488")[channel], "angle": angle, "phase": phase}
        dataset.put_image(place, FRAMES[time, channel, angle, phase], {})
    dataset.finish()
    dataset.close()
    return next(path for path in tmp_path.iterdir() if path.is_dir())


@UNCLOSED
def test_ndtiff(ndtiff: Path) -> None:
    np.testing.assert_array_equal(read(ndtiff), FRAMES[:, 1])
    np.testing.assert_array_equal(read(ndtiff, RED), FRAMES[:, 0])
    assert open_any(ndtiff).pixel_size_um == 0.065


@UNCLOSED
def test_damaged_ndtiff_is_refused(ndtiff: Path) -> None:
    index = ndtiff / "NDTiff.index"
    whole = index.read_bytes()
    for content, says in (
        (whole[:-40], "missing|ends within|damaged"),
        (b"", "lists no frames"),
        (whole.replace(b"cells_NDTiffStack.tif", b"../../NDTiffStack.tif"), "lies elsewhere"),
        (whole[: len(whole) // 3], "missing|ends within|damaged"),
    ):
        index.write_bytes(content)
        with pytest.raises(DataError, match=says):
            read(ndtiff)


def test_zeiss_with_the_axes_of_an_elyra(tmp_path: Path) -> None:
    """A file of Zeiss' own library, whose axes T and Z are then called rotation and phase, as Elyra's are."""
    pytest.importorskip("czifile")
    czi = pytest.importorskip("pylibCZIrw.czi", reason="Zeiss' library, which writes CZI, is not installed")
    path = tmp_path / "a.czi"
    with czi.create_czi(str(path)) as file:
        for angle, phase, channel in np.ndindex(3, 3, 2):
            plane = {"C": channel, "T": angle, "Z": phase}
            file.write(FRAMES[0, channel, angle, phase][..., None], plane=plane)
        file.write_metadata("a", channel_names={0: "561", 1: "488"}, scale_x=6.5e-8, scale_y=6.5e-8)
    content = path.read_bytes()
    for axis, sim in ((b"T", b"R"), (b"Z", b"H")):
        content = content.replace(axis + b"\0\0\0", sim + b"\0\0\0")
    path.write_bytes(content)
    np.testing.assert_array_equal(read(path), FRAMES[:1, 1])
    raw = open_any(path)
    assert {Axis.ANGLE, Axis.PHASE} <= set(raw.stack.axes)
    assert raw.pixel_size_um == 0.065
    raw.source.close()


class FakeNd2:
    """The interface of nd2.ND2File as its documentation has it: sizes, read_frame, voxel_size, metadata."""

    sizes: ClassVar = {"T": 2, "Z": 9, "C": 2, "Y": 12, "X": 14}
    dtype = np.dtype("u2")
    metadata = SimpleNamespace(
        channels=[
            SimpleNamespace(channel=SimpleNamespace(name=name, excitationLambdaNm=x, emissionLambdaNm=m))
            for name, x, m in (("561", 561.0, 605.0), ("488", None, 525.0))
        ]
    )

    def __init__(self, _path: Path) -> None:
        self.frames = FRAMES.reshape(2, 2, 9, 12, 14).swapaxes(1, 2).reshape(18, 2, 12, 14)

    def read_frame(self, index: int) -> np.ndarray:
        return self.frames[index]

    def voxel_size(self) -> Any:
        return SimpleNamespace(x=0.065, y=0.065, z=0.2)

    def close(self) -> None:
        pass


def test_nikon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.nd2").write_bytes(b"\xda\xce\xbe\x0a" + bytes(100))
    monkeypatch.setitem(sys.modules, "nd2", SimpleNamespace(ND2File=FakeNd2))
    np.testing.assert_array_equal(read(tmp_path / "a.nd2"), FRAMES[:, 1])
    assert open_any(tmp_path / "a.nd2").pixel_size_um == 0.065


class FakeLif:
    """The interface of liffile.LifFile and LifImage as their documentation has it."""

    def __init__(self, _path: Path) -> None:
        image = SimpleNamespace(
            sizes={"T": 2, "Z": 9, "Y": 12, "X": 14},
            dtype=np.dtype("u2"),
            name="a",
            coords={"X": np.arange(14) * 6.5e-8},
            frame=lambda T=0, Z=0: FRAMES[:, 0].reshape(2, 9, 12, 14)[T, Z],
        )
        self.images = [image]

    def close(self) -> None:
        pass


def test_leica(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.lif").write_bytes(b"\x70\0\0\0" + b"\x10\0\0\0" + b"\x2a" + bytes(100))
    monkeypatch.setitem(sys.modules, "liffile", SimpleNamespace(LifFile=FakeLif))
    with open_raw(tmp_path / "a.lif", GEOMETRY) as raw:
        np.testing.assert_array_equal(raw.read(), FRAMES[:, 0])
        assert raw.pixel_size_um == 0.065


@UNCLOSED
@pytest.mark.parametrize(
    ("head", "module"),
    [(b"\xda\xce\xbe\x0a", "nd2"), (b"ZISRAWFILE", "czifile"), (b"\x70\0\0\0\x10\0\0\0\x2a", "liffile")],
)
def test_a_missing_package_is_named_and_damage_refused(
    head: bytes, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.bin").write_bytes(head + bytes(2000))
    with pytest.raises(DataError, match=r"a\.bin: "):
        open_any(tmp_path / "a.bin")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError, match=r"needs an extra package: pip install 'rdl-live\[vendor\]'"):
        open_any(tmp_path / "a.bin")


NAMES = {
    "natural order": ([f"{i}.tif" for i in range(1, 19)], "frame 18"),
    "angles and phases": ([f"cell_a{a}_phase{p}.tif" for a in range(3) for p in range(3)], "angle 3 x phase 3"),
    "Micro-Manager 2": (
        [f"img_channel{c:03}_position000_time{t:09}_z000.tif" for c in range(2) for t in range(9)],
        "channel 2 x time 9",
    ),
    "Micro-Manager 1.4": (
        [f"img_{t:09}_{c}_{z:03}.tif" for t in range(2) for c in ("488", "561") for z in range(9)],
        "time 2 x channel 2 x z 9",
    ),
    "a gap": (["t1_z1.tif", "t1_z2.tif", "t2_z1.tif"], "frame 3"),
}


@pytest.mark.parametrize(("names", "axes"), NAMES.values(), ids=NAMES)
def test_names_of_files(names: list[str], axes: str) -> None:
    shuffled = sorted(np.random.default_rng(0).permutation(names).tolist(), key=natural)
    stack, _ = arranged(shuffled)
    assert stack.squeezed().describe() == axes


def test_a_folder_of_unequal_images_is_refused(tmp_path: Path) -> None:
    for number in range(9):
        tifffile.imwrite(tmp_path / f"{number}.tif", np.zeros((8, 8 + (number == 4)), "u2"))
    with pytest.raises(DataError, match=r"4\.tif: has 1 frame\(s\) of 8 x 9 uint16, 0\.tif has 1 of 8 x 8"):
        open_any(tmp_path)


@pytest.mark.parametrize("compression", ["lzw", "zstd", "zlib", "packbits", "jpeg2000", "lzma"])
@pytest.mark.parametrize("predictor", [False, True])
def test_compressed(compression: str, predictor: bool, tmp_path: Path) -> None:
    if compression in ("packbits", "jpeg2000") and predictor:
        pytest.skip("has no predictor")
    options: dict[str, Any] = {"compressionargs": {"reversible": True, "level": 0}} if compression == "jpeg2000" else {}
    stored = np.ascontiguousarray(np.kron(FRAMES[0, 0].reshape(9, 12, 14), np.ones((1, 4, 4), "u2")))
    tifffile.imwrite(
        tmp_path / "a.tif", stored, compression=compression, predictor=predictor, photometric="minisblack", **options
    )
    with open_raw(tmp_path / "a.tif", GEOMETRY) as raw:
        np.testing.assert_array_equal(raw.read().reshape(stored.shape), stored)


def test_lossy_compression_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((9, 16, 16), "u1"), compression="jpeg", photometric="minisblack")
    with (
        pytest.raises(DataError, match="compressed with JPEG, which changes the values"),
        open_raw(tmp_path / "a.tif", GEOMETRY) as raw,
    ):
        raw.read()
