"""Small parts of a live run."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from rdl_live.acquire import Acquisition, Plan
from rdl_live.app.device import choose_device
from rdl_live.app.live.values import LiveOptions
from rdl_live.app.reconstruct.report import pattern_records
from rdl_live.files.recorder import RecordingLayout, SrLayout
from rdl_live.optics.microscope import Channel, Microscope, PatternGuess
from rdl_live.optics.pattern import PatternSet
from rdl_live.restore.memory import USUAL_MEMORY
from rdl_live.restore.restored import WORTH
from rdl_live.stream import Host, PipelineRecipe, ProcessHost, Processing, Result, SeriesQueue, ThreadHost, Warn
from rdl_live.stream.queue import IN_HAND


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
        device=str(choose_device(options.device)),
        denoise=options.denoise,
        memory=USUAL_MEMORY if options.memory else 1.0,
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
    warn: Warn,
) -> Host:
    """Return who computes the images: the one place where that is decided."""
    if options.processing == "thread":
        return ThreadHost(Processing(recipe, warn), queue, receivers, warn)
    return ProcessHost(recipe, queue, receivers, warn, hang_s=options.hang_s)


def queue_of(recipe: PipelineRecipe, options: LiveOptions) -> SeriesQueue:
    """Return the queue between acquisition and processing, in memory that both can reach.

    Raises:
        DeviceError: the computer has not enough shared memory.
    """
    return SeriesQueue(
        recipe.block,
        options.queue_series,
        dtype=recipe.dtype,
        shared=options.processing == "process",
        in_hand=IN_HAND + len(recipe.channels) - 1,
    )


def guessed(channel: Channel, nominal: PatternSet | None) -> Channel:
    """Return a channel whose pattern is guessed from the stripes to be expected, unless the microscope file does so.

    Where nobody knows what to expect, the pattern is searched for.
    """
    if nominal is None:
        return channel
    if channel.pattern.period_um is not None and channel.pattern.angles_deg is not None:
        return channel
    period_um = sum(pattern.period_um for pattern in nominal) / len(nominal)
    guess = PatternGuess(period_um=period_um, angles_deg=tuple(pattern.angle_deg for pattern in nominal))
    return channel.replace(pattern=guess.model_dump())


def sr_layout(raw: RecordingLayout, factor: int) -> SrLayout:
    """Return the layout of the super-resolved images, `factor` times as fine each way, of a raw recording."""
    return SrLayout(
        frame=(factor * raw.frame[0], factor * raw.frame[1]),
        pixel_size_um=raw.pixel_size_um / factor,
        factor=factor,
        time_points=raw.time_points,
        channels=raw.channels,
        positions=raw.positions,
        z_planes=raw.z_planes,
        z_step_um=raw.z_step_um,
        interval_s=raw.interval_s,
        provenance=raw.provenance,
    )


def provenance_of(result: Result) -> dict[str, Any]:
    """Return what an image's journal line says.

    With the raw series it is enough to make the image again, unless it was made of those before as well: then
    `series_worth`, the mean number of series that its pixels are worth, is more than 1.
    """
    worth = result.images.get(WORTH)
    return {
        "patterns": pattern_records(result.patterns),
        "pattern_set": result.patterns.model_dump(mode="json"),
        "calibrated_on": result.calibrated_on._asdict(),
        "otf_damping": list(result.otf_damping),
        "denoiser": result.denoiser,
        "series_worth": None if worth is None else float(worth.mean()),
        "image": result.main,
        "latency_ms": 1e3 * result.latency_s,
        "photons_per_pixel": result.quality.photons_per_pixel,
        "mcnr": result.quality.mcnr,
        "fits": result.fits,
        "why": "" if result.verdict is None else result.verdict.why,
    }
