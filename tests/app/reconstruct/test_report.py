"""What a report says: fixed keys, plain JSON, each warning where it belongs and only there."""

import json
import math

import pytest

from rdl_live.app.reconstruct.report import (
    RawQuality,
    Report,
    calibration_warnings,
    negative_warning,
    pattern_records,
    pattern_warnings,
    raw_quality,
    raw_warnings,
)
from rdl_live.optics import Camera, Channel, Microscope, Optics, Pattern, PatternSet, evenly_spaced
from rdl_live.specimen import SpecimenSettings, simulate

SCOPE = Microscope(
    name="test",
    optics=Optics(na=1.3, pixel_size_um=0.08),
    channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
    camera=Camera(offset_adu=0, gain_e_per_adu=1, read_noise_e=1),
)
PATTERNS = evenly_spaced(0.22, first_angle_deg=170.0, modulation=(0.8,), first_phase_rad=-0.5)


def doubtful(*which: int) -> PatternSet:
    return PatternSet(
        patterns=tuple(
            pattern.replace(trusted=False, score=float(index), doubt=f"doubt {'abc'[index]}")
            if index in which
            else pattern
            for index, pattern in enumerate(PATTERNS)
        )
    )


def quality_of(**settings: float) -> RawQuality:
    specimen = SpecimenSettings(seed=3)
    series = simulate(SCOPE, specimen, shape=(64, 64), upsample=2, photons=settings.pop("photons", 300.0), **settings)
    return raw_quality(series.series(0).adu.float(), SCOPE, series.patterns)


def test_records_of_patterns() -> None:
    records = pattern_records(PATTERNS)
    assert [record["angle_deg"] for record in records] == pytest.approx([170.0, 50.0, 110.0])
    for record in records:
        assert list(record) == ["angle_deg", "period_um", "phases_deg", "modulation", "score", "trusted"]
        assert record["period_um"] == pytest.approx(0.22)
        assert record["modulation"] == 0.8
    first = math.degrees(-0.5) % 360
    assert records[1]["phases_deg"] == pytest.approx([first, (first + 120) % 360, (first + 240) % 360])
    two = PatternSet(patterns=(Pattern(kx=1, ky=0, phases_rad=(0, 1, 2, 3, 4), modulation=(0.8, 0.4)),))
    assert pattern_records(two)[0]["modulation"] == [0.8, 0.4]


def test_doubts_are_told_with_what_follows() -> None:
    assert pattern_warnings(PATTERNS) == []
    one = pattern_warnings(doubtful(1))
    assert one[0] == "orientation 2: doubt b"
    assert "missing along the orientations" in one[1]
    everything = pattern_warnings(doubtful(0, 1, 2))
    assert len(everything) == 4
    assert "without super-resolution" in everything[3]


def test_one_cause_is_one_sentence() -> None:
    """With the figures of the strongest peak, whichever orientation has it."""
    same = [one.replace(trusted=False, score=2.0 + i, doubt=f"scores {2 + i}.0") for i, one in enumerate(PATTERNS)]
    found = pattern_warnings(PatternSet(patterns=tuple(same)))
    assert found[0] == "all orientations: scores 4.0"
    assert len(found) == 2
    two = pattern_warnings(PatternSet(patterns=(*same[:2], PATTERNS[2])))
    assert two[0] == "orientations 1 and 2: scores 3.0"
    assert len(two) == 2


@pytest.mark.parametrize(
    ("camera", "warned"),
    [
        (Camera(), True),
        (Camera(read_noise_e=1.0), True),
        (Camera(offset_adu=0.0), False),
        (Camera(gain_e_per_adu=1.0), False),
        (Camera(gain_file="gain.tif"), False),
    ],
)
def test_uncalibrated_camera(camera: Camera, warned: bool) -> None:
    found = calibration_warnings(camera)
    assert len(found) == warned
    assert not warned or "camera.gain_e_per_adu" in found[0]


def test_good_frames_give_no_warning() -> None:
    quality = quality_of()
    assert raw_warnings(quality, SCOPE) == []
    assert quality.photons_per_pixel == pytest.approx(300, rel=0.05)
    assert quality.phase_step_error_deg < 0.1


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"photons": 2.0, "modulation": 0.3}, "contrast-to-noise"),
        ({"flicker": 0.2, "seed": 1}, "the light changes"),
    ],
)
def test_bad_frames_are_told(settings: dict[str, float], word: str) -> None:
    found = raw_warnings(quality_of(**settings), SCOPE)
    assert any(word in warning for warning in found)


def untrusted_quality(kind: str, **settings: float) -> tuple[RawQuality, PatternSet]:
    """Return what a series says whose patterns were not found."""
    specimen = SpecimenSettings.model_validate({"kind": kind, "seed": 1})
    series = simulate(SCOPE, specimen, shape=(96, 96), upsample=2, photons=200.0, seed=1, **settings)
    patterns = PatternSet(patterns=tuple(one.replace(trusted=False) for one in series.patterns))
    return raw_quality(series.series(0).adu.float(), SCOPE, patterns), patterns


def test_stripes_over_few_beads_are_no_flicker() -> None:
    """They change the light of the frames, which is not told apart from flicker where no pattern is known."""
    quality, patterns = untrusted_quality("beads")
    assert quality.flicker.within_orientations > 0.05
    assert raw_warnings(quality, SCOPE, patterns) == []


def test_flicker_is_told_where_no_pattern_is_known() -> None:
    quality, patterns = untrusted_quality("reticulum", flicker=0.3)
    found = raw_warnings(quality, SCOPE, patterns)
    assert any("the light changes" in warning for warning in found)


def test_dips_below_zero_are_told() -> None:
    assert negative_warning(0.2) == []
    assert "80%" in negative_warning(0.8)[0]


def test_report_is_plain_json() -> None:
    """What could not be measured is null, never NaN, which JSON does not know."""
    report = Report(PATTERNS, mcnr=math.nan, wiener=0.1, resolution_um=math.inf, seconds={"estimate": 0.12345678})
    report.warn(["one", "two"])
    report.warn(["two", "three"])
    record = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert list(record)[:6] == ["patterns", "mcnr", "wiener", "resolution_um", "seconds", "warnings"]
    assert record["mcnr"] is None
    assert record["resolution_um"] is None
    assert record["wiener"] == 0.1
    assert record["warnings"] == ["one", "two", "three"]


def test_extras_are_plain_json_too() -> None:
    report = Report(PATTERNS, extra={"quality": {"motion_um": math.nan, "flicker": 0.1, "list": [math.inf, 1.0]}})
    record = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert record["quality"] == {"motion_um": None, "flicker": 0.1, "list": [None, 1.0]}
