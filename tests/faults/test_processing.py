"""Rows 14 to 18 of docs/faults.md, and a worker killed again and again: the raw recording never hears of it."""

import os
import signal
import time
from random import Random

import numpy as np
import pytest
import torch

from rdl_live.errors import ConfigError, DataError, DeviceError
from rdl_live.files.recorder import FrameTag
from rdl_live.optics import Microscope, PatternSet
from rdl_live.stream import PipelineRecipe, Processing, Result
from tests.faults.conftest import SIDE, Bench, known_patterns, until

RESUMES_S = 3.0
"""After a worker was killed there must be an image within this time, on a computer that does nothing else."""
BUSY = 5.0
"""These tests may share theirs with others."""


def kill_the_worker(bench: Bench, kills: int, dice: Random | None = None) -> tuple[int, list[float]]:
    """Kill it so many times in one run; return raw frames, and how long each time images stayed away [s].

    With dice, at any moment: so long after an image, or while a new one is starting.
    """
    bench.core.setProperty("World", "Realtime", 1)
    run, gaps = bench.run(None, processing="process", queue_series=4), []
    with run:
        run.start()
        for kill in range(kills):
            before = run.status.sr_frames
            if dice is None or kill % 4:
                until(lambda before=before: run.status.sr_frames > before)  # type: ignore[misc]
            until(lambda: run.worker_pid is not None)
            if dice is not None:
                time.sleep(dice.uniform(0.0, 0.3))
            pid = run.worker_pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            until(lambda kill=kill: run.restarts == kill + 1)  # type: ignore[misc]
            seen, killed_s = run.status.sr_frames, time.perf_counter()
            until(lambda seen=seen: run.status.sr_frames > seen)  # type: ignore[misc]
            gaps.append(time.perf_counter() - killed_s)
        run.stop()
        outcome = run.finish()
    assert outcome.restarts == kills
    assert outcome.raw_frames_dropped == 0
    assert bench.verified() == outcome.raw.raw_frames == run.status.raw_frames
    assert bench.raw.complete[:-1].all()
    restarts = [text for text in bench.told if "it is started again" in text]
    assert len(restarts) == kills
    whole = int(bench.raw.complete.sum())
    # Every series has an image, or was counted as dropped; so may be the one that the stop cut off.
    counted = outcome.stats.images + outcome.sr_dropped + outcome.pipeline.awaiting_patterns
    assert whole <= counted <= len(bench.raw.complete)
    assert bench.sr.valid.sum() == outcome.stats.images
    assert bench.dark
    return outcome.raw.raw_frames, gaps


def test_a_worker_killed_twice_costs_no_raw_frame(bench: Bench) -> None:
    _, gaps = kill_the_worker(bench, 2)
    assert max(gaps) < BUSY * RESUMES_S


@pytest.mark.slow
def test_a_worker_killed_twenty_times_costs_no_raw_frame(bench: Bench) -> None:
    frames, gaps = kill_the_worker(bench, 20)
    print(f"{frames} raw frames; images stayed away for {np.median(gaps):.2f} s, at most {max(gaps):.2f} s")
    assert max(gaps) < BUSY * RESUMES_S


@pytest.mark.slow
def test_a_worker_killed_at_fifty_random_moments_costs_no_raw_frame(bench: Bench) -> None:
    frames, gaps = kill_the_worker(bench, 50, Random(20261125))
    print(f"{frames} raw frames; images stayed away for {np.median(gaps):.2f} s, at most {max(gaps):.2f} s")
    assert max(gaps) < BUSY * RESUMES_S


@pytest.mark.parametrize("processing", ["thread", "process"])
def test_14_processing_that_raises_on_every_series(bench: Bench, processing: str) -> None:
    two = PatternSet(patterns=known_patterns()[0].patterns[:2])
    outcome = bench.done(bench.run(25, processing=processing, patterns=(two,), queue_series=50))
    assert bench.raw.complete.all()
    assert bench.verified() == 225
    assert outcome.stats.images == 0
    assert len([text for text in bench.told if "processing failed at" in text]) == 1
    assert len([text for text in bench.told if "disabled after 20 failures" in text]) == 1
    assert bench.dark


@pytest.mark.parametrize("processing", ["thread", "process"])
def test_15_processing_that_is_ten_times_too_slow(bench: Bench, processing: str) -> None:
    def slow(_: Result) -> None:
        time.sleep(0.5)

    outcome = bench.done(bench.run(60, processing=processing, queue_series=2, receivers=(slow,)))
    assert bench.raw.complete.all()
    assert bench.verified() == 540
    assert outcome.sr_dropped > 20
    assert outcome.stats.images + outcome.sr_dropped == 60
    assert outcome.pipeline.refused == 0


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), None])
def test_16_a_graphics_card_that_fails(
    demo: Microscope, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    """There is none here: a pipeline raises what torch raises. The next series is computed on the processor."""
    lost = getattr(torch, "AcceleratorError", torch.OutOfMemoryError)
    recipe = PipelineRecipe(demo, demo.channels[:1], (SIDE, SIDE), patterns=known_patterns())
    processing = Processing(recipe, lambda _: None)
    processing._device = "cuda"
    failing = processing._pipeline

    def fail(*_: object) -> None:
        raise error or lost("device lost")

    monkeypatch.setattr(failing, "push", fail)
    frame = np.full((SIDE, SIDE), 300, np.uint16)
    with pytest.raises(DeviceError, match="computed on the processor from now on"):
        processing.push(frame, FrameTag(0, 0, 0))
    processing.reset()
    images = [processing.push(frame, FrameTag(1, angle, phase)) for angle in range(3) for phase in range(3)]
    assert images[-1] is not None
    processing.finish()


@pytest.mark.parametrize("light", ["none", "far too much"])
def test_17_black_and_saturated_frames(bench: Bench, light: str) -> None:
    photons = 1e-6 if light == "none" else 1e5
    bench.core.setProperty("World", "PhotonsPerPixelPerMs_488", photons)
    outcome = bench.done(bench.run(4))
    assert bench.raw.valid.all()
    assert bench.verified() == 36
    status = outcome.pipeline
    assert outcome.stats.images + status.refused + status.unusable == 4
    assert np.isfinite(bench.sr.read(0, len(bench.sr))).all()
    assert bench.sr.valid.sum() == outcome.stats.images
    if light == "none":
        assert not any("SLM" in text for text in bench.told)  # nothing is known of its patterns
    else:
        assert any("saturated" in text for text in bench.told)
    assert bench.dark


def test_18_another_region_in_the_middle_of_a_run(bench: Bench) -> None:
    """Somebody else turns the camera's knobs: refused by name, in the dark, and what was recorded is valid."""
    run = bench.run(None)
    with pytest.raises((DeviceError, DataError)), run:  # noqa: PT012
        run.start()
        until(lambda: run.status.raw_frames > 20)
        camera = bench.core.getCameraDevice()
        bench.core.stopSequenceAcquisition(camera)
        bench.core.setROI(camera, 0, 0, 32, 32)
        run.finish()
    assert bench.dark
    assert bench.verified() > 20


def test_19_weights_for_another_microscope(bench: Bench) -> None:
    other = bench.scope.model_dump()
    other["optics"]["pixel_size_um"] = 0.4
    with pytest.raises(ConfigError, match=r"trained for pixel_size_um .* has 0\.4"):
        bench.done(bench.run(1, scope=Microscope.model_validate(other), denoise="rdl"))
    assert not bench.world.exposures
    assert bench.dark
