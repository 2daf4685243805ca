"""OME-Zarr images and plain Zarr arrays read as what was written, and never run a file's code."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdl_live.errors import DataError, RdlError
from rdl_live.files import open_raw
from rdl_live.optics.microscope import PatternGeometry

GEOMETRY = PatternGeometry(angles=3, phases=5)
VALUES = np.random.default_rng(0).integers(0, 60000, (2, 3, 5, 6, 7)).astype("u2")
KINDS = {"t": "time", "z": "space", "c": "channel", "y": "space", "x": "space"}


def ome_zarr(
    path: Path,
    values: np.ndarray[Any, Any],
    axes: list[str],
    version: int = 3,
    dataset: str = "0",
    **options: Any,
) -> Path:
    """Write an OME-Zarr image of 65 nm pixels."""
    group = zarr.open_group(str(path), mode="w", zarr_format=version)
    array = group.create_array("0", shape=values.shape, dtype=values.dtype, **{"chunks": "auto", **options})
    array[:] = values
    described = [{"name": a, "type": KINDS.get(a, "other")} for a in axes]
    for axis in described[-2:]:
        axis["unit"] = "micrometer"
    scale = [1.0] * (len(axes) - 2) + [0.065, 0.065]
    multiscale = {
        "axes": described,
        "datasets": [{"path": dataset, "coordinateTransformations": [{"type": "scale", "scale": scale}]}],
    }
    attributes: dict[str, Any] = {"multiscales": [multiscale], "omero": {"channels": [{"label": "GFP"}]}}
    group.attrs.update({"ome": {"version": "0.5", **attributes}} if version == 3 else attributes)
    return path


def read(path: Path, geometry: PatternGeometry = GEOMETRY) -> np.ndarray[Any, Any]:
    with open_raw(path, geometry) as raw:
        values = raw.read()
        assert values.shape == raw.shape
        return values


LAYOUTS = {
    "all named": (["t", "angle", "phase", "y", "x"], (2, 3, 5)),
    "no time": (["angle", "phase", "y", "x"], (3, 5)),
    "five dimensions": (["t", "c", "z", "y", "x"], (2, 1, 15)),
    "time only": (["t", "y", "x"], (30,)),
}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_ome_zarr(layout: tuple[list[str], tuple[int, ...]], version: int, tmp_path: Path) -> None:
    axes, leading = layout
    values = VALUES[: int(np.prod(leading)) // 15]
    path = ome_zarr(tmp_path / "a.zarr", values.reshape(*leading, 6, 7), axes, version)
    np.testing.assert_array_equal(read(path), values)
    with open_raw(path, GEOMETRY) as raw:
        assert raw.pixel_size_um == 0.065
        assert raw.channel_names == ["GFP"]
        assert raw.notes == []
        np.testing.assert_array_equal(raw[-1], values[-1])


def test_named_axes_may_lie_in_any_order(tmp_path: Path) -> None:
    path = ome_zarr(tmp_path / "a.zarr", VALUES.transpose(2, 0, 1, 3, 4), ["phase", "t", "angle", "y", "x"])
    with open_raw(path, GEOMETRY) as raw:
        np.testing.assert_array_equal(raw.read(1, 2), VALUES[1:])


@pytest.mark.parametrize(
    "options", [{"chunks": (2, 2, 2, 3, 7)}, {"chunks": (1, 1, 5, 6, 7), "shards": (1, 3, 5, 6, 7)}]
)
def test_chunks_and_shards(options: dict[str, Any], tmp_path: Path) -> None:
    path = ome_zarr(tmp_path / "a.zarr", VALUES, ["t", "angle", "phase", "y", "x"], **options)
    np.testing.assert_array_equal(read(path), VALUES)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("dtype", ["u1", "<i2", ">u2", "f4", "f8"])
def test_plain_arrays(dtype: str, version: int, tmp_path: Path) -> None:
    values = (VALUES % 100).astype(dtype)
    stack = values.reshape(30, 6, 7)
    array = zarr.create_array(str(tmp_path / "a"), shape=stack.shape, dtype=stack.dtype, zarr_format=version)
    array[:] = stack
    np.testing.assert_array_equal(read(tmp_path / "a"), values)


def test_the_one_image_of_a_group_is_found(tmp_path: Path) -> None:
    zarr.open_group(str(tmp_path / "a.zarr"), mode="w", attributes={"ome": {"bioformats2raw.layout": 3}})
    ome_zarr(tmp_path / "a.zarr" / "0", VALUES, ["t", "angle", "phase", "y", "x"])
    np.testing.assert_array_equal(read(tmp_path / "a.zarr"), VALUES)
    ome_zarr(tmp_path / "a.zarr" / "1", VALUES, ["t", "angle", "phase", "y", "x"])
    with open_raw(tmp_path / "a.zarr", GEOMETRY) as raw:
        assert raw.positions == ("0", "1")
        np.testing.assert_array_equal(raw.read(), np.concatenate([VALUES, VALUES]))
    ome_zarr(tmp_path / "a.zarr" / "2", VALUES[:1], ["t", "angle", "phase", "y", "x"])
    refused(tmp_path / "a.zarr", r"3 images \(0, 1, 2\), and 2 is not like 0")


def test_absent_chunks_are_told(tmp_path: Path) -> None:
    path = ome_zarr(tmp_path / "a.zarr", VALUES, ["t", "angle", "phase", "y", "x"], chunks=(1, 1, 1, 6, 7))
    (path / "0" / "c" / "1" / "2" / "4" / "0" / "0").unlink()
    with open_raw(path, GEOMETRY) as raw:
        assert "1 of 30 chunks are absent" in raw.notes[0]


def refused(path: Path, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


def test_refuses(tmp_path: Path) -> None:
    refused(ome_zarr(tmp_path / "a", VALUES[..., 0], ["t", "angle", "y", "x"]), "no whole number")
    refused(ome_zarr(tmp_path / "b", VALUES, ["t", "angle", "phase", "x", "y"]), "last two must be y and x")
    refused(ome_zarr(tmp_path / "c", VALUES, ["t", "angle", "y", "x"]), "names 4 axes, the array has 5")
    refused(ome_zarr(tmp_path / "d", VALUES.astype("c8"), ["t", "angle", "phase", "y", "x"]), "complex")
    refused(ome_zarr(tmp_path / "e", VALUES, ["t", "phase", "angle", "y", "x"]), "5 angles")
    for place in ("../secret", "/etc", "c:\\x"):
        refused(ome_zarr(tmp_path / "f", VALUES, ["t", "angle", "phase", "y", "x"], dataset=place), "outside")
    refused(ome_zarr(tmp_path / "g", VALUES, ["t", "angle", "phase", "y", "x"], dataset="7"), "incomplete")
    (tmp_path / "h").mkdir()
    (tmp_path / "h" / "zarr.json").write_text("[1]")
    refused(tmp_path / "h", "no JSON object")


@pytest.mark.parametrize("version", [2, 3])
def test_refuses_codecs_that_run_code(version: int, tmp_path: Path) -> None:
    path = ome_zarr(tmp_path / "a", VALUES, ["t", "angle", "phase", "y", "x"], version)
    file = path / "0" / (".zarray" if version == 2 else "zarr.json")
    described = json.loads(file.read_text())
    if version == 2:
        described["filters"] = [{"id": "pickle"}]
    else:
        inner = {"name": "numcodecs.pickle", "configuration": {}}
        described["codecs"] = [{"name": "sharding_indexed", "configuration": {"codecs": [inner]}}]
    file.write_text(json.dumps(described))
    refused(path, "codec.*pickle")


@pytest.mark.parametrize("version", [2, 3])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_raises_anything_but_an_rdl_error(tmp_path: Path, version: int, data: st.DataObject) -> None:
    path = tmp_path / "a.zarr"
    if not path.exists():
        ome_zarr(path, VALUES, ["t", "angle", "phase", "y", "x"], version)
    names = ["zarr.json", "0/zarr.json"] if version == 3 else [".zattrs", "0/.zarray"]
    file = path / data.draw(st.sampled_from(names))
    whole = file.read_bytes()
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=4))
    file.write_bytes(bytes(content))
    try:
        assert read(path).size > 0
    except RdlError as error:
        assert str(path) in str(error)  # noqa: PT017 - some changes do no harm
    finally:
        file.write_bytes(whole)
