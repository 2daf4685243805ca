"""From a raw file to a super-resolved file: what `rdl-live reconstruct` and `estimate` do."""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from rdl_live._names import NO_DENOISER
from rdl_live._version import __version__
from rdl_live.app.denoiser import check_denoiser
from rdl_live.app.reconstruct.alignment import align_recording
from rdl_live.app.reconstruct.cluster_name import check_cluster
from rdl_live.app.reconstruct.judge import SeriesJudge, patterns_in_force
from rdl_live.app.reconstruct.known_patterns import USED, Elsewhere, KnownPatterns, known_patterns
from rdl_live.app.reconstruct.ledger import Ledger
from rdl_live.app.reconstruct.machine import Machine, calibrate, without_stripes
from rdl_live.app.reconstruct.offsets import own_offsets
from rdl_live.app.reconstruct.own_gain import gain_of, measured_gain_warnings
from rdl_live.app.reconstruct.preview import save_preview
from rdl_live.app.reconstruct.report import (
    FIXED_EXCESS,
    Report,
    calibration_warnings,
    likeliest,
    negative_warning,
    noise_warnings,
    otf_warnings,
    pattern_records,
    pattern_warnings,
    raw_quality,
    raw_warnings,
)
from rdl_live.app.reconstruct.saturation import Saturation
from rdl_live.app.reconstruct.series_stream import Computed, SeriesStream, usual_workers
from rdl_live.app.reconstruct.siblings import Sibling
from rdl_live.errors import ConfigError, DataError, OutputError
from rdl_live.files import (
    RawRecording,
    RawRequest,
    SrWriter,
    atomic_write,
    check_frames,
    check_output,
    load_camera_maps,
    load_microscope,
    open_raw,
)
from rdl_live.files.page_writer import SUFFIXES
from rdl_live.files.raw import request_for
from rdl_live.files.readings import wrong_count
from rdl_live.files.stack import Axis, Stack
from rdl_live.optics import Apodization, Attenuation, Otf, PatternSet, Reconstructor, estimate_patterns, to_photons
from rdl_live.optics.estimate.damping import Damping, damped_channel
from rdl_live.optics.estimate.harmonic import second_harmonic
from rdl_live.optics.estimate.joint import refit_patterns
from rdl_live.optics.microscope import Channel
from rdl_live.optics.quality import decorrelation, negative_values
from rdl_live.optics.quality.defects import NONE as NO_DEFECTS
from rdl_live.optics.quality.defects import find_defects
from rdl_live.optics.quality.fixed_light import offset_share
from rdl_live.optics.quality.in_step import SeriesVerdict, begins_late, sequence, usual_levels
from rdl_live.optics.quality.values import rescaled, signed, value_warnings
from rdl_live.optics.series_noise import SeriesNoise, series_noise
from rdl_live.restore import Restorer
from rdl_models import find_weights, read_card

ESTIMATE_SERIES = 8
"""Time points, evenly spread, from which the patterns are estimated."""
MOST_ALIASED = 4.0
"""Cut-off of the objective in cycles a pixel, 0.5 at the Nyquist limit; beyond this there is nothing to be seen."""
_OF_OFFSETS = 0.6
"""Share of a fixed pattern that does not grow with the light, from which it is one of offsets."""
_PIXEL_TOLERANCE = 0.02
_NOISE_PIXELS = 2**24
"""Of the time points on which the noise is measured."""

SIGMA = "-sigma"
"""Added to the image's name for the file of its standard errors."""

