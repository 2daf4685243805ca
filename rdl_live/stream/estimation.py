"""Finding the patterns while the stream runs: on recent series, in the background, swapped in one assignment.

Who computes is decided elsewhere: an `Executor` is given. On one thread of a shared computer one estimation of
256 x 256 takes 0.1 s for one series and 0.2 s for four.
"""

import math
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rdl_live.errors import RdlError
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.modality import Reconstruction, modality_of
from rdl_live.optics.noise import CameraMaps, to_photons
from rdl_live.optics.pattern import Pattern, PatternSet
from rdl_live.optics.quality.in_step import SeriesVerdict
from rdl_live.stream.fit import ROWS, Contrasts, SeriesFit, UsualLevels
from rdl_live.stream.health import PatternHealth, Warn
from rdl_live.stream.series import Frame, Series, SeriesKey

COMFORTABLE = 12.0
"""Smallest score from which a few series are enough for an estimation."""
STEADY = 4
"""Series for each estimation but the first, which is made of one, so that images begin soon."""
CONFIRMED = 2
"""Series from which an orientation that lags behind the others is reported."""
PHASE_RAD = math.radians(6.0)
PATIENCE = 4
"""Series in a row that do not fit, after which they are no exceptions any more: the patterns are found anew in them."""
MODULATION = 0.05
"""Patterns that moved by less anywhere in the image are left as they are: an image that does not jump is worth more."""


@dataclass(frozen=True)
class Calibrated:
    """Patterns in use, with the weights that belong to them."""

    patterns: PatternSet
    reconstructor: Reconstruction
    """Takes photons."""
    on: SeriesKey
    """The series from which the damping was measured."""
    fit: SeriesFit
    """Judges series against these patterns."""
    widefield: "Widefield"
    """For series that do not fit them."""
    channel: Channel
    """The colour, with the OTF that the recording shows."""


class Widefield:
    """The same orientations, none of them trusted: what a series that does not fit is shown with."""

    def __init__(self, patterns: PatternSet, make: Callable[[PatternSet], Reconstruction]) -> None:
        """Wait until it is needed."""
        self.patterns = PatternSet(patterns=tuple(pattern.replace(trusted=False) for pattern in patterns))
        self._make, self._made = make, None

    _made: Reconstruction | None

    @property
    def reconstructor(self) -> Reconstruction:
        """Takes photons."""
        if self._made is None:
            self._made = self._make(self.patterns)
        return self._made


@dataclass(frozen=True)
class _Found:
    estimated: PatternSet
    mcnr: float | None
    photons: float
    """Mean of the raw frames."""
    better: Calibrated | None
    """None where the patterns in use still hold."""
    channel: Channel
    """The colour, with the OTF that the series show."""


