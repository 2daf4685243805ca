"""Small parts of a live run."""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from rdl_live.acquire import Acquisition, Plan
from rdl_live.app.device import choose_device
from rdl_live.app.live.values import LiveOptions
from rdl_live.app.reconstruct.report import pattern_records
from rdl_live.files.recorder import FrameTag, Recorder, RecordingLayout, SrLayout
from rdl_live.optics.microscope import Channel, Microscope, PatternGuess
from rdl_live.optics.pattern import PatternSet
from rdl_live.stream import Frame, Host, PipelineRecipe, ProcessHost, Processing, Result, SeriesQueue, Tell, ThreadHost

_LOG = logging.getLogger(__name__)


class Tee:
    """The sink of a live run: the recorder first, whose errors end the run, then the processing, whose errors do not.

    Frames come here with the verdict of the pattern check, which needs the whole series.
    """

    def __init__(self, then: Callable[[Frame | None, FrameTag], None] | None, tell: Tell) -> None:
        """Pass frames on to `then`; the recorder is made later, for it must know what the acquisition will give."""
        self.recorder: Recorder | None = None
        self._then, self._tell = then, tell

    def append(self, frame: Frame, tag: FrameTag) -> None:
        """Record a frame and pass it on."""
        if self.recorder is not None:
            self.recorder.append(frame, tag)
        self._pass_on(frame, tag)

    def mark_missing(self, tag: FrameTag) -> None:
        """Record a hole and pass it on."""
        if self.recorder is not None:
            self.recorder.mark_missing(tag)
        self._pass_on(None, tag)

    def _pass_on(self, frame: Frame | None, tag: FrameTag) -> None:
        if self._then is None:
            return
        try:
            self._then(frame, tag)
        except Exception as error:  # whatever the processing does, the recording goes on
            self._then = None
            _LOG.exception("handing frames to the processing failed")
            self._tell(f"processing gets no more frames ({type(error).__name__}: {error}); the recording goes on")


def live_threads() -> int:
    """Return how many threads a live computation may take: a quarter of the cores."""
    return max(1, (os.cpu_count() or 1) // 4)


def recipe_of(
    microscope: Microscope, plan: Plan, acquisition: Acquisition, layout: RecordingLayout, options: LiveOptions
) -> PipelineRecipe:
    """Return what the images of a run are computed with, checked.

    Raises:
        RdlError: camera maps, denoiser and microscope do not fit, or there is no such processor.
    """
    scope = microscope
    if acquisition.binning != 1:
        scope = scope.replace(optics={**scope.optics.model_dump(), "pixel_size_um": layout.pixel_size_um})
    names = [channel.name for channel in plan.channels]
    recipe = PipelineRecipe(
        scope=scope,
        channels=tuple(guessed(scope.channel(name), acquisition.nominal(name)) for name in names),
        shape=layout.frame,
        corner=acquisition.corner,
        dtype=str(layout.dtype),
        mode=options.mode,
        device=str(choose_device(options.device)),
        denoise=options.denoise,
        patterns=options.patterns,
        estimate_every_s=options.estimate_every_s,
        threads=live_threads(),
    )
    recipe.check()
    return recipe


def host_of(
    recipe: PipelineRecipe,
    options: LiveOptions,
    queue: SeriesQueue,
    receivers: Sequence[Callable[[Result], None]],
    tell: Tell,
) -> Host:
    """Return who computes the images: the one place where that is decided."""
    if options.processing == "thread":
        return ThreadHost(Processing(recipe, tell), queue, receivers, tell)
    return ProcessHost(recipe, queue, receivers, tell, hang_s=options.hang_s)


def guessed(channel: Channel, nominal: PatternSet) -> Channel:
    """Return a channel whose pattern is guessed from what the SLM shows, unless the microscope file does so."""
    if channel.pattern.period_um is not None and channel.pattern.angles_deg is not None:
        return channel
    period_um = sum(pattern.period_um for pattern in nominal) / len(nominal)
    guess = PatternGuess(period_um=period_um, angles_deg=tuple(pattern.angle_deg for pattern in nominal))
    return channel.replace(pattern=guess.model_dump())


def sr_layout(raw: RecordingLayout) -> SrLayout:
    """Return the layout of the super-resolved images of a raw recording."""
    return SrLayout(
        frame=(2 * raw.frame[0], 2 * raw.frame[1]),
        pixel_size_um=raw.pixel_size_um / 2,
        time_points=raw.time_points,
        channels=raw.channels,
        positions=raw.positions,
        z_planes=raw.z_planes,
        z_step_um=raw.z_step_um,
        interval_s=raw.interval_s,
        provenance=raw.provenance,
    )


def made_how(result: Result) -> dict[str, Any]:
    """Return what an image's journal line says: with the raw series it is enough to make the image again."""
    return {
        "patterns": pattern_records(result.patterns),
        "pattern_set": result.patterns.model_dump(mode="json"),
        "calibrated_on": result.calibrated_on._asdict(),
        "denoiser": result.denoiser,
        "latency_ms": 1e3 * result.latency_s,
        "photons_per_pixel": result.quality.photons_per_pixel,
        "mcnr": result.quality.mcnr,
    }
