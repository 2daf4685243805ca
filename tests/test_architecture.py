"""The picture of the house in docs/architecture.md is that of the source."""

from pathlib import Path

from tests.architecture import BEGIN, END, FLOORS, PAGE, drawn


def test_the_picture_is_drawn_from_the_source(root: Path) -> None:
    page = (root / PAGE).read_text(encoding="utf-8")
    picture = page.partition(BEGIN)[2].partition(END)[0].strip()
    assert picture == drawn(root).strip(), "run: python -m tests.architecture"


def test_every_floor_of_the_contract_is_in_the_picture(root: Path) -> None:
    floors = {file.name for file in (root / "rdl_live").iterdir() if file.is_dir() and file.name != "__pycache__"}
    assert floors == {name for name, _ in FLOORS}


APART = {"train": {"selfsup", "volume"}}
"""Folders of tests that go by what is learnt, across rooms."""


def test_tests_lie_in_the_room_of_what_they_test(root: Path) -> None:
    """Of a package with rooms only, each test lies in one; folders of tests are rooms."""
    for floor, _ in FLOORS:
        source, tests = root / "rdl_live" / floor, root / "tests" / floor
        rooms = {file.name for file in source.iterdir() if file.is_dir() and file.name != "__pycache__"}
        folders = {file.name for file in tests.iterdir() if file.is_dir() and file.name != "__pycache__"}
        assert folders <= rooms | APART.get(floor, set()), f"tests/{floor}: no such rooms"
        files = {file.stem for file in source.glob("*.py")} - {"__init__"}
        if rooms and floor in ("app", "view"):
            loose = {file.stem.removeprefix("test_") for file in tests.glob("test_*.py")}
            assert loose <= files, f"tests/{floor}: move these into the rooms of what they test"
