"""Specimens that were grown, kept for whoever looks next: another world, the same one loaded anew.

Growing a tile takes a second and more, so no two threads grow the same one, and a microscope that is connected again
finds its specimen as it was left.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from rdl_live.specimen import Specimen, SpecimenSettings

MOST = 16
"""Tiles that are kept in all, of some 60 MB each: what a window on the border of four tiles sees in three colours, and
a few more."""
Key = tuple[SpecimenSettings, int, float]


@dataclass
class _Place:
    lock: threading.Lock = field(default_factory=threading.Lock)
    grown: Specimen | None = None


_places: "OrderedDict[Key, _Place]" = OrderedDict()
_lock = threading.Lock()


def tile(settings: SpecimenSettings, side_px: int, fine_um: float) -> Specimen:
    """Return a square specimen of `side_px` fine pixels, grown now or before; any thread."""
    key = (settings, side_px, fine_um)
    with _lock:
        place = _places.setdefault(key, _Place())
        _places.move_to_end(key)
        while len(_places) > MOST:
            _places.popitem(last=False)
    with place.lock:
        if place.grown is None:
            place.grown = Specimen(settings, (side_px, side_px), fine_um)
        return place.grown
