"""What a recording's layout says about itself."""

import pytest

from rdl_live.files.raw import find_position
from rdl_live.files.recorder import RecordingLayout
from tests.files.recorder.conftest import layout_of


def named(*names: str) -> RecordingLayout:
    listed = [{"x_um": float(n), "y_um": 0.0, "name": name} for n, name in enumerate(names)]
    return layout_of(positions=len(names), provenance={"plan": {"positions": listed}})


@pytest.mark.parametrize(
    ("names", "wanted", "number"),
    [(("left", "right"), "right", 1), (("left", "right"), "0", 0), (("", ""), "1", 1), (("a", "a"), "1", 1)],
)
def test_a_position_is_found_by_the_name_that_the_plan_gave_it_or_by_number(
    names: tuple[str, ...], wanted: str, number: int
) -> None:
    layout = named(*names)
    assert find_position(layout.places, layout.positions, wanted) == (number, 1)


def test_names_that_are_numbers_do_not_outrank_the_positions_numbers() -> None:
    assert named("1", "0").places == ("0", "1")
