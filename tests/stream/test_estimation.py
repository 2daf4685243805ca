"""Patterns found while the stream runs: in the background, swapped when they changed, doubts told once."""

import pytest
import torch

from rdl_live.files.recorder import FrameFlag
from rdl_live.optics import PatternSet, Reconstructor
from rdl_live.stream import PatternHealth, Pipeline, Result

from .conftest import AtOnce, Frames, Later, Scene, frames_of, scene_of


@pytest.fixture(scope="module")
def wide() -> Scene:
    """Large enough for an estimation."""
    return scene_of(128)


class Stream:
    """A pipeline that estimates; each series is one time point."""

    def __init__(self, scene: Scene, executor: AtOnce | Later, every_s: float = 0.0) -> None:
        self.told: list[str] = []
        self.time = 0
        side = (scene.side, scene.side)
        self.pipeline = Pipeline(
            scene.scope, scene.scope.channels[:1], side, executor, estimate_every_s=every_s, warn=self.told.append
        )

    def feed(self, series: Frames) -> Result | None:
        results = [self.pipeline.push(frame, tag) for frame, tag in frames_of(series, self.time)]
        self.time += 1
        assert results[:-1] == [None] * 8
        return results[-1]


def test_images_begin_when_the_patterns_are_known_and_nobody_waits(wide: Scene) -> None:
    later = Later()
    stream = Stream(wide, later, every_s=1e6)
    assert [stream.feed(wide.series(seed)) for seed in range(3)] == [None] * 3
    later.work()
    result = stream.feed(wide.series(3))
    assert result is not None
    assert result.patterns.trusted
    assert result.calibrated_on.time == 0
    status = stream.pipeline.status
    assert (status.awaiting_patterns, status.results, status.estimations) == (3, 1, 1)
    for found, true in zip(result.patterns, wide.patterns, strict=True):
        assert (found.kx, found.ky) == pytest.approx((true.kx, true.ky), abs=0.01)
        assert found.modulation[0] == pytest.approx(0.8, abs=0.1)


def test_the_live_image_can_be_made_again_from_what_it_says(wide: Scene) -> None:
    later = Later()
    stream = Stream(wide, later)
    recorded = [wide.series(seed) for seed in range(4)]
    stream.feed(recorded[0])
    later.work()
    results = [stream.feed(series) for series in recorded[1:]]
    for series, result in zip(recorded[1:], results, strict=True):
        assert result is not None
        again = Reconstructor(wide.scope, result.patterns, (wide.side, wide.side))
        again.calibrate(recorded[result.calibrated_on.time])
        image = again(series)
        assert (image - result.sr).abs().max() < 1e-4 * image.max()


def test_patterns_that_stay_are_not_swapped(wide: Scene) -> None:
    stream = Stream(wide, AtOnce())
    results = [stream.feed(wide.series(seed, photons=400)) for seed in range(5)]
    used = {result.patterns for result in results if result}
    assert len(used) == 1
    assert stream.pipeline.status.estimations >= 3
    assert stream.pipeline.status.swaps == 0
    assert not stream.told


def test_patterns_that_move_are_swapped_between_two_series(wide: Scene) -> None:
    moved = PatternSet(
        patterns=tuple(p.replace(phases_rad=tuple(phase + 0.8 for phase in p.phases_rad)) for p in wide.patterns)
    )
    stream = Stream(wide, AtOnce())
    stream.feed(wide.series(0))
    before = stream.feed(wide.series(1))
    for seed in range(2, 12):
        after = stream.feed(Scene(wide.scope, moved, wide.side).series(seed))
    assert stream.pipeline.status.swaps >= 1
    assert before is not None
    assert after is not None
    shift = torch.tensor(
        [q.phases_rad[0] - p.phases_rad[0] for p, q in zip(before.patterns, after.patterns, strict=True)]
    )
    assert torch.allclose(torch.remainder(shift, 6.2832), torch.tensor(0.8), atol=0.15)


def test_an_orientation_that_goes_out_is_told_once_and_its_last_pattern_kept(wide: Scene) -> None:
    stream = Stream(wide, AtOnce())
    stream.feed(wide.series(0))
    for seed in range(1, 14):  # the first few may be exceptions
        result = stream.feed(wide.series(seed, turned=1))
    assert result is not None
    kept = stream.pipeline.patterns()
    assert kept is not None
    assert kept[1].trusted
    # With these an orientation without stripes would show ghosts.
    assert not result.fits
    assert not any(pattern.trusted for pattern in result.patterns)
    assert len([text for text in stream.told if "orientation 2" in text]) == 1
    assert "channel 488" in stream.told[0]


def test_low_light_is_averaged_before_anybody_is_alarmed(wide: Scene) -> None:
    stream = Stream(wide, AtOnce(), every_s=1e6)
    dim = [stream.feed(wide.series(seed, photons=0.02)) for seed in range(16)]
    assert stream.pipeline.status.estimations >= 4  # 1, 2, 4, 8 series
    assert stream.told
    assert len({text.split(":")[0] for text in stream.told}) == len(stream.told)
    assert all(bool(torch.isfinite(one.sr).all()) for one in dim if one)


def test_spoilt_series_are_not_estimated(wide: Scene) -> None:
    later = Later()
    stream = Stream(wide, later)
    for frame, tag in frames_of(wide.series(0), 0):
        lost = (tag.angle, tag.phase) == (2, 1)
        flags = FrameFlag.MISSING if lost else FrameFlag.NONE
        stream.pipeline.push(None if lost else frame, type(tag)(tag.time, tag.angle, tag.phase, flags=flags))
    assert not later.jobs


def test_a_falling_score_is_told_once_until_it_recovers(scene: Scene) -> None:
    told: list[str] = []
    health = PatternHealth("488", told.append)

    def judge(score: float) -> int:
        health.judge(PatternSet(patterns=tuple(p.replace(score=score) for p in scene.patterns)))
        return len(told)

    assert [judge(score) for score in (30, 20, 14, 13, 16, 22, 12, 31)] == [0, 0, 3, 3, 3, 3, 6, 6]
    assert "fell from 30.0 to 14.0" in told[0]


def test_patterns_of_brighter_series_stay_in_force_while_it_is_dim(wide: Scene) -> None:
    """The light is lowered: wave vectors and contrast stay those of the bright series, and all are used."""
    stream = Stream(wide, AtOnce())
    for seed in range(2):
        bright = stream.feed(wide.series(seed, photons=300))
    assert bright is not None
    for seed in range(10, 20):
        dim = stream.feed(wide.series(seed, photons=0.1))
    assert dim is not None
    assert dim.patterns.trusted
    assert dim.seen is not None
    assert not dim.seen.trusted
    for before, after, true in zip(bright.patterns, dim.patterns, wide.patterns, strict=True):
        assert (after.kx, after.ky) == pytest.approx((before.kx, before.ky), abs=0.005)
        assert after.modulation[0] == pytest.approx(before.modulation[0], abs=0.05)
        assert after.score >= 12
        assert (after.kx, after.ky) == pytest.approx((true.kx, true.ky), abs=0.02)
