"""A place of the field that nothing is learnt from: there, what was learnt elsewhere has to prove itself."""

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from rdl_live.train.recordings.film import INSET, Film, Tile, tiles

LEAST_FIELD = 96
"""Raw pixels each way from which a field is large enough to do without a quarter of it."""
_LOOKED_AT = 8
"""Time points whose mean chooses the place."""


@dataclass(frozen=True)
class Place:
    """A rectangle of the frame [raw pixels]."""

    top: int
    left: int
    rows: int
    columns: int

    def area(self, film: Film) -> Tensor:
        """Return the frame (y, x), 1 in the place and 0 elsewhere."""
        area = torch.zeros(film.shape)
        area[self.top : self.top + self.rows, self.left : self.left + self.columns] = 1
        return area

    def tiles(self, film: Film, size: int) -> list[Tile]:
        """Cover the place with tiles of at most `size` pixels whose insides it holds, as far as the frame reaches."""
        top, left = max(0, self.top - INSET), max(0, self.left - INSET)
        rows = min(film.shape[0], self.top + self.rows + INSET) - top
        columns = min(film.shape[1], self.left + self.columns + INSET) - left
        return tiles(film, size, region=(top, left, rows, columns))

    def record(self) -> list[int]:
        """Return top, left, rows, columns for a card."""
        return [self.top, self.left, self.rows, self.columns]


def held_place(film: Film) -> Place | None:
    """Return the quarter of the field whose contrast is most like that of the whole; None for a small field."""
    rows, columns = film.shape
    if min(film.shape) < LEAST_FIELD:
        return None
    step = max(1, len(film) // _LOOKED_AT)
    image = torch.stack([film.photons(time).mean(dim=(0, 1)) for time in range(0, len(film), step)]).mean(dim=0)
    wanted = float(image.std())
    found = []
    for top, left in product((0, rows - rows // 2), (0, columns - columns // 2)):
        place = Place(top, left, rows // 2, columns // 2)
        contrast = float(image[top : top + place.rows, left : left + place.columns].std())
        found.append((abs(contrast - wanted), place))
    return min(found, key=lambda one: one[0])[1]