class PatternEstimation:
    """The patterns of one channel, kept up to date. All methods belong to the pipeline's thread."""

    def __init__(
        self,
        scope: Microscope,
        channel: Channel,
        shape: tuple[int, int],
        executor: Executor,
        warn: Warn,
        *,
        maps: CameraMaps | None = None,
        device: torch.device | str = "cpu",
        every_s: float = 5.0,
        most_series: int = 8,
        patterns: PatternSet | None = None,
        begin_with: PatternSet | None = None,
    ) -> None:
        """Wait for the first series.

        Args:
            scope: the microscope.
            channel: the colour, with first guesses of its pattern if there are any.
            shape: (y, x) of a raw frame.
            executor: computes in the background.
            warn: gets sentences for the user.
            maps: per-pixel camera calibration.
            device: where to compute.
            every_s: time from one estimation to the next [s].
            most_series: recent series that are averaged when light is low.
            patterns: fixed patterns; nothing is estimated then.
            begin_with: patterns to begin with, until an estimation finds better ones.
        """
        self._scope, self._channel, self._shape = scope, channel, shape
        # Photons go in everywhere below, so that a denoiser can stand between camera and reconstruction.
        self._unit, self._modality = scope.in_photons(), modality_of(scope)
        self._executor, self._warn, self._maps, self._device = executor, warn, maps, device
        self._every_s, self._most, self._fixed = every_s, most_series, patterns
        if not self._modality.searches:
            self._fixed = self._modality.nominal(scope, channel)
        self._begin_with = begin_with
        self._health = PatternHealth(channel.name, warn)
        self._recent: list[tuple[SeriesKey, Frame]] = []
        self._contrasts, self._levels = Contrasts(), UsualLevels()
        self._unfit = self._seen = 0
        self._job: Future[_Found] | None = None
        self._started_s = -math.inf
        self._failed = False
        self._wanted, self._hurry = 1, True
        self.current: Calibrated | None = None
        """What to reconstruct with; None before the first estimation."""
        self.latest: PatternSet | None = None
        """What the last estimation found, trusted or not."""
        self.verdict: SeriesVerdict | None = None
        """Whether the series that was offered last fits the patterns in use; None where it was not judged."""
        self.mcnr: float | None = None
        self.estimations = 0
        self.swaps = 0

    def offer(self, series: Series, now_s: float) -> None:
        """Keep a series for the next estimation, start one when it is due, and take over what is done."""
        given = self._begin_with if self._fixed is None else self._fixed
        if given is not None and (self.current is None or self._fixed is None):
            self.current = self._calibrated(given, series.frames, series.key)
            self._begin_with = None
        self.verdict = self._judged(series)
        if self._fixed is not None:
            return
        if self._serves(series):
            self._keep(series)
        if self._job is not None:
            if not self._job.done():
                return
            self._take_over(self._job)
            self._job = None
        due = self._seen >= self._wanted if self._hurry else now_s - self._started_s >= self._every_s
        chosen = self._latest(self._wanted) if due else []
        if not chosen:
            return
        self._started_s = now_s
        stack = np.stack([frames for _, frames in chosen])
        current = None if self.current is None else self.current.patterns
        self._job = self._executor.submit(self._find, stack, chosen[-1][0], current)

    def _judged(self, series: Series) -> SeriesVerdict | None:
        if self.current is None:
            return None
        verdict = self.current.fit.judge(
            lambda: self._photons(series.frames).cpu(), series.key.place, self._light(series.frames)
        )
        if verdict is not None:
            self._contrasts.add(series.key.place, verdict)
            self._unfit = 0 if verdict.trusted else self._unfit + 1
        return verdict

    def _light(self, frames: Frame) -> npt.NDArray[np.float64]:
        """Return the mean of every frame (angle, phase) [photons], of some rows."""
        camera, maps = self._scope.camera, self._maps
        offset = camera.offset_adu if maps is None else float(maps.offset_adu[::ROWS].mean())
        gain = camera.gain_e_per_adu if maps is None else float(maps.gain_e_per_adu[::ROWS].mean())
        # Whole numbers are summed row by row as such: half the time, and exact. A row holds fewer than 65 000 pixels.
        kind = np.uint32 if frames.dtype.kind == "u" and frames.itemsize <= 2 else np.float64
        rows = frames[..., ::ROWS, :].sum(axis=-1, dtype=kind)
        means: npt.NDArray[np.float64] = rows.mean(axis=-1, dtype=np.float64) / frames.shape[-1]
        return (means - offset) * gain

    def _serves(self, series: Series) -> bool:
        """Whether a series may be used for the patterns: planes out of focus would blur them, slips confuse them."""
        if self.current is None:
            return True
        if self.verdict is not None and not self.verdict.trusted and self._unfit < PATIENCE:
            return False
        if self._unfit == PATIENCE:
            self._recent, self._seen = [], 0  # what was before is over
        return self._contrasts.serves(series.key.place)

    def _keep(self, series: Series) -> None:
        """Copy into the oldest of the buffers."""
        self._seen += 1
        if len(self._recent) < self._most:
            self._recent.append((series.key, series.frames.copy()))
            return
        slot = (self._seen - 1) % self._most
        np.copyto(self._recent[slot][1], series.frames)
        self._recent[slot] = (series.key, self._recent[slot][1])

    def _latest(self, count: int) -> list[tuple[SeriesKey, Frame]]:
        newest = (self._seen - 1) % self._most
        ordered = [*self._recent[newest + 1 :], *self._recent[: newest + 1]]
        # What is known of their planes may have come later than they did.
        ordered = [one for one in ordered if self._contrasts.serves(one[0].place)]
        return ordered[-count:]

    def _take_over(self, job: "Future[_Found]") -> None:
        try:
            found = job.result()
        except RdlError as error:
            self._hurry = False
            if not self._failed:
                self._failed = True
                self._warn(f"channel {self._channel.name}: the patterns cannot be estimated: {error}")
            return
        self._failed = False
        self._channel = found.channel
        self.estimations += 1
        self.latest, self.mcnr = found.estimated, found.mcnr
        scores = [pattern.score for pattern in found.estimated]
        trusted = found.estimated.trusted
        # Dim light is averaged before anybody is alarmed; where another orientation shines it is not the light.
        limit = CONFIRMED if max(scores) >= COMFORTABLE else self._most
        self._hurry = not trusted and self._wanted < limit
        if self._hurry:
            self._wanted = min(2 * self._wanted, self._most)
        else:
            self._health.judge(found.estimated, found.photons)
            self._wanted = min(STEADY, self._most) if trusted and min(scores) >= COMFORTABLE else self._most
        if found.better is not None:
            self.swaps += self.current is not None
            self.current = found.better

    def _find(self, stack: Frame, key: SeriesKey, current: PatternSet | None) -> _Found:
        """Estimate and prepare; in the background, nothing of `self` is changed."""
        photons = self._photons(stack)
        mean = float(photons.mean())
        estimated = self._modality.estimate(photons, self._unit, channel=self._channel, device=self._device)
        mcnr = self._modality.mcnr(photons[-1], self._unit, estimated, self._channel)
        channel, damping = self._modality.measure_otf(
            photons, self._unit, estimated, self._channel, device=self._device
        )
        if damping.told:
            estimated = self._modality.estimate(photons, self._unit, channel=channel, device=self._device)
        merged = estimated if current is None else self._in_force(current, estimated, photons)
        if current is not None and not damping.told and not _differ(current, merged, self._size_um):
            return _Found(estimated, mcnr, mean, None, channel)
        return _Found(estimated, mcnr, mean, self._calibrated(merged, stack[-1], key, channel), channel)

    def _in_force(self, current: PatternSet, estimated: PatternSet, photons: Tensor) -> PatternSet:
        """Return the patterns to use: in dim light those of brighter series, their phases fitted to the newest."""
        dim = [
            old.trusted and (not new.trusted or (new.score < COMFORTABLE and new.score < old.score))
            for old, new in zip(current, estimated, strict=True)
        ]
        if not any(dim):
            return estimated
        known = [old if kept else old.replace(trusted=False, doubt="") for old, kept in zip(current, dim, strict=True)]
        fit = self._modality.refit(
            photons, self._unit, PatternSet(patterns=tuple(known)), channel=self._channel, device=self._device
        )
        chosen = []
        for old, new, fitted, kept in zip(current, estimated, fit.patterns, dim, strict=True):
            if not kept:
                chosen.append(new)
            else:
                # They stay worth what the bright series made them worth.
                chosen.append(fitted.replace(score=old.score) if fitted.trusted else old)
        return PatternSet(patterns=tuple(chosen))

    def _calibrated(
        self, patterns: PatternSet, frames: Frame, key: SeriesKey, channel: Channel | None = None
    ) -> Calibrated:
        photons, channel = self._photons(frames), channel or self._channel

        def made(patterns: PatternSet) -> Reconstruction:
            reconstructor = self._modality.reconstruction(
                self._unit, patterns, self._shape, self._device, channel=channel
            )
            reconstructor.calibrate(photons)
            return reconstructor

        fit = SeriesFit(patterns, self._unit, channel, self._shape, self._levels)
        return Calibrated(patterns, made(patterns), key, fit, Widefield(patterns, made), channel)

    def _photons(self, frames: Frame) -> Tensor:
        return to_photons(torch.from_numpy(frames), self._scope.camera, self._maps)

    @property
    def _size_um(self) -> tuple[float, float]:
        pixel = self._scope.optics.pixel_size_um
        return self._shape[0] * pixel, self._shape[1] * pixel


def _differ(current: PatternSet, estimated: PatternSet, size_um: tuple[float, float]) -> bool:
    return any(_differs(old, new, size_um) for old, new in zip(current, estimated, strict=True))


def _differs(old: Pattern, new: Pattern, size_um: tuple[float, float]) -> bool:
    """Whether two descriptions of one orientation's light differ enough to be seen anywhere in the image."""
    if old.trusted != new.trusted:
        return True
    if not new.trusted:
        return False
    if abs(old.modulation[0] - new.modulation[0]) > MODULATION:
        return True
    kx, ky = new.kx - old.kx, new.ky - old.ky
    shifts = [after - before for before, after in zip(old.phases_rad, new.phases_rad, strict=True)]
    corners = [(y, x) for y in (0.0, size_um[0]) for x in (0.0, size_um[1])]
    return any(
        abs(math.remainder(shift + 2 * math.pi * (kx * x + ky * y), 2 * math.pi)) > PHASE_RAD
        for shift in shifts
        for y, x in corners
    )
