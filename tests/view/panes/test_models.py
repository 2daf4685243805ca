"""What the window's models promise, without a screen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdl_live.view.common.words import brief
from rdl_live.view.live.trace_panel import round_up
from rdl_live.view.panes.colours import COLOURS, colour_table
from rdl_live.view.panes.contrast import Contrast, ContrastHistory
from rdl_live.view.panes.picture import Picture
from rdl_live.view.panes.scale_bar import round_length, scale_bar
from rdl_live.view.panes.shade import coloured, reduced, shade
from rdl_live.view.panes.viewport import Viewport


def ramp(rows: int = 64, columns: int = 64, pixel_um: float = 0.1) -> Picture:
    return Picture(np.arange(rows * columns, dtype=np.float32).reshape(rows, columns), pixel_um)


@given(st.floats(0.01, 6.3), st.floats(0.01, 6.3), st.floats(1.1, 10))
def test_zooming_keeps_the_place_under_the_cursor(x: float, y: float, factor: float) -> None:
    viewport = Viewport()
    viewport.set_field((6.4, 6.4))
    before = viewport.mapping(300, 300).to_screen(x, y)
    viewport.zoom_at(x, y, factor)
    assert viewport.mapping(300, 300).to_screen(x, y) == pytest.approx(before, abs=1e-6)


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(1, 60))
def test_panning_never_loses_the_field(dx: float, dy: float, zoom: float) -> None:
    viewport = Viewport()
    viewport.set_field((6.4, 3.2))
    viewport.zoom_at(1, 1, zoom)
    viewport.pan(dx, dy)
    x, y = viewport.centre_um
    assert 0 <= x <= 3.2
    assert 0 <= y <= 6.4


def test_panes_of_other_sizes_and_pixels_show_the_same_place() -> None:
    viewport = Viewport()
    viewport.set_field((6.4, 6.4))
    viewport.zoom_at(2.0, 3.0, 4)
    for size in (200.0, 450.0):
        mapping = viewport.mapping(size, size)
        assert mapping.to_sample(size / 2, size / 2) == pytest.approx(viewport.centre_um)
        assert mapping.scale * 6.4 == pytest.approx(4 * size)


def test_another_field_is_shown_whole_and_the_same_one_stays() -> None:
    viewport = Viewport()
    viewport.set_field((6.4, 6.4))
    viewport.zoom_at(1, 1, 8)
    viewport.set_field((6.4, 6.4))
    assert viewport.zoom == 8
    viewport.set_field((3.2, 6.4))
    assert viewport.zoom == 1


@given(st.floats(1e-3, 1e4))
def test_a_scale_bar_is_round_and_fits(width: float) -> None:
    length = round_length(width)
    assert width / 2.5001 <= length <= width * (1 + 1e-6)
    assert f"{length:e}"[0] in "125"
    assert scale_bar(width).length_um <= width / 4 * (1 + 1e-6)


def test_a_scale_bar_tells_its_unit() -> None:
    assert scale_bar(33).text == "5 µm"
    assert scale_bar(2).text == "500 nm"


@given(st.integers(1, 7), st.integers(7, 40), st.integers(7, 40))
def test_reducing_keeps_the_mean(step: int, rows: int, columns: int) -> None:
    pixels = np.random.default_rng(rows).random((rows // step * step, columns // step * step), np.float32)
    assert reduced(pixels, step).mean() == pytest.approx(pixels.mean(), rel=1e-4)


def test_fine_stripes_become_grey_and_not_other_stripes() -> None:
    pixels = np.tile(np.array([0, 100], np.float32), (64, 32))
    assert np.ptp(reduced(pixels, 2)) == 0
    assert np.ptp(reduced(pixels, 4)) == 0


@pytest.mark.parametrize("name", COLOURS)
@pytest.mark.parametrize("gamma", [1.0, 0.5])
def test_each_value_has_its_colour_to_both_ends(name: str, gamma: float) -> None:
    table = colour_table(name, gamma)
    found = coloured(np.array([[-5, 0, 50, 100, 1e9, np.nan, np.inf]], np.float32), 0, 100, table)
    assert found.tolist() == [table[[0, 0, 127, 255, 255, 0, 255]].tolist()]
    many = np.random.default_rng(1).uniform(-10, 110, (1000, 300)).astype(np.float32)  # several blocks
    levels = (np.clip(many / 100, 0, 1) * 255.999).astype(np.uint8)
    assert (coloured(many, 0, 100, table) != table[levels]).mean() < 1e-3  # but for rounding


@pytest.mark.parametrize("zoom", [1.0, 3.7, 40.0])
@pytest.mark.parametrize("size", [(40.0, 40.0), (640.0, 640.0), (300.0, 80.0)])
def test_what_is_shaded_covers_what_is_seen(zoom: float, size: tuple[float, float]) -> None:
    picture, viewport = ramp(), Viewport()
    viewport.set_field(picture.field_um)
    viewport.zoom_at(3.3, 2.1, zoom)
    mapping = viewport.mapping(*size)
    shaded = shade(picture, Contrast(0, 4096), mapping, size)
    assert shaded is not None
    rows, columns = shaded.colours.shape
    left, top = mapping.to_sample(0, 0)
    right, bottom = mapping.to_sample(*size)
    assert shaded.left_um <= max(left, 0) + 1e-6
    assert shaded.top_um <= max(top, 0) + 1e-6
    assert shaded.left_um + columns * shaded.pixel_um >= min(right, picture.field_um[1]) - shaded.pixel_um
    assert shaded.top_um + rows * shaded.pixel_um >= min(bottom, picture.field_um[0]) - shaded.pixel_um
    # No more is computed than the pane has pixels, but for the reduction's last factor of two.
    assert rows <= 2 * size[1] + 4
    assert columns <= 2 * size[0] + 4


def test_a_place_is_shaded_where_it_is() -> None:
    pixels = np.zeros((64, 64), np.float32)
    pixels[10, 50] = 1
    picture, viewport = Picture(pixels, 0.1), Viewport()
    viewport.set_field(picture.field_um)
    viewport.zoom_at(5.0, 1.0, 8)
    shaded = shade(picture, Contrast(0, 1), viewport.mapping(320, 320), (320, 320))
    assert shaded is not None
    row, column = np.argwhere(shaded.colours == 0xFFFFFFFF)[0]
    assert shaded.left_um + (column + 0.5) * shaded.pixel_um == pytest.approx(5.05)
    assert shaded.top_um + (row + 0.5) * shaded.pixel_um == pytest.approx(1.05)


def test_doubt_colours_only_where_the_error_is_large() -> None:
    pixels, sigma = np.full((32, 32), 10, np.float32), np.full((32, 32), 0.5, np.float32)
    sigma[:16] = 9
    picture, viewport = Picture(pixels, 0.1, sigma), Viewport()
    viewport.set_field(picture.field_um)
    plain = shade(picture, Contrast(0, 20), viewport.mapping(32, 32), (32, 32))
    doubted = shade(picture, Contrast(0, 20), viewport.mapping(32, 32), (32, 32), doubt=True)
    assert plain is not None
    assert doubted is not None
    assert (plain.colours[16:] == doubted.colours[16:]).all()
    assert (plain.colours[:16] != doubted.colours[:16]).all()


def test_places_of_several_series_are_coloured_the_more_the_stronger() -> None:
    pixels, worth = np.full((32, 32), 10, np.float32), np.ones((32, 32), np.float32)
    worth[:8], worth[8:16] = 6, 2
    picture, viewport = Picture(pixels, 0.1, worth=worth), Viewport()
    viewport.set_field(picture.field_um)
    plain, tinted = (
        shade(picture, Contrast(0, 20), viewport.mapping(32, 32), (32, 32), worth=wanted) for wanted in (False, True)
    )
    assert plain is not None
    assert tinted is not None
    blue = [(int(tinted.colours[row, 4]) & 0xFF) - (int(plain.colours[row, 4]) & 0xFF) for row in (4, 12, 24)]
    assert blue[0] > blue[1] > blue[2] == 0
    assert picture.worth_at(0.05, 1.0) == 2
    assert picture.worth_at(-1.0, 1.0) is None
    assert Picture(pixels, 0.1).worth_at(0.05, 1.0) is None


@pytest.mark.parametrize("name", COLOURS)
def test_colours_are_opaque_and_grow_brighter(name: str) -> None:
    table = colour_table(name)[1:255]
    light = sum((table >> shift & 0xFF).astype(int) for shift in (0, 8, 16))
    assert (table >> 24 == 255).all()
    assert light[-1] > light[len(light) // 2] > light[0]
    assert colour_table(name, 0.5)[64] != colour_table(name)[64]


def test_automatic_levels_do_not_flicker_with_noise() -> None:
    rng = np.random.default_rng(1)
    contrast = Contrast().fitted(Picture(rng.poisson(50, (256, 256)).astype(np.float32), 0.1))
    for _ in range(20):
        assert contrast.fitted(Picture(rng.poisson(50, (256, 256)).astype(np.float32), 0.1)) is contrast
    assert contrast.fitted(Picture(rng.poisson(500, (256, 256)).astype(np.float32), 0.1)).high > 400


def test_levels_by_hand_stay() -> None:
    contrast = Contrast().with_levels(3, 7)
    assert contrast.fitted(ramp()) is contrast
    assert Contrast().with_levels(5, 5).high > 5


@pytest.mark.parametrize("value", [np.full((8, 8), np.nan), np.zeros((8, 8)), np.full((8, 8), 3.0)])
def test_pictures_without_contrast_have_levels(value: np.ndarray) -> None:
    contrast = Contrast().fitted(Picture(value.astype(np.float32), 0.1))
    assert contrast.high > contrast.low


def test_undo_takes_back_one_change_of_one_pane() -> None:
    history = ContrastHistory()
    first, second, other = Contrast(0, 10), Contrast(0, 20), Contrast(0, 99)
    history.put("raw", "488", first)
    history.put("raw", "488", second)
    history.put("sim", "488", other)
    assert history.undo() == ("sim", "488")
    assert history.get("raw", "488") == second
    assert history.undo() == ("raw", "488")
    assert history.get("raw", "488") == first
    assert history.redo() == ("raw", "488")
    assert history.get("raw", "488") == second
    assert history.get("raw", "560") == Contrast()


def test_a_drag_is_undone_as_one() -> None:
    history = ContrastHistory()
    for step in range(10):
        history.put("raw", "488", Contrast(0, 100 + step), joined=step > 0)
    history.undo()
    assert history.get("raw", "488") == Contrast()
    assert history.undo() is None


def test_contrasts_are_remembered_and_nonsense_is_not() -> None:
    history, again = ContrastHistory(), ContrastHistory()
    history.put("raw", "488", Contrast(1, 5, 0.5, "fire", False))
    again.load(history.as_list())
    assert again.get("raw", "488") == Contrast(1, 5, 0.5, "fire", False)
    again.load([{"pane": "sim", "channel": "488", "low": 9, "high": 1, "colour": "none"}, 3, {"pane": 1}])
    assert again.get("sim", "488") == Contrast()
    again.load("nonsense")


def test_the_value_at_a_place() -> None:
    picture = ramp()
    assert picture.at(0.05, 0.15) == 64
    assert picture.at(6.39, 6.39) == 4095
    assert picture.at(-0.01, 1) is None
    assert picture.at(1, 6.41) is None


@given(st.floats(1e-6, 1e9))
def test_axes_of_the_traces_end_at_round_numbers(value: float) -> None:
    top = round_up(value)
    assert value * (1 - 1e-6) <= top <= 1.51 * value
    assert float(f"{top:.2g}") == pytest.approx(top)


@pytest.mark.parametrize(
    ("message", "short"),
    [
        ("the disk is full", "the disk is full"),
        ("2 problems:\n  - it is full\n  - and slow", "it is full   (and 1 more under Details)"),
        ("plan.yaml: 2 problems:\n  - name: missing\n  - times: 0", "name: missing   (and 1 more under Details)"),
        ("/home/me/data/2026/raw.ome.zarr: the disk is full", "…/2026/raw.ome.zarr: the disk is full"),
        (r"D:\data\me\2026\raw.ome.zarr: the disk is full", r"…/2026\raw.ome.zarr: the disk is full"),
        ("/data/raw.ome.zarr: 5 J/cm² and 3/4 of it", "/data/raw.ome.zarr: 5 J/cm² and 3/4 of it"),
    ],
)
def test_long_messages_are_told_in_short(message: str, short: str) -> None:
    assert brief(message) == short
