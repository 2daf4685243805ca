"""How much light each place of the sample has had."""

import threading
from collections import defaultdict

Field = tuple[int, int]
"""Field of view, counted in fields from the stage's origin, (x, y)."""


class Dose:
    """Light dose of every field of view and laser line [J/cm2]."""

    def __init__(self, field_um: float) -> None:
        """`field_um` is the side of the camera's field of view."""
        self._field_um = field_um
        self._lock = threading.Lock()
        self._dose: dict[tuple[Field, int], float] = defaultdict(float)

    def field(self, x_um: float, y_um: float) -> Field:
        """Return the field of view at a stage position."""
        return round(x_um / self._field_um), round(y_um / self._field_um)

    def add(self, field: Field, nm: int, j_cm2: float) -> None:
        """Count light that fell on a field."""
        if j_cm2 > 0:
            with self._lock:
                self._dose[field, nm] += j_cm2

    def of(self, field: Field, nm: int | None = None) -> float:
        """Return the dose of a field, of one line or of all together [J/cm2]."""
        with self._lock:
            return sum(dose for (where, line), dose in self._dose.items() if where == field and nm in (None, line))

    def clear(self) -> None:
        """Take a fresh dish."""
        with self._lock:
            self._dose.clear()
