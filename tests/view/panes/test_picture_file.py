"""Saved pictures: what is shown is what is saved, the bar is as long as it says, values stay values."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from rdl_live.errors import OutputError
from rdl_live.files import read_provenance
from rdl_live.view.panes.colours import colour_table
from rdl_live.view.panes.contrast import Contrast
from rdl_live.view.panes.picture import Picture
from rdl_live.view.panes.picture_file import Caption, Shot, render, save
from rdl_live.view.panes.scale_bar import scale_bar
from rdl_live.view.panes.shade import coloured

CAPTION = Caption("SIM, 488", datetime(2026, 3, 1, 12, 30), 5.25, ("time point 3",))


def shot(rows: int = 600, columns: int = 700, **more: object) -> Shot:
    pixels = np.random.default_rng(2).poisson(20, (rows, columns)).astype(np.float32)
    return Shot(Picture(pixels, 0.0325), Contrast(5, 40, colour="green"), CAPTION, **more)  # type: ignore[arg-type]


def bar_length(sheet: npt.NDArray[np.uint8], rows: int) -> int:
    """Return the longest run of white pixels in the lower right of the image."""
    white = (sheet[rows // 2 : rows, sheet.shape[1] // 2 :] == 255).all(axis=-1)
    longest = 0
    for row in white:
        edges = np.flatnonzero(np.diff(np.concatenate(([0], row.astype(int), [0]))))
        longest = max([longest, *(edges[1::2] - edges[::2]).tolist()])
    return longest


def test_every_pixel_has_the_colour_of_its_value() -> None:
    one = shot()
    sheet = render(one)
    colours = coloured(one.picture.pixels, 5, 40, colour_table("green", 1.0))
    expected = np.stack([colours >> shift & 0xFF for shift in (16, 8, 0)], axis=-1)
    assert np.array_equal(sheet[:500, :500], expected[:500, :500])  # the bar lies elsewhere
    assert sheet.shape[0] > 600  # the caption lies below and hides nothing


@pytest.mark.parametrize(("rows", "columns"), [(600, 700), (64, 90), (512, 2048)])
def test_the_bar_is_as_long_as_it_says(rows: int, columns: int) -> None:
    sheet = render(shot(rows, columns))
    enlarged = sheet.shape[1] // columns
    bar = scale_bar(columns * 0.0325)
    assert bar_length(sheet, rows * enlarged) == pytest.approx(bar.length_um / 0.0325 * enlarged, abs=1)


def test_png_tells_what_when_and_how_much_light(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    save(shot(), path)
    with Image.open(path) as image:
        assert image.info["Title"] == "SIM, 488"
        assert image.info["Description"].startswith("2026-03-01 12:30:00 · 5.25 photons per raw pixel")
    with pytest.raises(OutputError, match="exists already"):
        save(shot(), path)
    save(shot(), path, overwrite=True)


def test_a_warning_goes_with_the_picture(tmp_path: Path) -> None:
    told = replace(CAPTION, caution="Do not believe this image: no pattern is trusted. Is the SLM on?")
    one = replace(shot(), caption=told)
    assert render(one).shape[0] > render(shot()).shape[0]
    save(one, tmp_path / "a.png")
    save(one, tmp_path / "a.tif")
    with Image.open(tmp_path / "a.png") as image:
        assert image.info["Warning"] == told.caution
    assert read_provenance(tmp_path / "a.tif")["warning"] == told.caution
    save(shot(), tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as image:
        assert "Warning" not in image.info


def test_tiff_holds_the_values_the_pixel_size_and_the_origin(tmp_path: Path) -> None:
    path = tmp_path / "data.tif"
    one = shot(provenance={"patterns": [1, 2]})
    save(one, path)
    with tifffile.TiffFile(path) as file:
        assert np.array_equal(file.asarray(), one.picture.pixels)
        assert 'PhysicalSizeX="0.0325"' in (file.ome_metadata or "")
    made = read_provenance(path)
    assert made["title"] == "SIM, 488"
    assert made["patterns"] == [1, 2]


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.png for a picture"):
        save(shot(), tmp_path / "picture.jpg")
    assert not list(tmp_path.iterdir())
