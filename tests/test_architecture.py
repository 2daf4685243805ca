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
