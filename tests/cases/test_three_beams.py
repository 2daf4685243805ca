"""Stripes of half the period that nobody uses are announced, with how to use them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from rdl_live.files import load_microscope
from rdl_live.optics import PatternSet, estimate_patterns
from rdl_live.optics.estimate.harmonic import second_harmonic
from rdl_live.stream import PatternHealth


def test_a_second_harmonic_is_announced(case: Callable[[str], Path]) -> None:
    folder = case("three-beams")
    scope = load_microscope(folder / "M.yaml")
    series = tifffile.imread(folder / "three.tif").reshape(3, 5, 256, 256).astype(np.float32)
    (text,) = second_harmonic(series, scope, estimate_patterns(series, scope))
    assert "of 210 nm" in text
    assert "pattern.harmonics to 2" in text
    used = scope.replace(pattern=scope.pattern.replace(harmonics=2).model_dump())
    found = estimate_patterns(series, used)
    assert found.trusted
    assert all(abs(pattern.modulation[1] - 0.4) < 0.1 for pattern in found)
    assert second_harmonic(series, used, found) == []


def test_two_beams_draw_no_sentence(case: Callable[[str], Path], make_cases: object) -> None:
    scope = load_microscope(case("three-beams") / "M.yaml")
    series = make_cases.series(phases=5, obj=make_cases.curves(160, 4, 25)).astype(np.float32)  # type: ignore[attr-defined]
    assert second_harmonic(series, scope, estimate_patterns(series, scope)) == []


def test_less_light_is_no_fall_of_the_score(case: Callable[[str], Path]) -> None:
    folder = case("wrong-na")
    scope = load_microscope(folder / "M-right.yaml")
    series = tifffile.imread(folder / "raw.tif").reshape(3, 3, 256, 256).astype(np.float32)
    patterns = estimate_patterns(series, scope)
    told: list[str] = []
    health = PatternHealth("488", told.append)
    health.judge(patterns, 100.0)
    dimmer = PatternSet(patterns=tuple(one.replace(score=0.3 * one.score) for one in patterns))
    health.judge(dimmer, 10.0)
    assert told == []
    health.judge(dimmer, 100.0)
    assert len(told) == 3
