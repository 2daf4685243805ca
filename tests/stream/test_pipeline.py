"""The pipeline: the same image as offline, series by series; nothing spoilt goes out."""

import dataclasses

import numpy as np
import pytest
import torch

from rdl_live.errors import DataError
from rdl_live.files.recorder import FrameFlag
from rdl_live.optics import Camera, CameraMaps, PatternSet, Reconstructor
from rdl_live.restore import Restored, Unit
from rdl_live.stream import Pipeline, Result

from .conftest import AtOnce, Before, Frames, Scene, frames_of


def made(scene: Scene, **options: object) -> Pipeline:
    """Return a pipeline of one colour whose patterns are known."""
    options = {"patterns": (scene.patterns,), **options}
    side = (scene.side, scene.side)
    return Pipeline(scene.scope, scene.scope.channels[:1], side, AtOnce(), **options)  # type: ignore[arg-type]


def fed(
    pipeline: Pipeline, series: Frames, time: int, flags: dict[int, FrameFlag] | None = None
) -> list[Result | None]:
    """Push a series; return what each frame gave."""
    results = []
    for number, (frame, tag) in enumerate(frames_of(series, time)):
        flag = (flags or {}).get(number, FrameFlag.NONE)
        lost = bool(flag & FrameFlag.MISSING)
        results.append(pipeline.push(None if lost else frame, dataclasses.replace(tag, flags=flag), float(number)))
    return results


def offline(scene: Scene, calibration: Frames, series: Frames, patterns: PatternSet | None = None) -> torch.Tensor:
    """Return what the offline reconstruction makes of it."""
    reconstructor = Reconstructor(scene.scope, patterns or scene.patterns, (scene.side, scene.side))
    reconstructor.calibrate(calibration)
    return reconstructor(series)


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool((a - b).abs().max() < 1e-4 * b.abs().max())


def test_a_series_gives_the_offline_image(scene: Scene) -> None:
    pipeline = made(scene)
    first, second = scene.series(1), scene.series(2)
    *before, result = fed(pipeline, first, 0)
    assert before == [None] * 8
    assert result is not None
    assert close(result.sr, offline(scene, first, first))
    (later,) = [one for one in fed(pipeline, second, 1) if one]
    assert later.calibrated_on.time == 0
    assert close(later.sr, offline(scene, first, second))


def test_a_result_says_how_it_was_made(scene: Scene) -> None:
    series = scene.series(3)
    result = fed(made(scene), series, 5)[-1]
    assert result is not None
    photons = (series.astype(np.float32) - 100) * 0.5
    assert (result.key.time, result.channel, result.denoiser) == (5, "488", "none")
    assert result.patterns == scene.patterns
    assert result.quality.photons_per_pixel == pytest.approx(photons.mean(), rel=1e-4)
    assert result.quality.brightest_adu == series.max()
    assert (result.quality.trusted, result.quality.modulation) == (3, pytest.approx(0.8))
    np.testing.assert_allclose(result.widefield.numpy(), photons.mean((0, 1)), rtol=1e-4, atol=1e-3)
    assert result.sr.mean() == pytest.approx(photons.mean(), rel=0.05)
    assert result.arrived_s == 8.0
    assert result.exposed_s == pytest.approx(0.58)
    assert result.latency_s == result.ready_s - 8.0


def test_frames_may_come_in_any_order(scene: Scene) -> None:
    series = scene.series(4)
    straight = fed(made(scene), series, 0)[-1]
    pipeline = made(scene)
    results = [pipeline.push(frame, tag) for frame, tag in reversed(frames_of(series, 0))]
    assert straight is not None
    assert results[-1] is not None
    assert torch.equal(results[-1].sr, straight.sr)


@pytest.mark.parametrize("flag", [FrameFlag.MISSING, FrameFlag.WRONG_PATTERN])
def test_a_spoilt_series_gives_nothing_and_the_next_one_is_right(scene: Scene, flag: FrameFlag) -> None:
    told: list[str] = []
    pipeline = made(scene, warn=told.append)
    first, third = scene.series(1), scene.series(3)
    fed(pipeline, first, 0)
    assert fed(pipeline, scene.series(2), 1, {4: flag}) == [None] * 9
    assert fed(pipeline, scene.series(2), 2, {4: flag}) == [None] * 9
    result = fed(pipeline, third, 3)[-1]
    assert result is not None
    assert close(result.sr, offline(scene, first, third))
    assert (pipeline.status.refused, pipeline.status.series, pipeline.status.results) == (2, 2, 2)
    assert len(told) == 1
    assert "angle 1 phase 1" in told[0]


def test_a_block_is_used_where_it_lies_and_released_with_its_image(scene: Scene) -> None:
    pipeline, copied = made(scene), made(scene)
    for time in range(3):
        block = scene.series(time).copy()
        expected = fed(copied, scene.series(time), time)[-1]
        results = [pipeline.push(block[tag.angle, tag.phase], tag, 0.0, block) for _, tag in frames_of(block, time)]
        assert pipeline.released() == (results[-1].key,) if results[-1] else False
        assert expected is not None
        assert results[-1] is not None
        assert torch.equal(results[-1].sr, expected.sr)


