"""Z-stacks are read as they were written, by other programs too, and what is no z-stack is told."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from rdl_live.errors import DataError, OutputError
from rdl_live.files import VolumeWriter, open_volumes

STACKS = np.arange(3 * 4 * 6 * 7, dtype=np.uint16).reshape(3, 4, 6, 7)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "s.tif"
    with VolumeWriter(path, STACKS.shape, 0.1, "green", {"made": "here"}, dtype=np.uint16) as writer:
        for stack in STACKS:
            writer.write(stack)
    with open_volumes(path) as read:
        assert read.shape == STACKS.shape
        assert read.pixel_size_um == pytest.approx(0.1)
        np.testing.assert_array_equal(np.stack([read[time] for time in range(3)]), STACKS)
    with tifffile.TiffFile(path) as other:
        assert other.series[0].axes == "TZYX"
        np.testing.assert_array_equal(other.asarray(), STACKS)


@pytest.mark.parametrize("kind", ["ome", "imagej", "plain"])
def test_files_of_other_programs(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "s.tif"
    if kind == "ome":
        tifffile.imwrite(path, STACKS, ome=True, metadata={"axes": "TZYX"})
    elif kind == "imagej":
        tifffile.imwrite(path, STACKS, imagej=True, metadata={"axes": "TZYX"})
    else:
        tifffile.imwrite(path, STACKS.reshape(-1, 6, 7))
    with open_volumes(path, planes=4 if kind == "plain" else None) as read:
        np.testing.assert_array_equal(np.stack([read[time] for time in range(len(read))]), STACKS)


def test_what_is_no_z_stack_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s.tif"
    tifffile.imwrite(path, STACKS.reshape(-1, 6, 7))
    with pytest.raises(DataError, match="say with --planes"):
        open_volumes(path)
    with pytest.raises(DataError, match="no whole number of stacks of 5 planes"):
        open_volumes(path, planes=5)
    tifffile.imwrite(path, STACKS, imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(DataError, match="names 4 planes, --planes 6 was given"):
        open_volumes(path, planes=6)
    with pytest.raises(DataError, match="channel 3 is none of them"):
        open_volumes(path, channel=3)
    with pytest.raises(DataError, match="no such file"):
        open_volumes(tmp_path / "gone.tif")


def test_a_mosaic_is_divided(tmp_path: Path) -> None:
    pictures = STACKS.reshape(3, 2, 2, 6, 7).transpose(0, 1, 3, 2, 4).reshape(3, 12, 14)
    tifffile.imwrite(tmp_path / "m.tif", pictures, photometric="minisblack")
    with open_volumes(tmp_path / "m.tif", planes=4, tiles=(2, 2)) as read:
        np.testing.assert_array_equal(np.stack([read[time] for time in range(3)]), STACKS)


def test_one_stage_position_is_read(tmp_path: Path) -> None:
    for place in range(2):
        for z in range(4):
            tifffile.imwrite(tmp_path / f"img_position{place:03d}_z{z:03d}.tif", STACKS[place, z])
    with open_volumes(tmp_path, position="1") as read:
        np.testing.assert_array_equal(read[0], STACKS[1])
    with pytest.raises(DataError, match="no position '5'"):
        open_volumes(tmp_path, position="5")


def test_numbers_only_and_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "s.tif"
    with pytest.raises(DataError, match="NaN"), VolumeWriter(path, (1, 2, 3, 3), 0.1, "green") as writer:
        writer.write(np.full((2, 3, 3), np.nan))
    with pytest.raises(OutputError, match="1 of 2 time points"), VolumeWriter(path, (2, 2, 3, 3), 0.1, "x") as writer:
        writer.write(np.zeros((2, 3, 3)))
    assert not path.exists()
