"""Files through CARE: any axes, in blocks, with what the networks are sure of beside."""

import json
import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
import zarr

from rdl_live.app.restore import care as restoring
from rdl_live.app.restore import care_worker
from rdl_live.app.restore.run import restore_file
from rdl_live.errors import ConfigError, DataError, OutputError
from rdl_live.files import RawRequest, voxels
from rdl_live.restore import care_blocks
from rdl_models import Card, Care, CareConfig, Span, save_weights
from rdl_models.care_tiles import Block


def weights(path: Path, task: str = "", scores: dict[str, float] | None = None, **fields: object) -> Care:
    torch.manual_seed(4)
    made = Care(CareConfig(width=2, kernel=3, **fields)).eval()
    for member in made.members:  # a correction begins with none
        torch.nn.init.normal_(member.last.weight, std=0.1)
    valid = {"axial_factor": Span(low=3.0, high=3.0)} if task else {}
    card = Card(
        name="care",
        architecture="care",
        task=task,
        config=vars(made.config),
        trained_on={},
        steps=1,
        minutes=0.1,
        valid=valid,
        scores=scores or {},
    )
    save_weights(path, made, card)
    return made


@torch.no_grad()
def expected(made: Care, image: np.ndarray) -> np.ndarray:
    """Return (parts, ...) of an image or a stack."""
    found: np.ndarray = made(torch.from_numpy(image.astype(np.float32))[None, None])[0].numpy()
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """So little memory that fields are computed in blocks, and stacks lie in files."""
    monkeypatch.setattr(care_blocks, "FREE_BYTES", 40_000)
    monkeypatch.setattr(voxels, "IN_MEMORY_BYTES", 0)