Progress = Callable[[str, int, int], None]
"""Called with (what is going on, done, total)."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True)
class Options:
    """How to reconstruct."""

    channel: str | None = None
    reading: RawRequest = field(default_factory=RawRequest)
    """Which position is read, and what the user says of the order of its frames."""
    denoise: str = NO_DENOISER
    memory: float = 1.0
    """Series that an image may be made of where nothing moves, itself included."""
    wiener: float | None = None
    apodization: Apodization = Apodization.OTF
    attenuation: Attenuation | None = None
    overwrite: bool = False
    workers: int | None = None
    """Series that are computed at a time; None: one for each core."""
    patterns: Path | None = None
    """Report, JSON of `estimate` or recording whose patterns are used; None: they are estimated."""
    cluster: str | None = None
    """Address of a dask scheduler, or local:N; None: compute here."""

    @property
    def reshapes(self) -> bool:
        """Whether any setting of the Wiener reconstruction is not the default."""
        return self.wiener is not None or self.attenuation is not None or self.apodization is not Apodization.OTF


@dataclass
class Stopwatch:
    """Seconds spent, by name."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the time of a block to `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - start)

    def add(self, name: str, seconds: float) -> None:
        """Add a time to `name`."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


def sigma_path(out: Path) -> Path:
    """Return where the standard errors of an image go: beside it, sr.tif and sr-sigma.tif."""
    endings = (*(f".ome{one}" for one in SUFFIXES), *SUFFIXES)
    ending = next(one for one in endings if out.name.lower().endswith(one))
    return out.with_name(f"{out.name[: -len(ending)]}{SIGMA}{out.name[-len(ending) :]}")


class OfflineRun:
    """One raw file with its microscope: opened and checked, ready to be estimated and reconstructed."""

    def __init__(self, raw: Path, microscope: Path, device: torch.device, options: Options) -> None:
        """Open.

        Raises:
            RdlError: the microscope file or the raw file cannot be used.
        """
        check_denoiser(options.denoise)
        if options.denoise != NO_DENOISER and options.reshapes:
            raise ConfigError(
                f"--denoise {options.denoise}: it decides on Wiener parameter and apodization; leave out --wiener, "
                "--apodization and --attenuation, or use --denoise none"
            )
        if options.memory > 1 and options.cluster is not None:
            raise ConfigError(f"--memory {options.memory:g}: series that remember each other cannot go to a --cluster")
        if options.memory > 1 and options.denoise == NO_DENOISER:
            raise ConfigError(f"--memory {options.memory:g}: it is a part of denoising; add --denoise rdl")
        if options.cluster is not None:
            check_cluster(options.cluster)
        self.watch = Stopwatch()
        self.contrast: tuple[float, ...] | None = None
        """Of the stripes in the series that the patterns were found in, as the judge of series measures it."""
        self.sibling: Sibling | None = None
        """Image of the same file whose patterns are used; whoever opens the images of a file gives it."""
        self.spread: Callable[[OfflineRun, PatternSet, str], Iterator[Computed]] | None = None
        """Has a cluster compute the images; whoever offers `--cluster` gives it."""
        self.options, self.device, self.raw, self.microscope = options, device, raw, microscope
        self.scope = load_microscope(microscope)
        self.channel = self.scope.channel(options.channel)
        self._check_pixels()
        asked = None if options.channel is None else self.channel
        with self.watch.timed("open"):
            self.recording = self._open(asked)
        self.channel = self.recording.channel or asked or self.scope.channels[0]
        try:
            self.maps = load_camera_maps(self.scope.camera, self.recording.shape[-2:], self.recording.corner)
        except BaseException:
            self.close()
            raise
        self.noise: SeriesNoise | None = None
        """Measured by `estimate`."""
        self.patterns_from: dict[str, Any] | None = None
        """Where the patterns come from, if they are given; see `JointFit`."""
        self.camera_measured: dict[str, float] | None = None
        """What was measured of the camera on this recording, as fields of `Camera`."""
        self.damping: Damping | None = None
        """What the recording says of its OTF; known after `estimate`."""
        self.starts: tuple[int, ...] | None = None
        """First frames of the series, where frames were missing or too many; None: they follow each other."""
        self._slipped: tuple[int, ...] = ()
        """The series in which they were."""
        self._known: KnownPatterns | None = None
        self._taken_um = 0.0
        """a of the OTF's damping that came with patterns from elsewhere, beyond that of the microscope file [um]."""
        self._fit_warnings: list[str] = []
        self.levels: np.ndarray | None = None
        """Usual light of every frame (angle, phase) relative to its series; known after `estimate`."""
        self.model = 0
        """Series that decides on the weights; known after `estimate`."""
        self.defects = NO_DEFECTS
        """Hot and dead pixels; known after `estimate`, and filled in all series from then on."""
        self._looked_at: dict[int, SeriesVerdict] = {}
        self._photons = 0.0
        """Mean of all series [photons a pixel]; known when they have been reconstructed."""
        self._saturated = Saturation(self.scope.camera.saturation_adu or self.recording.saturation)

    def _check_pixels(self) -> None:
        """Refuse pixels that no SIM microscope has: those of the chip, most likely, and not of the sample."""
        pixel_um, cutoff = self.scope.optics.pixel_size_um, self.scope.cutoff(self.channel)
        if cutoff * pixel_um > MOST_ALIASED:
            raise ConfigError(
                f"{self.microscope}: optics.pixel_size_um {pixel_um:g} is too coarse by far to see any pattern of this "
                f"objective, for which {0.5 / cutoff:.3f} um or less is needed; give the camera's pixel divided by the "
                "magnification, as 6.5 um / 100 = 0.065"
            )

    def close(self) -> None:
        """Close the raw file."""
        self.recording.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Close the raw file."""
        self.close()

    def _open(self, asked: Channel | None) -> RawRecording:
        """Open the wanted colour of the file; without a wish, the first of the microscope file that it has."""
        reading = replace(self.options.reading, incomplete=True)
        request = request_for(self.scope.channels, asked, reading)
        return open_raw(self.raw, self.scope.pattern, request)

    def file_warnings(self) -> list[str]:
        """What was noticed in opening."""
        found = list(self.recording.notes)
        pixel, stated = self.recording.pixel_size_um, self.scope.optics.pixel_size_um
        if pixel is not None and abs(pixel / stated - 1) > _PIXEL_TOLERANCE:
            found.append(
                f"the file says {pixel:.4g} um a pixel, the microscope file {stated:.4g} um, which is used: "
                "correct optics.pixel_size_um if the file is right"
            )
        if Otf.of(self.scope, self.channel).aliased:
            nyquist = 0.5 / stated
            found.append(
                f"pixels of {stated:.4g} um are too coarse for this objective (its cut-off "
                f"{self.scope.cutoff(self.channel):.2f} cycles/um is above {nyquist:.2f}): correct "
                "optics.pixel_size_um if it is wrong, else use a higher magnification"
            )
        return found

    def series(self, index: int) -> np.ndarray:
        """Read and check one time point, (A, P, y, x)."""
        with self.watch.timed("read"):
            series: np.ndarray = self.recording.read(index, index + 1)[0]
        check_frames(series, str(self.raw), first_time=index)
        self._saturated.add(index, series)
        return self.defects.mend(series)

    def estimate(self) -> tuple[PatternSet, list[str]]:
        """Estimate the patterns from some time points; return them and all warnings up to here."""
        times, stack = self._some_series()
        mean = float(to_photons(torch.from_numpy(stack[0].astype(np.float32)), self.scope.camera, self.maps).mean())
        if mean <= 0:
            if odd := rescaled(stack[0]) + signed(stack[0]):
                raise DataError(f"{self.raw}: {odd[0]}")
            raise DataError(
                f"{self.raw}: holds no light: the mean is {mean:.3g} photons after subtracting camera.offset_adu "
                f"{self.scope.camera.offset_adu:g}; correct the offset, or check that the laser was on"
            )
        warnings = self.file_warnings()
        otf = Otf.of(self.scope, self.channel)
        self.defects = find_defects(np.stack(stack), otf)
        stack = [self.defects.mend(one) for one in stack]
        warnings += self.settle_camera(stack)
        warnings += value_warnings(stack[0], self.scope.camera, otf, self.maps) + self.defects.warnings()
        if self._known is None and self.options.patterns is not None:
            self._known = known_patterns(self.options.patterns, self.scope, self._estimated_elsewhere)
            damped = self._known.damped(self.channel)
            self._taken_um = damped.otf_damping[0] - self.channel.otf_damping[0]
            self.channel = damped
        with self.watch.timed("estimate"):
            patterns, self.levels = patterns_in_force(stack, self._patterns, self.judge)
            if self._settle_otf(stack, patterns):
                patterns, self.levels = patterns_in_force(stack, self._patterns, self.judge)
            if self.sibling is not None:
                self.contrast = self.sibling.contrast
            elif self.options.patterns is None:
                self.contrast = self.judge(patterns).contrast(stack)
            if told := self._align(patterns, stack):
                warnings += told
                times, stack = self._some_series()
                self.levels = usual_levels([self.judge(patterns).stripes(one).levels for one in stack])
            judge = self.judge(patterns)
            self._looked_at = {int(index): judge(one) for index, one in zip(times, stack, strict=True)}
            warnings += self._rest_warnings(patterns)
            self.model = next((index for index, one in self._looked_at.items() if one.trusted), 0)
        late = (
            0
            if any(pattern.trusted for pattern in patterns)
            else begins_late(judge.stripes(stack[0]), self.scope.pattern)
        )
        if late:
            warnings.append(
                f"the recording begins with phase {late} of an orientation (counted from 0): frames are missing at its "
                f"start; remove its first {self.scope.pattern.phases - late} frame(s)"
            )
        warnings += second_harmonic(stack[0], self.scope, patterns, self.channel, self.maps)
        found = warnings + self._fit_warnings + pattern_warnings(patterns) + self._otf_warnings()
        return patterns, likeliest(found, patterns)

    def _some_series(self) -> tuple[np.ndarray, "list[np.ndarray]"]:
        """Return the numbers of series that stand for all, and the series."""
        count = min(len(self.recording), ESTIMATE_SERIES)
        times = np.unique(np.linspace(0, len(self.recording) - 1, count).round().astype(int))
        return times, [self.series(int(index)) for index in times]

    def _align(self, patterns: PatternSet, stack: "list[np.ndarray]") -> list[str]:
        """Where frames are missing or too many, find the series after that again; return a sentence on it."""
        # The usual light of the frames is that of series that are out of step, too.
        self.levels, levels = None, self.levels
        judge = self.judge(patterns)
        self.levels = levels
        if not any(judge(one).shift for one in stack):
            return []
        found = align_recording(self.recording, self.scope.pattern, lambda raw: judge(self.defects.mend(raw)))
        if found is None:
            return []
        self.starts, self._slipped = found.starts, tuple(slip.series for slip in found.slips)
        return found.warnings()

    def _rest_warnings(self, patterns: PatternSet) -> list[str]:
        """Say that frames are no whole number of series; refuse them where their stripes do not show which are."""
        rest, each = self.recording.rest, self.scope.pattern.frames
        if not rest:
            return []
        good = sum(one.trusted for one in self._looked_at.values())
        if not patterns.trusted or 2 * good < len(self._looked_at):
            found = len(self.recording) * each + rest
            stack = Stack((Axis.FRAME,), np.arange(found))
            raise DataError(f"{self.raw}: {wrong_count(stack, self.scope.pattern)}")
        last = "frame is" if rest == 1 else f"{rest} frames are"
        return [f"the last {last} no whole series of {each}, and left out"]

    def begin_series_at(self, starts: tuple[int, ...]) -> None:
        """Let series begin with these frames, counted in the order in which they were taken."""
        self.recording.begin_series_at(starts, sequence(self.scope.pattern))
        self.starts = starts

    def _settle_otf(self, stack: "list[np.ndarray]", patterns: PatternSet) -> bool:
        """Measure the OTF on some series; return whether it is not the one that was assumed."""
        before = self.channel
        settled = self._known is not None and self._known.otf_damping is not None
        self.channel, self.damping = damped_channel(
            np.stack(stack), self.scope, patterns, before, maps=self.maps, device=self.device, settled=settled
        )
        return self.channel is not before

    def _otf_warnings(self) -> list[str]:
        return otf_warnings(Otf.of(self.scope, self.channel))

    def judge(self, patterns: PatternSet) -> SeriesJudge:
        """Return what judges series against patterns."""
        shape = (self.recording.shape[-2], self.recording.shape[-1])
        return SeriesJudge(patterns, self.scope, self.channel, shape, self.maps, self.levels, self.contrast)

    def settle_camera(self, some: "list[np.ndarray] | None" = None) -> list[str]:
        """Measure what the microscope file lacks of the camera, where the recording shows it; return warnings.

        Args:
            some: series to measure on; the first by default.
        """
        series = some or [self.series(0)]
        warnings = self._settle_gain(series[0])
        self.noise = self._noise(series)
        if any(self._saturated.clips(one) for one in series):
            return warnings  # edges that are cut off look like a pattern of the camera
        own = None
        offsets = self.noise.excess > FIXED_EXCESS and self._is_of_offsets()
        if offsets:
            own = own_offsets(self.series, len(self.recording), self.scope, self.channel, self.maps)
        if own is None:
            return warnings + noise_warnings(self.noise, offsets=offsets)
        self.maps = own
        return warnings

    def _settle_gain(self, series: np.ndarray) -> list[str]:
        """Measure gain and read noise by photon transfer on a series, if the microscope file lacks the gain."""
        camera = self.scope.camera
        measured = gain_of(series, self.scope, self.channel)
        if measured is None:
            return calibration_warnings(camera) if self.camera_measured is None else []
        self.scope = self.scope.replace(camera={**camera.model_dump(exclude_unset=True), **measured})
        self.maps = load_camera_maps(self.scope.camera, self.recording.shape[-2:], self.recording.corner)
        self.camera_measured = measured
        return measured_gain_warnings(camera, measured)

    def _is_of_offsets(self) -> bool:
        """Whether the fixed pattern is at least mostly one of offsets, which a map can take off."""
        counts = torch.from_numpy(self.series(0)[None].astype(np.float32))
        photons = to_photons(counts, self.scope.camera, self.maps)
        return offset_share(photons, Otf.of(self.scope, self.channel)) > _OF_OFFSETS

    def _noise(self, series: "list[np.ndarray]") -> SeriesNoise:
        """Measure the noise of some of the time points."""
        most = max(1, _NOISE_PIXELS // series[0].size)
        chosen = series[:: max(1, len(series) // most)][:most]
        counts = torch.from_numpy(np.stack([one.astype(np.float32) for one in chosen]))
        photons = to_photons(counts, self.scope.camera, self.maps)
        return series_noise(photons, Otf.of(self.scope, self.channel), self.scope.camera.read_noise_e)

    def _patterns(self, stack: "np.ndarray[Any, Any]") -> PatternSet:
        """Return the patterns of some time points: estimated, or fitted to those given."""
        scope, channel, maps, device = self.scope, self.channel, self.maps, self.device
        if self.sibling is not None:
            self._fit_warnings = [
                f"the patterns are those of image {self.sibling.name}, which carries them best; its own are weaker"
            ]
            return self.sibling.patterns
        known = self._known
        try:
            if known is None:
                return estimate_patterns(stack, scope, channel=channel, maps=maps, device=device)
            fit = refit_patterns(stack, scope, known.patterns, channel=channel, maps=maps, device=device)
        except DataError as error:
            raise DataError(f"{self.raw}: {error}") from error
        fits = [None if one is None else one.record() for one in fit.fits]
        self.patterns_from = {**known.record(), "orientations": fits}
        self._fit_warnings = list(fit.warnings)
        return fit.patterns

    def _estimated_elsewhere(self, raw: Path) -> Elsewhere:
        """Return patterns and OTF of another recording of this microscope and channel."""
        with OfflineRun(raw, self.microscope, self.device, Options(channel=self.options.channel)) as other:
            patterns, _ = other.estimate()
            return Elsewhere(patterns, other.channel.otf_damping)

    def facts(self) -> dict[str, Any]:
        """Return what the estimation found besides patterns, for reports."""
        fixed = None if self.noise is None else math.sqrt(self.noise.fixed)
        given = {} if self.patterns_from is None else {"patterns_from": self.patterns_from}
        camera = {} if self.camera_measured is None else {"camera_measured": self.camera_measured}
        return {"fixed_pattern_e": fixed, **self._otf_facts(), **camera, **given}

    def _otf_facts(self) -> dict[str, Any]:
        found, used = self.damping, {USED: list(self.channel.otf_damping)}
        if found is None or not math.isfinite(found.sigma_um):
            return {"otf_damping": None, "otf_damping_error": None, **used}
        return {"otf_damping": self._taken_um + found.slope_um, "otf_damping_error": found.sigma_um, **used}

    def step_warnings(self) -> list[str]:
        """What was found in the series that the patterns were estimated from; `reconstruct` looks at all."""
        wrong = {index: one.why for index, one in self._looked_at.items() if one.why}
        return [f"series {index} (counted from 0) does not fit the patterns: {why}" for index, why in wrong.items()]

    def saturation_warnings(self) -> list[str]:
        """What was found in the time points that were read up to here."""
        return self._saturated.warnings()

    def reconstruct(
        self,
        out: Path,
        *,
        report: Path | None = None,
        preview: Path | None = None,
        progress: Progress = silent,
    ) -> Report:
        """Reconstruct all time points into `out`; write report and preview. All of them, or none.

        Raises:
            RdlError: something is wrong with data, patterns or outputs; nothing is then written.
        """
        inputs = [path for path in (self.raw, self.microscope, self.options.patterns) if path is not None]
        check_output(out, self.options.overwrite, inputs=inputs)
        if not out.name.lower().endswith(SUFFIXES):
            raise OutputError(f"{out}: a TIFF file is written, so its name must end in {' or '.join(SUFFIXES)}")
        sigma = sigma_path(out) if self._tells_sigma() else None
        outputs = [path for path in (out, sigma, report, preview) if path is not None]
        for path in outputs:
            check_output(path, self.options.overwrite, inputs=inputs)
        if len({path.resolve() for path in outputs}) < len(outputs):
            raise ConfigError("--out, --report and --preview must be different files")
        total = len(self.recording)
        progress("estimating the patterns", 0, total)
        patterns, warnings = self.estimate()
        result = Report(patterns, warnings=list(warnings))
        with self.watch.timed("plan"):
            rec = self.reconstructor(patterns)
        with ExitStack() as files:
            writer = files.enter_context(self._writer(out, patterns))
            spread = files.enter_context(self._writer(sigma, patterns, "standard error")) if sigma else None
            ledger = Ledger(patterns, self.scope.pattern, self.recording.index, self._slipped)
            first = self._all_series(rec, patterns, writer, spread, progress, ledger)
            self._judge(result, rec, *first)
            result.warn(ledger.warnings())
            result.extra["series"] = ledger.records()
            result.super_resolved = ledger.any_super_resolved
            if isinstance(rec, Restorer):
                self._guard(result, rec, first[0])
            writer.provenance["report"] = result.as_dict()
            if preview is not None:
                temporary = files.enter_context(atomic_write(preview, self.options.overwrite))
                plain = self._plain(patterns)(first[0]).cpu() if isinstance(rec, Restorer) else None
                self._preview(temporary, *first, plain)
            if report is not None:
                temporary = files.enter_context(atomic_write(report, self.options.overwrite))
                result.seconds = dict(self.watch.seconds)
                temporary.write_text(_json(result.as_dict()), encoding="utf-8")
        return result

    def _tells_sigma(self) -> bool:
        """Whether a file of standard errors will be written; a wrong weight file is told here, before all work."""
        denoise = self.options.denoise
        return denoise != NO_DENOISER and bool(read_card(find_weights(denoise)).config.get("spread", 0))

    def reconstructor(self, patterns: PatternSet) -> Reconstructor | Restorer:
        """Return what makes images of series; any thread."""
        if self.options.denoise == NO_DENOISER:
            return self._plain(patterns)
        shape, weights = self.recording.shape[-2:], self.options.denoise
        return Restorer(self.scope, patterns, shape, weights, self.device, channel=self.channel, maps=self.maps)

    def _plain(self, patterns: PatternSet) -> Reconstructor:
        """Return the reconstruction without denoising."""
        return Reconstructor(
            self.scope,
            patterns,
            self.recording.shape[-2:],
            self.device,
            channel=self.channel,
            maps=self.maps,
            wiener=self.options.wiener,
            apodization=self.options.apodization,
            attenuation=self.options.attenuation,
        )

    def _all_series(
        self,
        rec: Reconstructor | Restorer,
        patterns: PatternSet,
        writer: SrWriter,
        sigma: SrWriter | None,
        progress: Progress,
        ledger: Ledger,
    ) -> tuple[np.ndarray, torch.Tensor]:
        """Reconstruct and write every time point; return the raw series that decided on the weights, and its image."""
        total = len(self.recording)
        kept: tuple[np.ndarray, torch.Tensor] | None = None
        light = 0.0
        for made in self._waited_for(self._images(rec, patterns)):
            if made.verdict is not None:
                ledger.add(made.verdict, made.series)
            light += float(to_photons(torch.from_numpy(made.series), self.scope.camera, self.maps).mean()) / total
            if made.index == self.model:
                kept = made.series, torch.from_numpy(made.sr)
            with self.watch.timed("write"):
                writer.write(made.sr)
                if sigma is not None and made.sigma is not None:
                    sigma.write(made.sigma)
            progress("reconstructing", made.index + 1, total)
        if kept is None:
            raise DataError(f"{self.raw}: holds no time point")
        self._photons = light
        return kept

    def _images(self, rec: Reconstructor | Restorer, patterns: PatternSet) -> Iterator[Computed]:
        """Go through the images of all time points, in order: from a cluster, or from this computer's cores."""
        total, options = len(self.recording), self.options
        if total == 0:
            raise DataError(f"{self.raw}: holds no time point")
        first = self.series(self.model)
        machine = self.machine(patterns, first, rec)
        if options.cluster is not None:
            if self.spread is None:
                raise ConfigError(f"--cluster {options.cluster}: this command computes on this computer only")
            return self.spread(self, patterns, options.cluster)
        remembers = isinstance(rec, Restorer) and options.memory > 1
        workers = 1 if remembers else options.workers or usual_workers(self.device, total)
        stream: SeriesStream[Machine] = SeriesStream(
            self.series,
            lambda: self.machine(patterns, first),
            lambda machine, series: machine(series),
            workers,
            machine,
        )
        return stream.run(0, total)

    def machine(
        self, patterns: PatternSet, first: "np.ndarray[Any, Any]", rec: Reconstructor | Restorer | None = None
    ) -> Machine:
        """Return what makes and judges the images of series, with weights as `first` decides; any thread."""
        rec = calibrate(rec or self.reconstructor(patterns), first)
        remembers = isinstance(rec, Restorer) and self.options.memory > 1
        memory = rec.memory(self.options.memory) if isinstance(rec, Restorer) and remembers else None
        blurred = without_stripes(patterns)
        return Machine(rec, lambda: calibrate(self.reconstructor(blurred), first), self.judge(patterns), memory)

    def _waited_for(self, images: Iterator[Computed]) -> Iterator[Computed]:
        """Count the time that images are waited for, without the reading in between."""
        while True:
            start, read = time.perf_counter(), self.watch.seconds.get("read", 0.0)
            made = next(images, None)
            spent = time.perf_counter() - start - (self.watch.seconds.get("read", 0.0) - read)
            self.watch.add("reconstruct", spent)
            if made is None:
                return
            yield made

    def _judge(self, result: Report, rec: Reconstructor | Restorer, series: np.ndarray, image: torch.Tensor) -> None:
        """Measure quality on the first time point and add it to the report."""
        with self.watch.timed("quality"):
            photons = to_photons(torch.from_numpy(series.astype(np.float32)), self.scope.camera, self.maps)
            quality = raw_quality(photons, self.scope, result.patterns, self.channel)
            negative = negative_values(image)
            sharpness = decorrelation(image, self.scope.optics.pixel_size_um / 2)
        result.mcnr, result.wiener = quality.contrast.overall, rec.wiener
        result.resolution_um = sharpness.resolution_um
        # What is cut off, or wrong in the microscope file, has been named already.
        named = self._saturated.clips(series) or not any(pattern.trusted for pattern in result.patterns)
        dips = [] if named else negative_warning(negative.ratio)
        result.warn(self.saturation_warnings() + raw_warnings(quality, self.scope, result.patterns) + dips)
        result.seconds = dict(self.watch.seconds)
        result.extra = {
            "program": f"rdl-live {__version__}",
            "microscope": self.scope.name,
            "channel": self.channel.name,
            "frame_order": self.recording.order,
            "denoiser": self.options.denoise,
            "photons_per_pixel": self._photons,
            **self.facts(),
            "quality": {**quality.record(), "negative_ratio": negative.ratio},
        }

    def _guard(self, result: Report, rec: Restorer, series: np.ndarray) -> None:
        """Ask the guards on the first time point and add what they say to the report."""
        result.warn(rec.warnings)
        with self.watch.timed("quality"):
            guards = rec.restore(series, guards=True).guards
        if guards is None:
            return
        result.warn(list(guards.doubts))
        result.extra["residual"] = asdict(guards.residual)
        result.extra["guards"] = {
            "stripes_shifted": guards.stripes.shifted,
            "stripes_lacking": guards.stripes.lacking,
            "patterns_denoised": None if guards.patterns is None else pattern_records(guards.patterns),
            "pattern_shift_nm": guards.shift_nm,
            "doubts": guards.doubts,
        }

    def _writer(self, out: Path, patterns: PatternSet, what: str = "super-resolved image") -> SrWriter:
        times, _, _, rows, columns = self.recording.shape
        made_by: dict[str, Any] = {
            "program": f"rdl-live reconstruct {__version__}",
            "raw": self.raw.name,
            "microscope": self.scope.model_dump(mode="json", exclude={"optics": {"otf"}}),
            "patterns": pattern_records(patterns),
            "denoiser": self.options.denoise,
            "memory_series": self.options.memory,
            "what": what,
            "unit": "photons per raw pixel area",
        }
        return SrWriter(
            out,
            (times, 2 * rows, 2 * columns),
            self.scope.optics.pixel_size_um / 2,
            self.channel.name,
            made_by,
            self.options.overwrite,
            excitation_nm=self.channel.excitation_nm,
            emission_nm=self.channel.emission_nm,
            planes=self.recording.grid[2],
        )

    def _preview(self, path: Path, series: np.ndarray, image: torch.Tensor, plain: torch.Tensor | None) -> None:
        pixel_um = self.scope.optics.pixel_size_um
        panels = [
            ("raw frame", series[0, 0].astype(np.float32)),
            ("widefield (mean of the raw frames)", series.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)),
            ("super-resolved", (image if plain is None else plain).numpy()),
        ]
        if plain is not None:
            panels.append(("super-resolved, denoised", image.numpy()))
        save_preview(path, panels, (series.shape[-2] * pixel_um, series.shape[-1] * pixel_um))


def _json(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=2, allow_nan=False) + "\n"
