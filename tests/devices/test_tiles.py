"""Tiles are grown once, and kept only as long as somebody needs them."""

import gc
import threading
from weakref import ref

import pytest

from rdl_devices.sim import tiles
from rdl_live.specimen import Specimen, SpecimenSettings


@pytest.fixture
def grown(monkeypatch: pytest.MonkeyPatch) -> list[SpecimenSettings]:
    """Count what is grown."""
    found: list[SpecimenSettings] = []

    def grow(settings: SpecimenSettings, shape: tuple[int, int], fine_um: float, beyond_px: int) -> Specimen:
        found.append(settings)
        return Specimen(settings, shape, fine_um, beyond_px)

    monkeypatch.setattr(tiles, "Specimen", grow)
    return found


def test_two_threads_grow_one(grown: list[SpecimenSettings]) -> None:
    found: list[Specimen] = []
    settings = SpecimenSettings(seed=4711)
    threads = [threading.Thread(target=lambda: found.append(tiles.tile(settings, 128, 0.03))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(grown) == 1
    assert all(one is found[0] for one in found)


def test_nobody_keeps_what_nobody_needs(grown: list[SpecimenSettings]) -> None:
    kept = [ref(tiles.tile(SpecimenSettings(seed=900 + n), 64, 0.03)) for n in range(6)]
    gc.collect()
    assert [one() is not None for one in kept] == [False] * 4 + [True] * 2
    tiles.tile(SpecimenSettings(seed=905), 64, 0.03)
    assert len(grown) == 6