def test_a_verdict_after_its_frame_refuses_the_series(scene: Scene) -> None:
    pipeline = made(scene)
    frames = frames_of(scene.series(1), 0)
    for frame, tag in frames[:8]:
        assert pipeline.push(frame, tag) is None
    assert pipeline.push(None, dataclasses.replace(frames[2][1], flags=FrameFlag.WRONG_PATTERN)) is None
    assert pipeline.push(*frames[8]) is None
    assert pipeline.status.refused == 1
    assert len(pipeline.released()) == 1


def test_the_end_refuses_what_is_open_without_alarm(scene: Scene) -> None:
    told: list[str] = []
    pipeline = made(scene, warn=told.append)
    for frame, tag in frames_of(scene.series(1), 0)[:5]:
        pipeline.push(frame, tag)
    pipeline.finish()
    assert pipeline.status.refused == 1
    assert not told


def test_colours_have_patterns_of_their_own(scene: Scene) -> None:
    other = PatternSet(patterns=tuple(p.replace(kx=0.9 * p.kx, ky=0.9 * p.ky) for p in scene.patterns))
    side = (scene.side, scene.side)
    pipeline = Pipeline(scene.scope, scene.scope.channels, side, AtOnce(), patterns=(scene.patterns, other))
    green, red = scene.series(1), dataclasses.replace(scene, patterns=other).series(2)
    results = []
    for pair in zip(frames_of(green, 0), frames_of(red, 0, channel=1), strict=True):
        results += [pipeline.push(frame, tag) for frame, tag in pair]
    given = [one for one in results if one]
    assert [(one.channel, one.patterns) for one in given] == [("488", scene.patterns), ("560", other)]
    assert close(given[0].sr, offline(scene, green, green))


def test_a_channel_that_the_plan_does_not_have_is_refused(scene: Scene) -> None:
    frame, tag = frames_of(scene.series(1), 0, channel=1)[0]
    with pytest.raises(DataError, match="channel 1"):
        made(scene).push(frame, tag)


def test_camera_maps_are_used(scene: Scene) -> None:
    series = scene.series(1)
    offset = torch.full((scene.side, scene.side), 100.0)
    offset[10] = 110.0
    maps = CameraMaps(offset, torch.full_like(offset, 0.5), torch.ones_like(offset))
    crooked = series.copy()
    crooked[..., 10, :] += 10
    straight, mapped = fed(made(scene), series, 0)[-1], fed(made(scene, maps=maps), crooked, 0)[-1]
    assert straight is not None
    assert mapped is not None
    assert close(mapped.sr, straight.sr)


def test_a_denoiser_stands_before_the_reconstruction(scene: Scene) -> None:
    plain, halved = made(scene), made(scene, stage=Before("half", lambda photons: photons / 2))
    for time in range(2):
        series = scene.series(time)
        for one, two in zip(fed(plain, series, time), fed(halved, series, time), strict=True):
            assert (one is None) == (two is None)
            if one and two:
                assert close(2 * two.sr, one.sr)
                assert torch.equal(two.widefield, one.widefield)
                assert two.denoiser == "half"


@pytest.mark.parametrize("level", [0, 100, 65535])
def test_flat_frames_do_no_harm(scene: Scene, level: int) -> None:
    told: list[str] = []
    pipeline = made(scene, warn=told.append)
    flat = np.full((3, 3, scene.side, scene.side), level, np.uint16)
    for time in range(2):
        result = fed(pipeline, flat, time)[-1]
        assert result is None or bool(torch.isfinite(result.sr).all())
    assert any("saturated" in text for text in told) == (level == 65535)
    assert len(told) <= 2


def test_what_is_not_finite_is_kept_back(scene: Scene) -> None:
    told: list[str] = []
    spoiler = Before("spoiler", lambda photons: photons * float("nan"))
    pipeline = made(scene, stage=spoiler, warn=told.append)
    assert fed(pipeline, scene.series(1), 0)[-1] is None
    assert pipeline.status.unusable == 1
    assert "not finite" in told[0]


def test_a_camera_with_another_number_type(scene: Scene) -> None:
    scope = scene.scope.replace(camera=Camera(offset_adu=10, gain_e_per_adu=2.0).model_dump())
    side = (scene.side, scene.side)
    pipeline = Pipeline(scope, scope.channels[:1], side, AtOnce(), patterns=(scene.patterns,), dtype=np.uint8)
    series = np.clip(scene.series(1) / 20, 0, 200).astype(np.uint8)
    result = fed(pipeline, series, 0)[-1]
    assert result is not None
    assert result.quality.photons_per_pixel == pytest.approx((series.mean() - 10) * 2, rel=1e-4)


class Flat:
    """A stage that is easily told."""

    name = "flat"
    has_deferred = False

    def run_deferred(self) -> None:
        raise AssertionError("nothing was put off")

    def restore(self, unit: Unit) -> Restored:
        assert unit.place == (0, 0)
        assert len(unit.patterns) == 3
        assert unit.channel.name == "488"
        rows, columns = unit.photons.shape[-2:]
        return Restored({"flat": unit.photons.mean().expand(2 * rows, 2 * columns)}, "flat")


def test_a_restoration_takes_the_place_of_the_reconstruction(scene: Scene) -> None:
    pipeline, series = made(scene, stage=Flat()), scene.series(0)
    results = [one for time in range(2) for one in fed(pipeline, series, time) if one is not None]
    assert results
    for result in results:
        assert result.denoiser == "flat"
        assert close(result.sr, result.widefield.mean().expand(result.sr.shape))
