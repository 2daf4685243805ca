"""`rdl-live estimate`: patterns in words and as JSON."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import tifffile

from rdl_live import specimen
from rdl_live.files import load_microscope
from rdl_live.optics import SeriesOrder
from rdl_live.specimen import nominal_patterns
from tests.cli.conftest import MICROSCOPE, SHAPE, Frames, Run, listing

pytestmark = pytest.mark.usefixtures("folder")


def test_json_is_json_and_nothing_else(run: Run, folder: Path) -> None:
    before = listing(folder)
    result = run("estimate", "raw.tif", "--microscope", "M.yaml", "--json", "--device", "cpu")
    assert result.code == 0, result.words
    record = json.loads(result.out)
    assert {"patterns", "seconds", "warnings"} <= set(record)
    assert record["warnings"] == []
    assert record["seconds"]["estimate"] > 0
    assert listing(folder) == before
    true = nominal_patterns(load_microscope("M.yaml"), seed=2)
    width, height = SHAPE[1] * 0.08, SHAPE[0] * 0.08
    for found, wanted in zip(record["patterns"], true, strict=True):
        assert {"angle_deg", "period_um", "phases_deg", "modulation", "score", "trusted"} <= set(found)
        assert found["trusted"] is True
        assert found["score"] > 6.5
        assert found["angle_deg"] == pytest.approx(wanted.angle_deg, abs=0.3)
        assert found["period_um"] == pytest.approx(wanted.period_um, rel=0.005)
        assert found["modulation"] == pytest.approx(0.8, abs=0.06)
        k = [f(math.radians(found["angle_deg"])) / found["period_um"] for f in (math.cos, math.sin)]
        middle = math.degrees(math.pi * ((k[0] - wanted.kx) * width + (k[1] - wanted.ky) * height))
        for phase, expected in zip(found["phases_deg"], wanted.phases_rad, strict=True):
            assert 0 <= phase < 360
            assert abs((phase - math.degrees(expected) + middle + 180) % 360 - 180) < 4


def test_words(run: Run) -> None:
    result = run("estimate", "raw.tif", "-m", "M.yaml")
    assert result.code == 0
    assert result.out.count(" trusted") == 3
    assert "not trusted" not in result.out
    assert result.err.strip() == ""


def test_noise_is_not_trusted_and_the_warning_says_what_to_do(run: Run) -> None:
    tifffile.imwrite("noise.tif", np.random.default_rng(3).poisson(300, (9, *SHAPE)).astype(np.uint16))
    words = run("estimate", "noise.tif", "-m", "M.yaml")
    assert words.code == 3
    assert words.out.count("not trusted") == 3
    assert "warning: all orientations: " in words.err
    record = json.loads(run("estimate", "noise.tif", "-m", "M.yaml", "--json").out)
    assert [pattern["trusted"] for pattern in record["patterns"]] == [False] * 3
    told = " ".join(record["warnings"])
    assert "Check that the pattern is on" in told
    assert "pattern.period_um" in told
    assert "without super-resolution" in told


def test_order_and_colour_come_from_the_microscope_file(run: Run, film: Frames) -> None:
    tifffile.imwrite("swapped.tif", film[0].swapaxes(0, 1).reshape(9, *SHAPE))
    order = SeriesOrder.PHASE_ANGLE
    Path("M2.yaml").write_text(f"{MICROSCOPE}pattern: {{order: {order}}}\n", encoding="utf-8")
    straight = json.loads(run("estimate", "raw.tif", "-m", "M.yaml", "--json").out)
    swapped = json.loads(run("estimate", "swapped.tif", "-m", "M2.yaml", "--json").out)
    assert swapped["patterns"] == straight["patterns"]
    red = json.loads(run("estimate", "raw.tif", "-m", "M.yaml", "--json", "--channel", "red").out)
    assert red["patterns"] != straight["patterns"]


def test_first_guesses_are_used(run: Run) -> None:
    """Guesses near the truth find the same patterns; guesses far from it do not stand in the way of the data."""
    true = nominal_patterns(load_microscope("M.yaml"), seed=2)
    angles = [round(pattern.angle_deg + 1, 1) for pattern in true]
    guess = f"pattern: {{period_um: {true[0].period_um * 1.02:.4f}, angles_deg: {angles}}}"
    text = MICROSCOPE.replace("emission_nm: 525}", f"emission_nm: 525, {guess}}}")
    Path("M2.yaml").write_text(text, encoding="utf-8")
    blind = json.loads(run("estimate", "raw.tif", "-m", "M.yaml", "--json").out)
    guided = json.loads(run("estimate", "raw.tif", "-m", "M2.yaml", "--json").out)
    for one, other in zip(blind["patterns"], guided["patterns"], strict=True):
        assert other["trusted"] is True
        assert other["angle_deg"] == pytest.approx(one["angle_deg"], abs=0.05)
        assert other["period_um"] == pytest.approx(one["period_um"], rel=1e-3)


def test_time_points_are_averaged(run: Run, film: Frames) -> None:
    """More series of the same patterns: a higher score."""
    dim = specimen.simulate(
        load_microscope("M.yaml"),
        specimen.SpecimenSettings(seed=5),
        photons=2.0,
        shape=SHAPE,
        time_points=8,
        seed=2,
        upsample=2,
    )
    frames = np.stack([series.adu.numpy() for series in dim])
    tifffile.imwrite("one.tif", frames[0].reshape(9, *SHAPE))
    tifffile.imwrite("all.tif", frames.reshape(72, *SHAPE))
    scores = []
    for name in ("one.tif", "all.tif"):
        record = json.loads(run("estimate", name, "-m", "M.yaml", "--json").out)
        scores.append(min(pattern["score"] for pattern in record["patterns"]))
    assert scores[1] > 1.3 * scores[0]
    assert film.dtype == frames.dtype


def test_help_has_examples(run: Run) -> None:
    result = run("estimate", "--help")
    assert result.code == 0
    for word in ("--microscope", "--json", "cell.tif"):
        assert word in result.words
