"""Marked places, how the image lies on the stage, tiles: without a window."""

import json
from dataclasses import replace

import numpy as np
import pytest

from rdl_live.view.live.session import Activity, Images, Readings, Snapshot, StagePlace
from rdl_live.view.panes.picture import Picture
from rdl_live.view.stage.marks import Marks, Turn
from rdl_live.view.stage.tiles import MOST, Tiles


def test_marks_outlive_the_program() -> None:
    marks = Marks()
    marks.add(1.0, 2.0, 3.0)
    marks.add(-4.0, 5.0, None, "nucleus")
    marks.rename(0, "edge")
    marks.rename(1, "  ")
    again = Marks(json.loads(json.dumps(marks.to_remember())))
    assert [(one.name, one.x_um, one.y_um, one.z_um) for one in again] == [
        ("edge", 1.0, 2.0, 3.0),
        ("nucleus", -4.0, 5.0, None),
    ]
    assert again.add(0, 0, None).name == "place 3"
    again.remove(0)
    assert again.add(0, 0, None).name == "place 4", "no name is given twice"


@pytest.mark.parametrize("junk", [None, 3, "x", [1], [{"name": "a"}], [{"name": 1, "x_um": 0, "y_um": 0}]])
def test_what_is_no_list_of_places_is_left_out(junk: object) -> None:
    assert len(Marks(junk)) == 0


@pytest.mark.parametrize("turn", [Turn(s, x, y) for s in (False, True) for x in (False, True) for y in (False, True)])
def test_ways_in_the_image_and_on_the_stage_are_each_others_inverse(turn: Turn) -> None:
    assert turn.to_image(*turn.to_stage(3.0, -7.0)) == (3.0, -7.0)
    x, y = turn.to_stage(3.0, -7.0)
    assert sorted((abs(x), abs(y))) == [3.0, 7.0]


def at(x: float, y: float, now_s: float, *, moving: bool = False, latency_ms: float | None = None) -> Snapshot:
    stage = StagePlace((x, y), 0.0, moving)
    return Snapshot(Activity.LIVE, stage=stage, at_s=now_s, readings=Readings(latency_ms=latency_ms))


def image(value: float = 1.0) -> Images:
    pixels = np.linspace(0, value, 64 * 64, dtype=np.float32).reshape(64, 64)
    return Images(1, "488", {"widefield": Picture(pixels, 0.1)})


def test_an_image_goes_to_the_place_where_it_was_taken_and_to_no_other() -> None:
    tiles = Tiles()
    tiles.see_snapshot(at(0, 0, 10.0))
    assert not tiles.see_images(image()), "nobody knows where the stage was"
    tiles.see_snapshot(at(0, 0, 12.0))
    assert tiles.see_images(image())
    tiles.see_snapshot(at(50, 0, 13.0))
    assert not tiles.see_images(image()), "this may still be an image of the place before"
    tiles.see_snapshot(at(50, 0, 14.5, latency_ms=800))
    assert not tiles.see_images(image()), "images are late"
    tiles.see_snapshot(at(50, 0, 16.0, latency_ms=800))
    assert tiles.see_images(image())
    tiles.see_snapshot(at(50, 0, 17.0, moving=True))
    assert not tiles.see_images(image())
    assert [(one.x_um, one.y_um) for one in tiles.all] == [(0, 0), (50, 0)]
    assert tiles.all[0].width_um == pytest.approx(6.4)


def test_the_newest_image_of_a_place_replaces_the_one_before_and_memory_is_bounded() -> None:
    tiles = Tiles()
    now = 0.0
    for number in range(MOST + 5):
        for _ in range(2):
            now += 2.0
            tiles.see_snapshot(at(10.0 * number, 0, now))
        tiles.see_images(image())
    assert len(tiles.all) == MOST
    assert tiles.all[-1].x_um == 10.0 * (MOST + 4)
    assert tiles.all[0].x_um == 50.0
    before = len(tiles.all)
    tiles.see_snapshot(replace(at(10.0 * (MOST + 4), 0, now + 2)))
    assert tiles.see_images(image())
    assert len(tiles.all) == before
