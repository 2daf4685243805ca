"""The preview shows the right place at the right scale, for any shape and any values."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from rdl_live.app.reconstruct.preview import PANEL, ZOOM, _write, render_preview, save_preview

GAP, TITLE = 8, 30


def panel(picture: Image.Image, column: int, row: int = 0, size: tuple[int, int] = (PANEL, PANEL)) -> np.ndarray:
    left, top = GAP + column * (size[1] + GAP), TITLE + row * (size[0] + GAP)
    return np.asarray(picture)[top : top + size[0], left : left + size[1]]


def spot(size: int, y: float, x: float) -> np.ndarray:
    """A bright square at a place given in fractions of the field."""
    image = np.zeros((size, size), np.float32)
    rows, columns = int(y * size), int(x * size)
    image[rows : rows + size // 8, columns : columns + size // 8] = 100.0
    return image


def test_panels_show_the_same_field() -> None:
    """Raw and SR, of different pixel numbers, show a spot at the same place."""
    picture = render_preview([("raw", spot(64, 0.25, 0.5)), ("sr", spot(128, 0.25, 0.5))], (5.0, 5.0))
    assert picture.mode == "L"
    for column in (0, 1):
        bright = panel(picture, column) == 255
        bright[-60:, PANEL // 2 :] = False  # the scale bar
        rows, columns = np.nonzero(bright)
        inside = (rows >= 0.25 * PANEL) & (rows < 0.375 * PANEL) & (columns >= 0.5 * PANEL) & (columns < 0.625 * PANEL)
        assert inside.sum() == (PANEL // 8) ** 2


def test_zoom_shows_the_structure() -> None:
    rng = np.random.default_rng(0)
    image = np.ones((256, 256), np.float32)
    image[140:190, 60:110] += 50 * rng.random((50, 50), dtype=np.float32)
    picture = render_preview([("sr", image)], (10.0, 10.0))
    zoomed = panel(picture, 0, row=1)
    assert (zoomed[: PANEL - 60] > 100).mean() > 0.2


@pytest.mark.parametrize("shape", [(16, 300), (300, 16), (17, 31), (700, 900)])
def test_any_shape(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).random(shape)
    field = (shape[0] * 0.04, shape[1] * 0.04)
    picture = render_preview([("one", image[::2, ::2]), ("two", image)], field)
    assert max(picture.size) < 3 * PANEL + 200
    ratio = min(field) / max(field)
    assert picture.size[0] >= 2 * PANEL * (ratio if shape[1] < shape[0] else 1)


@pytest.mark.parametrize("value", [0.0, -5.0, 1e9])
def test_flat_images(value: float) -> None:
    image = np.full((40, 40), value, np.float32)
    picture = render_preview([("flat", image)], (2.0, 2.0))
    assert panel(picture, 0)[:100, :100].max() <= 255


def test_contrast_is_each_panels_own() -> None:
    image = np.random.default_rng(2).random((64, 64))
    one = render_preview([("same", image)], (5.0, 5.0))
    other = render_preview([("same", 1000 * image - 300)], (5.0, 5.0))
    frame = slice(8, -60)  # without the corner of the zoom's frame and the scale bar
    zoomed = (panel(one, 0)[frame] == 255) | (panel(other, 0)[frame] == 255)
    difference = np.abs(panel(one, 0)[frame].astype(int) - panel(other, 0)[frame])
    assert difference[~zoomed].max() <= 1


def test_saved_as_png(tmp_path: Path) -> None:
    path = tmp_path / "P.png"
    save_preview(path, [("one", np.eye(32)), ("two", np.eye(64))], (2.0, 2.0))
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.size == (2 * (PANEL + GAP) + GAP, TITLE + 2 * (PANEL + GAP) + GAP)
    assert ZOOM == 4


def test_the_micro_sign_is_one() -> None:
    """Pillow's font has none and would draw an empty box: what is drawn is a u with a leg below the line."""
    font = ImageFont.load_default(size=18)
    images = []
    for text in ("2 um", "2 µm"):
        image = Image.new("L", (80, 40))
        _write(ImageDraw.Draw(image), (40, 25), text, font)
        images.append(np.asarray(image).astype(int))
    plain, micro = images
    rows, columns = np.nonzero(micro - plain)
    assert rows.max() == 29
    assert np.ptp(columns) < 4
    assert not plain[26:].any()
