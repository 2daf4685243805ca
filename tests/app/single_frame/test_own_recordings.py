"""The whole day on the simulated microscope: record series, train on them, image from single frames, be warned."""

from pathlib import Path

import pytest

pytest.importorskip("pymmcore_plus")

from benchmarks.single_frame import Setting, measured


@pytest.mark.slow
def test_a_network_of_ones_own_series_gains_on_such_a_specimen_and_the_check_flags_another(tmp_path: Path) -> None:
    found = measured(Setting(tmp_path, series=30, steps=45, frames=8, every=4), say=lambda _: None)
    single, other = found["single frames"], found["single frames of another kind"]
    sim = found["SIM in nine times the light"]
    assert found["held_out"]["held_out"] < 1
    assert single["sr"] < single["widefield"]
    assert sim["sim"] < single["sr"]  # nine times the light is worth it
    assert single["dose_of_an_image_j_cm2"] == pytest.approx(sim["dose_of_an_image_j_cm2"] / 9, rel=0.01)
    assert all(one["agrees"] for one in single["checks"])
    assert all(one["agrees"] is False for one in other["checks"])
    assert (tmp_path / "single-frame.png").stat().st_size > 10_000
