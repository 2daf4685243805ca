"""Series that do not fit the patterns in use: marked, without super-resolution, and without a say in the patterns."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rdl_live.stream import Pipeline, Result
from rdl_live.stream.fit import SeriesFit

from .conftest import AtOnce, Frames, Scene, frames_of, scene_of


@pytest.fixture(scope="module")
def wide() -> Scene:
    return scene_of(128)


class Stack:
    """A pipeline that begins with the right patterns."""

    def __init__(self, scene: Scene) -> None:
        self.told: list[str] = []
        side = (scene.side, scene.side)
        self.pipeline = Pipeline(
            scene.scope,
            scene.scope.channels[:1],
            side,
            AtOnce(),
            begin_with=[scene.patterns],
            estimate_every_s=0.0,
            warn=self.told.append,
        )

    def feed(self, series: Frames, time: int, z: int = 0) -> Result:
        results = [self.pipeline.push(frame, replace(tag, z=z)) for frame, tag in frames_of(series, time)]
        assert results[-1] is not None
        return results[-1]


def test_planes_out_of_focus_are_blurred_and_leave_the_patterns_alone(wide: Scene) -> None:
    stack = Stack(wide)
    contrasts = {0: 0.15, 1: 0.8, 2: 0.15}
    for time in range(5):
        for z, contrast in contrasts.items():
            result = stack.feed(wide.series(10 * time + z, modulation=contrast), time, z)
            if z == 1:
                assert result.fits
                assert result.patterns.trusted
                assert [one.modulation[0] for one in result.patterns] == pytest.approx([0.8] * 3, abs=0.1)
            else:
                assert result.verdict is not None
                assert not result.fits
                assert result.verdict.weak
                assert not any(one.trusted for one in result.patterns)
                assert "weaker" in result.verdict.why
    assert stack.pipeline.status.unfit == 10
    assert stack.pipeline.patterns() is not None


def test_one_series_out_of_step_is_named_and_the_next_is_good(wide: Scene) -> None:
    stack = Stack(wide)
    for time in range(3):
        assert stack.feed(wide.series(time), time).fits
    slipped = np.roll(wide.series(7).reshape(9, wide.side, wide.side), 1, axis=0).reshape(3, 3, wide.side, wide.side)
    # The check has a small share of the time, which this computer may have used up.
    stack.pipeline._estimations[0].current.fit._next_s = 0.0  # type: ignore[union-attr]
    result = stack.feed(slipped, 3)
    assert not result.fits
    assert [text for text in stack.told if "does not fit" in text]
    assert stack.feed(wide.series(8), 4).fits


def dimmed(series: Frames, angle: int, phase: int, share: float) -> Frames:
    changed = series.astype(np.float64)
    changed[angle, phase] = share * (changed[angle, phase] - 100) + 100
    return changed.round().astype(np.uint16)


def test_a_dimmer_frame_is_named_whenever_it_comes(wide: Scene) -> None:
    """Though the stripes of most series are not looked at, to save time."""
    stack = Stack(wide)
    for time in range(6):
        assert stack.feed(wide.series(3), time).fits
    result = stack.feed(dimmed(wide.series(3), 1, 2, 0.85), 6)
    assert result.verdict is not None
    assert "frame angle 1 phase 2 is 15% dimmer" in result.verdict.why
    assert [text for text in stack.told if "15% dimmer" in text]
    assert stack.feed(wide.series(3), 7).fits


def test_a_frame_that_is_always_dim_is_named_once(wide: Scene) -> None:
    stack = Stack(wide)
    for time in range(6):
        assert stack.feed(dimmed(wide.series(time), 0, 0, 0.85), time).fits
    assert len([text for text in stack.told if "frame angle 0 phase 0" in text and "dimmer" in text]) == 1


def test_less_light_is_no_fault(wide: Scene) -> None:
    stack = Stack(wide)
    for time, photons in enumerate((200.0, 200.0, 200.0, 200.0, 60.0, 60.0, 20.0, 20.0, 20.0, 20.0, 20.0, 20.0)):
        assert stack.feed(wide.series(time, photons=photons), time).fits
    assert stack.told == []


def test_good_series_of_all_light_levels_fit(wide: Scene) -> None:
    for seed, photons in enumerate((2.0, 5.0, 20.0, 200.0, 1000.0)):
        fit = SeriesFit(
            wide.patterns, wide.scope.replace(camera={"read_noise_e": 1.5}), wide.scope.channels[0], (128, 128)
        )
        adu = torch.from_numpy(wide.series(seed, photons=photons).astype(np.float32))
        verdict = fit.judge(lambda adu=adu: (adu - 100) * 0.5, (0, 0))  # type: ignore[misc]
        assert verdict is not None
        assert verdict.trusted


def test_where_all_is_well_the_check_takes_a_small_share_of_the_time(wide: Scene) -> None:
    fit = SeriesFit(wide.patterns, wide.scope.replace(camera={"read_noise_e": 1.5}), wide.scope.channels[0], (128, 128))
    photons = (torch.from_numpy(wide.series(1).astype(np.float32)) - 100) * 0.5
    verdicts = [fit.judge(lambda: photons, (0, 0)) for _ in range(20)]
    assert verdicts[0] is not None
    assert verdicts[1:] == [None] * 19
    assert fit.judge(lambda: photons, (0, 1)) is not None
