"""A random user of the window, seeded; ten minutes of it in `make test-slow`."""

from pathlib import Path

import pytest

pytest.importorskip("pymmcore_plus")
pytest.importorskip("qtpy")

from .clicker import LEAST, Clicker


@pytest.mark.parametrize(("seconds", "seed"), [(8, 3), pytest.param(600, 1, marks=pytest.mark.slow)])
@pytest.mark.usefixtures("screen", "own_memory")
def test_a_random_user_breaks_nothing(tmp_path: Path, seconds: float, seed: int) -> None:
    outcome = Clicker(seed, tmp_path / "recordings", size=96).run(seconds)
    assert outcome.exceptions == []
    assert outcome.defects == []
    assert outcome.differences == []
    assert outcome.powers == []
    assert outcome.compared > 50
    assert not outcome.lit
    assert outcome.ended
    assert sum(outcome.did.values()) >= LEAST
    if seconds > 100:
        # After the first minutes nothing grows any more: neither memory nor threads nor widgets.
        half = len(outcome.memory_mb) // 2
        assert max(outcome.memory_mb[half:]) < 1.3 * max(outcome.memory_mb[:half]) + 50
        assert max(outcome.threads[half:]) <= max(outcome.threads[:half]) + 5
        assert max(outcome.widgets[half:]) < 1.5 * max(outcome.widgets[:half])
