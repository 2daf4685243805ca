"""Marked places, and how the image lies on the stage. Without Qt."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

MOST = 500
"""Places that are remembered."""


@dataclass(frozen=True)
class Mark:
    """A place with a name."""

    name: str
    x_um: float
    y_um: float
    z_um: float | None = None
    """None where there is no focus drive."""


class Marks:
    """The marked places of a microscope, in the order in which they were marked."""

    def __init__(self, remembered: object = None) -> None:
        """Take what was remembered; what is no list of places is left out."""
        self._marks: list[Mark] = []
        for one in remembered if isinstance(remembered, list) else ():
            if (mark := _mark_of(one)) is not None:
                self._marks.append(mark)

    def __iter__(self) -> Iterator[Mark]:
        return iter(self._marks)

    def __len__(self) -> int:
        return len(self._marks)

    def __getitem__(self, index: int) -> Mark:
        return self._marks[index]

    def add(self, x_um: float, y_um: float, z_um: float | None, name: str = "") -> Mark:
        """Mark a place; without a name it gets the next number that is free."""
        taken, number = {mark.name for mark in self._marks}, len(self._marks) + 1
        while not name and f"place {number}" in taken:
            number += 1
        mark = Mark(name or f"place {number}", x_um, y_um, z_um)
        self._marks = [*self._marks, mark][-MOST:]
        return mark

    def rename(self, index: int, name: str) -> None:
        """Name a place anew; an empty name changes nothing."""
        if name.strip():
            self._marks[index] = Mark(name.strip(), *self.place(index))

    def place(self, index: int) -> tuple[float, float, float | None]:
        """Return x, y and z of a place [um]."""
        mark = self._marks[index]
        return mark.x_um, mark.y_um, mark.z_um

    def remove(self, index: int) -> None:
        """Take one out."""
        del self._marks[index]

    def to_remember(self) -> list[dict[str, Any]]:
        """Return them as JSON can hold them."""
        return [asdict(mark) for mark in self._marks]


def _mark_of(one: object) -> Mark | None:
    if not isinstance(one, dict):
        return None
    numbers = [one.get("x_um"), one.get("y_um")]
    z_um = one.get("z_um")
    fits = all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
    if not fits or not isinstance(one.get("name"), str) or not (z_um is None or isinstance(z_um, int | float)):
        return None
    return Mark(one["name"], float(one["x_um"]), float(one["y_um"]), None if z_um is None else float(z_um))


@dataclass(frozen=True)
class Turn:
    """How the image lies on the stage: with nothing set, what is to the right in the image has a larger x."""

    swapped: bool = False
    """Whether the image's x is the stage's y."""
    flip_x: bool = False
    """Whether the stage's x falls towards where the image has it rise."""
    flip_y: bool = False

    def to_stage(self, right_um: float, down_um: float) -> tuple[float, float]:
        """Return the way on the stage (x, y) of a way in the image (to the right, down) [um]."""
        x, y = (down_um, right_um) if self.swapped else (right_um, down_um)
        return (-x if self.flip_x else x), (-y if self.flip_y else y)

    def to_image(self, x_um: float, y_um: float) -> tuple[float, float]:
        """Return the way in the image (to the right, down) of a way on the stage [um]."""
        x, y = (-x_um if self.flip_x else x_um), (-y_um if self.flip_y else y_um)
        return (y, x) if self.swapped else (x, y)
