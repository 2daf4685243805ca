"""Specimens that were grown, for whoever looks next: another thread, another world, the same one loaded anew.

Growing a tile takes a second and more, so no two threads grow the same one, and a microscope that is connected again
finds its specimen as it was left. Tiles live as long as a scene holds them; the last two outlive it.
"""

import threading
from collections import deque
from weakref import WeakValueDictionary

from rdl_live.specimen import Specimen, SpecimenSettings

Key = tuple[SpecimenSettings, int, float, int]
LAST = 2
"""Tiles that are kept in any case; they take some 60 MB each."""

_grown: "WeakValueDictionary[Key, Specimen]" = WeakValueDictionary()
_growing: dict[Key, threading.Lock] = {}
_last: deque[Specimen] = deque(maxlen=LAST)
_lock = threading.Lock()


def tile(settings: SpecimenSettings, side_px: int, fine_um: float, beyond_px: int = 0) -> Specimen:
    """Return a square specimen of `side_px` fine pixels, drawn `beyond_px` further; grown now or before; any thread."""
    key = (settings, side_px, fine_um, beyond_px)
    with _lock:
        place = _growing.setdefault(key, threading.Lock())
    with place:
        found = _grown.get(key)
        if found is None:
            found = Specimen(settings, (side_px, side_px), fine_um, beyond_px)
        with _lock:
            _grown[key] = found
            _growing.pop(key, None)
            if not any(one is found for one in _last):
                _last.append(found)
    return found
