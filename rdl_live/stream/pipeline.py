"""The pipeline: fed with raw frames, asked for images. It knows no threads.

    frame -> series -> photons -> (patterns, in the background) -> denoise -> reconstruct -> quality -> Result

A 3 x 3 series of 256 x 256 takes about 10 ms on one CPU thread, one of 512 x 512 about 45 ms.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rdl_live.errors import ConfigError, DataError
from rdl_live.files.recorder import FrameFlag, FrameTag
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.noise import CameraMaps
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.quality.in_step import SeriesVerdict
from rdl_live.restore import Restored
from rdl_live.restore.restored import WIDEFIELD
from rdl_live.restore.stage import Stage, Unit
from rdl_live.restore.stages.physics import Physics
from rdl_live.stream.assembler import Assembler
from rdl_live.stream.estimation import Calibrated, PatternEstimation
from rdl_live.stream.health import Warn
from rdl_live.stream.result import Quality, Result
from rdl_live.stream.series import Frame, RefusedSeries, Series, SeriesKey
from rdl_live.stream.upload import Upload


@dataclass(frozen=True)
class PipelineStatus:
    """What has gone through."""

    series: int = 0
    """Whole series."""
    refused: int = 0
    """Series that were incomplete, over-complete or flagged."""
    results: int = 0
    awaiting_patterns: int = 0
    """Whole series that came before the patterns were known."""
    unusable: int = 0
    """Images that were not finite, and were not given out."""
    estimations: int = 0
    swaps: int = 0
    """How often new patterns took the place of others."""
    unfit: int = 0
    """Images without super-resolution, of series that do not fit the patterns in use."""

    def __add__(self, other: "PipelineStatus") -> "PipelineStatus":
        """Return what has gone through two pipelines, one after the other."""
        return PipelineStatus(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))


class Pipeline:
    """Turns frames into images. Belongs to one thread; what it starts in the background goes to the executor."""

    def __init__(
        self,
        scope: Microscope,
        channels: Sequence[Channel],
        shape: tuple[int, int],
        executor: Executor,
        *,
        dtype: npt.DTypeLike = np.uint16,
        maps: CameraMaps | None = None,
        device: torch.device | str = "cpu",
        stage: Stage | None = None,
        patterns: Sequence[PatternSet] | None = None,
        begin_with: Sequence[PatternSet | None] | None = None,
        estimate_every_s: float = 5.0,
        warn: Warn = lambda _: None,
        load: Callable[[str], Stage] | None = None,
        on_refused: Callable[[RefusedSeries], None] = lambda _: None,
    ) -> None:
        """Prepare.

        Args:
            scope: the microscope.
            channels: colours in the order that the frames' tags count.
            shape: (y, x) of a raw frame.
            executor: where patterns are estimated.
            dtype: of the camera's pixels.
            maps: per-pixel camera calibration.
            device: where to compute.
            stage: makes the images; the physics alone where left out.
            patterns: fixed patterns for each colour; by default they are estimated and kept up to date.
            begin_with: patterns for each colour to begin with, kept up to date like those that it finds itself.
            estimate_every_s: time between estimations [s].
            warn: gets sentences for the user.
            load: gives the stage of a name, for `use_denoiser`.
            on_refused: called with each series that is not reconstructed.
        """
        self._scope, self._channels, self._image = scope, tuple(channels), scope.image_name
        self._maps = None if maps is None else maps.to(torch.device(device))
        self._warn, self._on_refused = warn, on_refused
        self._stage: Stage = stage or Physics()
        self._load = load
        self._upload = Upload(torch.device(device), (*scope.pattern.counts, *shape), dtype)
        self._assembler = Assembler(
            scope.pattern.counts,
            shape,
            dtype=dtype,
            open_series=1 + len(channels),
            on_refused=self._refuse,
            on_frame=self._upload.sent,
        )
        self._estimations = [
            PatternEstimation(
                scope,
                channel,
                shape,
                executor,
                warn,
                maps=maps,
                device=device,
                every_s=estimate_every_s,
                patterns=None if patterns is None else patterns[index],
                begin_with=None if begin_with is None else begin_with[index],
            )
            for index, channel in enumerate(self._channels)
        ]
        self._told: set[str] = set()
        self._ended = False
        self._series = self._refused = self._results = self._awaiting = self._unusable = self._unfit = 0

    def push(
        self, frame: Frame | None, tag: FrameTag, arrived_s: float | None = None, block: Frame | None = None
    ) -> Result | None:
        """Take a raw frame (y, x) [ADU], None for a missing one; return an image if this frame gives one.

        Args:
            frame: copied, unless there is a block.
            tag: where it belongs.
            arrived_s: when it arrived, by `time.perf_counter`; by default now.
            block: memory (angle, phase, y, x) of the series, in which the frame lies already; in use until `released`
                names the series.

        Raises:
            DataError: a channel that the plan does not have.
            Exception: whatever the stage raises, or a background computation (a defect); the next frame may follow.
        """
        if tag.channel >= len(self._channels):
            raise DataError(f"a frame of channel {tag.channel} came; there are {len(self._channels)}, counted from 0")
        arrived_s = time.perf_counter() if arrived_s is None else arrived_s
        series = self._assembler.add(frame, tag, arrived_s, block)
        if series is None:
            return None
        try:
            return self._whole(series, time.perf_counter())
        finally:
            self._assembler.take_back()

    def released(self) -> tuple[SeriesKey, ...]:
        """Return the series that are over since the last call: their blocks are not needed any more."""
        return self._assembler.released()

    def finish(self) -> None:
        """Refuse what is incomplete: no more frames will come. An acquisition that was stopped is no fault to tell."""
        self._ended = True
        self._assembler.flush()

    def reset(self) -> None:
        """Forget open series, after something went wrong."""
        self._assembler.flush()

    def use_denoiser(self, name: str) -> None:
        """Exchange the stage, between two images; where the new one is refused the old one stays.

        Args:
            name: "none", or what `load` knows.

        Raises:
            ConfigError: there is no such denoiser, or it does not fit the microscope.
            DataError: its file is damaged.
        """
        if self._load is None:
            raise ConfigError(f"denoiser {name!r}: this pipeline was made without denoisers to choose from")
        self._stage = self._load(name)

    @property
    def has_deferred(self) -> bool:
        """Whether something was put off until an image is out (the guards' verdict on it)."""
        return self._stage.has_deferred

    def run_deferred(self) -> None:
        """Do what was put off; to be called when no frame waits.

        Raises:
            Exception: what the stage raises.
        """
        self._stage.run_deferred()

    @property
    def status(self) -> PipelineStatus:
        """What has gone through."""
        return PipelineStatus(
            self._series,
            self._refused,
            self._results,
            self._awaiting,
            self._unusable,
            sum(one.estimations for one in self._estimations),
            sum(one.swaps for one in self._estimations),
            self._unfit,
        )

    def patterns(self, channel: int = 0) -> PatternSet | None:
        """Return the patterns in use; None before they are known."""
        current = self._estimations[channel].current
        return None if current is None else current.patterns

    # From a series to an image --------------------------------------------------------------------------

    def _whole(self, series: Series, now_s: float) -> Result | None:
        self._series += 1
        estimation = self._estimations[series.key.channel]
        estimation.offer(series, now_s)
        use = estimation.current
        if use is None:
            self._awaiting += 1
            return None
        photons = self._photons(series.frames)
        channel, place = use.channel, series.key.place
        verdict = estimation.verdict
        if verdict is None or verdict.trusted:
            made = self._stage.restore(Unit(photons, use.patterns, channel, place, use.reconstructor, self._image))
        else:
            self._warn_of_unfit(series.key, verdict)
            blurred = use.widefield
            unit = Unit(photons, blurred.patterns, channel, place, blurred.reconstructor, self._image)
            made = self._stage.restore(unit)
        return self._result(use, series, photons, made, verdict, now_s)

    def _warn_of_unfit(self, key: SeriesKey, verdict: SeriesVerdict) -> None:
        self._unfit += 1
        if verdict.weak:
            return  # planes out of focus are no fault; where all series are weak the next estimation says so
        self._warn_once(
            f"channel {self._channels[key.channel].name}: the series at {key} does not fit the patterns in use: "
            f"{verdict.why}. Such series are shown and recorded without super-resolution; check the focus, and that "
            "pattern display and camera are in step",
            kind="does not fit",
        )

    def _result(
        self,
        use: Calibrated,
        series: Series,
        photons: Tensor,
        made: Restored,
        verdict: SeriesVerdict | None,
        began_s: float,
    ) -> Result | None:
        fits = verdict is None or verdict.trusted
        if not bool(torch.isfinite(made.sr.sum())):
            self._unusable += 1
            self._warn_once(
                f"the image at {series.key} is not finite and is not shown; check camera and denoiser",
                kind="not finite",
            )
            return None
        self._results += 1
        widefield = photons.mean(dim=(0, 1))
        quality = self._quality(use, series, float(widefield.mean()))
        ready_s = time.perf_counter()
        return Result(
            images={WIDEFIELD: widefield, **made.images},
            main=made.main,
            key=series.key,
            channel=self._channels[series.key.channel].name,
            patterns=use.patterns if fits else use.widefield.patterns,
            calibrated_on=use.on,
            otf_damping=use.channel.otf_damping,
            quality=quality,
            flags=series.flags,
            exposed_s=series.exposed_s,
            arrived_s=series.arrived_s,
            ready_s=ready_s,
            computed_s=ready_s - began_s,
            denoiser=self._stage.name,
            guards=made.guards,
            seen=self._estimations[series.key.channel].latest,
            verdict=verdict,
        )

    def _quality(self, use: Calibrated, series: Series, photons: float) -> Quality:
        trusted = [pattern.modulation[0] for pattern in use.patterns if pattern.trusted]
        brightest = float(series.frames.max())
        saturation = self._scope.camera.saturation_adu or np.iinfo(series.frames.dtype).max
        if brightest >= saturation or series.flags & FrameFlag.SATURATED:
            self._warn_once("pixels are saturated: wrong intensities and stripes there; use less light")
        return Quality(
            photons_per_pixel=photons,
            brightest_adu=brightest,
            score=use.patterns.score,
            modulation=min(trusted, default=0.0),
            trusted=len(trusted),
            mcnr=self._estimations[series.key.channel].mcnr,
        )

    def _photons(self, frames: Frame) -> Tensor:
        return self._upload.photons(frames, self._scope.camera, self._maps)

    def _refuse(self, refused: RefusedSeries) -> None:
        self._refused += 1
        if not self._ended:
            self._warn_once(str(refused), kind=refused.refusal)
        self._on_refused(refused)

    def _warn_once(self, text: str, kind: str | None = None) -> None:
        if (kind or text) not in self._told:
            self._told.add(kind or text)
            self._warn(text)