HYPER = np.random.default_rng(1).poisson(20, (2, 3, 5, 70, 90)).astype(np.uint16)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("dims", [2, 3])
def test_every_plane_of_time_channel_and_z_is_restored_in_its_place(dims: int, tmp_path: Path) -> None:
    made = weights(tmp_path / "w.safetensors", dims=dims, probabilistic=True, members=2)
    raw, out = tmp_path / "raw.ome.tif", tmp_path / "out.tif"
    tifffile.imwrite(
        raw,
        HYPER.swapaxes(1, 2),
        metadata={"axes": "TZCYX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1, "PhysicalSizeZ": 0.3},
    )
    assert restore_file(raw, None, str(tmp_path / "w.safetensors"), out) == []
    for part, name in enumerate(("", "-sigma", "-disagreement")):
        with tifffile.TiffFile(tmp_path / f"out{name}.tif") as file:
            assert file.series[0].axes == "TCZYX"
            found = file.asarray()
            assert 'PhysicalSizeZ="0.3"' in (file.ome_metadata or "")
        for t, c in np.ndindex(2, 3):
            whole = (
                expected(made, HYPER[t, c])[part]
                if dims == 3
                else np.stack([expected(made, plane)[part] for plane in HYPER[t, c]])
            )
            assert np.abs(found[t, c] - whole).max() <= 1e-5 * max(1.0, np.abs(whole).max())
    report = json.loads((tmp_path / "out-report.json").read_text(encoding="utf-8"))
    assert report["shape"] == [2, 3, 5, 70, 90]
    assert report["doubtful_share"] is None  # nothing is known to compare with


def test_zarr_and_plain_stacks_are_read_and_low_confidence_is_counted(tmp_path: Path) -> None:
    made = weights(tmp_path / "w.safetensors", dims=3, probabilistic=True, scores={"sigma_limit": 0.65})
    stack = HYPER[0, 0]
    tifffile.imwrite(tmp_path / "plain.tif", stack, photometric="minisblack")
    group = zarr.open_group(str(tmp_path / "raw.ome.zarr"), mode="w", zarr_format=2)
    group.create_array("0", shape=(1, 1, *stack.shape), dtype="u2", chunks=(1, 1, 1, 70, 90))[:] = stack[None, None]
    axes = [{"name": letter} for letter in "tczyx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}]
    whole = expected(made, stack)
    notes = []
    for name in ("plain.tif", "raw.ome.zarr"):
        out = tmp_path / f"{name}-out.tif"
        notes.append(restore_file(tmp_path / name, None, str(tmp_path / "w.safetensors"), out))
        np.testing.assert_allclose(tifffile.imread(out).reshape(whole[0].shape), whole[0], rtol=1e-4, atol=1e-4)
    report = json.loads((tmp_path / "plain.tif-out-report.json").read_text(encoding="utf-8"))
    assert report["doubtful_share"] == pytest.approx(float((whole[1] > 0.65).mean()), abs=1e-3)
    assert any("5 pages" in note for note in notes[0])
    assert not any("pages" in note for note in notes[1])


def test_isotropic_stacks_combine_both_directions(tmp_path: Path) -> None:
    made = weights(tmp_path / "w.safetensors", task="isotropic restoration", probabilistic=True)
    stack = np.random.default_rng(2).gamma(2.0, 10.0, (6, 24, 20)).astype(np.float32)
    raw, out = tmp_path / "raw.ome.tif", tmp_path / "out.tif"
    sizes = {"PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1, "PhysicalSizeZ": 0.3}
    tifffile.imwrite(raw, stack, metadata={"axes": "ZYX", **sizes})
    assert restore_file(raw, None, str(tmp_path / "w.safetensors"), out) == []
    found, sigma = tifffile.imread(out), tifffile.imread(tmp_path / "out-sigma.tif")
    assert found.shape == (18, 24, 20)
    large = torch.nn.functional.interpolate(
        torch.from_numpy(stack).movedim(0, -1)[None], size=(20, 18), mode="bilinear"
    )[0].movedim(-1, 0)
    one = np.stack([expected(made, large[:, y].numpy()) for y in range(24)], axis=2)  # (parts, z, y, x)
    other = np.stack([expected(made, large[:, :, x].numpy()) for x in range(20)], axis=3)
    means = np.sqrt(one[0].clip(0) * other[0].clip(0))
    np.testing.assert_allclose(found, means, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(sigma, np.maximum(one[1], other[1]), rtol=1e-3, atol=1e-3)
    tifffile.imwrite(tmp_path / "far.ome.tif", stack, metadata={"axes": "ZYX", **sizes, "PhysicalSizeZ": 0.9})
    with pytest.raises(ConfigError, match=r"planes lie 9 pixels apart .* have learnt 3"):
        restore_file(tmp_path / "far.ome.tif", None, str(tmp_path / "w.safetensors"), tmp_path / "no.tif")


def test_wrong_input_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    weights(tmp_path / "w.safetensors", dims=3)
    name, out = str(tmp_path / "w.safetensors"), tmp_path / "out.tif"
    image = HYPER[0, 0].astype(np.float32)
    image[2, 3, 4] = np.nan
    tifffile.imwrite(tmp_path / "nan.tif", image, photometric="minisblack")
    with pytest.raises(DataError, match=r"nan.tif: 1 values are NaN .* plane 2"):
        restore_file(tmp_path / "nan.tif", None, name, out)
    tifffile.imwrite(tmp_path / "times.ome.tif", HYPER[:, 0, 0], metadata={"axes": "TYX"})
    with pytest.raises(DataError, match=r"names no z axis.*--planes"):
        restore_file(tmp_path / "times.ome.tif", None, name, out)
    with pytest.raises(ConfigError, match="--channel green"):
        restore_file(tmp_path / "times.ome.tif", None, name, out, channel="green")
    assert restore_file(tmp_path / "times.ome.tif", None, name, out, reading=RawRequest(planes=2)) == []
    with pytest.raises(OutputError, match="exists already"):
        restore_file(tmp_path / "times.ome.tif", None, name, out, reading=RawRequest(planes=2))
    assert sorted(one.name for one in tmp_path.glob("out*")) == ["out-report.json", "out.tif"]
    assert restoring.report_of(Path("a/b.ome.tif")) == Path("a/b-report.json")


@pytest.mark.parametrize("report", ["out.tif", "w.safetensors", "in.tif"])
def test_a_report_takes_the_place_of_nothing(tmp_path: Path, report: str) -> None:
    weights(tmp_path / "w.safetensors")
    tifffile.imwrite(tmp_path / "in.tif", HYPER[0, 0, 0].astype(np.float32))
    before = (tmp_path / "w.safetensors").read_bytes(), (tmp_path / "in.tif").read_bytes()
    with pytest.raises(OutputError):
        restore_file(
            tmp_path / "in.tif",
            None,
            str(tmp_path / "w.safetensors"),
            tmp_path / "out.tif",
            report=tmp_path / report,
            overwrite=True,
        )
    assert ((tmp_path / "w.safetensors").read_bytes(), (tmp_path / "in.tif").read_bytes()) == before


def test_no_stack_goes_on_at_the_next_position(tmp_path: Path) -> None:
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for _ in range(2):  # series are stage positions
            file.write(HYPER[:1, 0, :3].reshape(3, *HYPER.shape[-2:]), metadata={"axes": "TYX"})
    weights(tmp_path / "w.safetensors", dims=3)
    with pytest.raises(DataError, match=r"3 frames a position are no whole number of stacks of 2"):
        restore_file(path, None, str(tmp_path / "w.safetensors"), tmp_path / "out.tif", reading=RawRequest(planes=2))


def test_blocks_of_some_columns_take_no_more_memory_than_themselves(tmp_path: Path) -> None:
    shape = (4, 2048, 2048)  # 64 MiB
    values = np.random.default_rng(2).random((4, 2048, 8)).astype(np.float32)
    block = (slice(0, 4), slice(0, 2048), slice(100, 108))
    with voxels.Voxels(shape, np.float32, tmp_path, in_memory=0) as there:
        tracemalloc.start()
        there.write(block, values)
        found = there.read(block)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert not there.read((slice(0, 4), slice(0, 2048), slice(108, 110))).any()
    assert np.array_equal(found, values)
    assert most < 16 * 2**20


def test_a_worker_takes_new_weights_of_the_same_name_and_shares_no_file_between_threads(tmp_path: Path) -> None:
    image = np.random.default_rng(3).random((32, 32)).astype(np.float32)
    raw, file = tmp_path / "raw.tif", tmp_path / "w.safetensors"
    tifffile.imwrite(raw, image)
    block = Block((slice(0, 32), slice(0, 32)), (slice(0, 32), slice(0, 32)))

    def ordered() -> care_worker.Order:
        return care_worker.Order(
            str(raw), None, str(file), RawRequest(), (care_worker.stamp(raw), care_worker.stamp(file))
        )

    first = weights(file, input_scale=2.0)
    threads = torch.get_num_threads()
    try:
        one = care_worker.block_of_file(ordered(), (0, 0, 0), block, None)
        other = weights(tmp_path / "other.safetensors", output_scale=3.0)
        file.unlink()
        (tmp_path / "other.safetensors").rename(file)
        os.utime(file, ns=(1, 1))
        two = care_worker.block_of_file(ordered(), (0, 0, 0), block, None)
        order = ordered()
        here = care_worker._opened(order)[0]
        with ThreadPoolExecutor(1) as pool:
            there = pool.submit(lambda: care_worker._opened(order)[0]).result()
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_allclose(one, expected(first, image), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(two, expected(other, image), rtol=1e-5, atol=1e-5)
    assert here is not there
    assert care_worker._opened(order)[0] is here
