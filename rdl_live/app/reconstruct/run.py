"""From a raw file to a super-resolved file: what `rdl-live reconstruct` and `estimate` do."""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rdl_live._version import __version__
from rdl_live.app.reconstruct.alignment import align_recording
from rdl_live.app.reconstruct.checks import check_options, tells_sigma
from rdl_live.app.reconstruct.judge import patterns_in_force
from rdl_live.app.reconstruct.known_patterns import USED, Elsewhere, KnownPatterns, known_patterns
from rdl_live.app.reconstruct.ledger import Ledger
from rdl_live.app.reconstruct.machine import Machine, calibrate, without_stripes
from rdl_live.app.reconstruct.makers import Maker, Staged, image_factor, maker_of, memory_of, plain_maker
from rdl_live.app.reconstruct.options import Options, Progress, Stopwatch, sigma_path, silent, worth_path
from rdl_live.app.reconstruct.outputs import Writers, image_writer, picture
from rdl_live.app.reconstruct.recording import OpenRecording, several_frames
from rdl_live.app.reconstruct.report import Report, likeliest, negative_warning, otf_warnings, pattern_records
from rdl_live.app.reconstruct.series_stream import Computed, SeriesStream, usual_workers
from rdl_live.app.reconstruct.siblings import Sibling
from rdl_live.errors import ConfigError, DataError, OutputError
from rdl_live.files import atomic_write, check_output, load_microscope
from rdl_live.files.page_writer import SUFFIXES
from rdl_live.files.readings import wrong_count
from rdl_live.files.stack import Axis, Stack
from rdl_live.optics import Otf, PatternSet, to_photons
from rdl_live.optics.estimate.damping import Damping
from rdl_live.optics.quality import decorrelation, negative_values
from rdl_live.optics.quality.defects import find_defects
from rdl_live.optics.quality.in_step import SeriesVerdict, usual_levels
from rdl_live.optics.quality.values import rescaled, signed, value_warnings
from rdl_live.restore import Restorer
from rdl_live.restore.memory import Memory

__all__ = ["OfflineRun", "Options", "Progress", "Stopwatch", "sigma_path", "silent", "worth_path"]

ESTIMATE_SERIES = 8
"""Time points, evenly spread, from which the patterns are estimated."""


class OfflineRun(OpenRecording):
    """One raw file with its microscope: opened and checked, ready to be estimated and reconstructed."""

    def __init__(self, raw: Path, microscope: Path, device: torch.device, options: Options) -> None:
        """Open.

        Raises:
            RdlError: the microscope file or the raw file cannot be used.
        """
        scope = load_microscope(microscope)
        check_options(options, scope)
        super().__init__(raw, microscope, device, options, scope)
        self.sibling: Sibling | None = None
        """Image of the same file whose patterns are used; whoever opens the images of a file gives it."""
        self.spread: Callable[[OfflineRun, PatternSet, str], Iterator[Computed]] | None = None
        """Has a cluster compute the images; whoever offers `--cluster` gives it."""
        self.patterns_from: dict[str, Any] | None = None
        """Where the patterns come from, if they are given; see `JointFit`."""
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
        self.model = 0
        """Series that decides on the weights; known after `estimate`."""
        self._told: list[str] = []
        """What stages warn of."""
        self._looked_at: dict[int, SeriesVerdict] = {}
        self._machine: Machine | None = None
        """Makes the first images; known when they are asked for."""
        self._photons = 0.0
        """Mean of all series [photons a pixel]; known when they have been reconstructed."""

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
        warnings += value_warnings(several_frames(stack)[0], self.scope.camera, otf, self.maps)
        warnings += self.defects.warnings()
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
                self.levels = usual_levels([self.judge(patterns).levels(one) for one in stack])
            judge = self.judge(patterns)
            self._looked_at = {int(index): judge(one) for index, one in zip(times, stack, strict=True)}
            warnings += self._rest_warnings(patterns)
            self.model = next((index for index, one in self._looked_at.items() if one.trusted), 0)
        warnings += self.modality.remarks(stack[0], self.scope, patterns, self.channel, self.maps)
        found = warnings + self._fit_warnings + self.modality.doubts(patterns) + self._otf_warnings()
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
        if not patterns.trusted or 3 * good < len(self._looked_at):
            found = self.recording.frames_taken
            if found % each == 0:
                raise DataError(
                    f"{self.raw}: frames are missing or too many in several of its series, and too few good ones are "
                    "left: cut out a part without gaps, or take the patterns of another recording (--patterns)"
                )
            stack = Stack((Axis.FRAME,), np.arange(found))
            raise DataError(f"{self.raw}: {wrong_count(stack, self.scope.pattern)}")
        last = "frame is" if rest == 1 else f"{rest} frames are"
        return [f"the last {last} no whole series of {each}, and left out"]

    def begin_series_at(self, starts: tuple[int, ...]) -> None:
        """Let series begin with these frames, counted in the order in which they were taken."""
        self.recording.begin_series_at(starts, self.scope.pattern.slots)
        self.starts = starts

    def _settle_otf(self, stack: "list[np.ndarray]", patterns: PatternSet) -> bool:
        """Measure the OTF on some series; return whether it is not the one that was assumed."""
        before = self.channel
        settled = self._known is not None and self._known.otf_damping is not None
        self.channel, self.damping = self.modality.measure_otf(
            np.stack(stack), self.scope, patterns, before, maps=self.maps, device=self.device, settled=settled
        )
        return self.channel is not before

    def _otf_warnings(self) -> list[str]:
        return otf_warnings(Otf.of(self.scope, self.channel))

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
                return self.modality.estimate(stack, scope, channel=channel, maps=maps, device=device)
            fit = self.modality.refit(stack, scope, known.patterns, channel=channel, maps=maps, device=device)
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

    def channel_facts(self, patterns: PatternSet) -> dict[str, Any]:
        """Return which colour is read, whether it had to be assumed because nothing names it, and how it was lit."""
        facts = {"channel": self.channel.name, "channel_assumed": bool(self.recording.assumed)}
        lit = self.modality.incidence(self.scope, patterns, self.channel)
        name = self.channel.illumination.name if self.channel.illumination else None
        return facts if lit is None else {**facts, "illumination": {"name": name, **lit.record()}}

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
        sigma = sigma_path(out) if tells_sigma(self.options.denoise) else None
        worth = worth_path(out) if memory_of(self) > 1 else None
        outputs = [path for path in (out, sigma, worth, report, preview) if path is not None]
        for path in outputs:
            check_output(path, self.options.overwrite, inputs=inputs)
        if len({path.resolve() for path in outputs}) < len(outputs):
            raise ConfigError("--out, --report and --preview must be different files")
        total = len(self.recording)
        progress("estimating the patterns", 0, total)
        patterns, warnings = self.estimate()
        result = Report(patterns, warnings=list(warnings))
        with self.watch.timed("plan"):
            rec = maker_of(self, patterns, self._heard)
        with ExitStack() as files:
            writer = files.enter_context(image_writer(self, out, patterns))
            spread = files.enter_context(image_writer(self, sigma, patterns, "standard error")) if sigma else None
            ledger = Ledger(patterns, self.scope.pattern, self.recording.index, self._slipped)
            count = image_writer(self, worth, patterns, "series that each pixel is worth", "series") if worth else None
            if count is not None:
                files.enter_context(count)
            first = self._all_series(rec, patterns, Writers(writer, spread, count), progress, ledger)
            self._judge(result, rec, *first)
            result.warn(ledger.warnings())
            result.extra["series"] = ledger.records()
            result.super_resolved = ledger.any_super_resolved
            if isinstance(rec, Restorer):
                self._guard(result, rec, first[0])
            writer.provenance["report"] = result.as_dict()
            if preview is not None:
                temporary = files.enter_context(atomic_write(preview, self.options.overwrite))
                plain = plain_maker(self, patterns)(first[0]).cpu() if isinstance(rec, Restorer | Staged) else None
                picture(self, temporary, *first, plain)
            if report is not None:
                temporary = files.enter_context(atomic_write(report, self.options.overwrite))
                result.seconds = dict(self.watch.seconds)
                temporary.write_text(_json(result.as_dict()), encoding="utf-8")
        return result

    def _all_series(
        self,
        rec: Maker,
        patterns: PatternSet,
        writers: Writers,
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
                writers.write(made)
            progress("reconstructing", made.index + 1, total)
        if kept is None:
            raise DataError(f"{self.raw}: holds no time point")
        self._photons = light
        return kept

    def _images(self, rec: Maker, patterns: PatternSet) -> Iterator[Computed]:
        """Go through the images of all time points, in order: from a cluster, or from this computer's cores."""
        total, options = len(self.recording), self.options
        if total == 0:
            raise DataError(f"{self.raw}: holds no time point")
        first = self.series(self.model)
        self._machine = machine = self.machine(patterns, first, rec)
        if options.cluster is not None:
            if self.spread is None:
                raise ConfigError(f"--cluster {options.cluster}: this command computes on this computer only")
            return self.spread(self, patterns, options.cluster)
        remembers = isinstance(rec, Restorer) and memory_of(self) > 1
        workers = 1 if remembers else options.workers or usual_workers(self.device, total)
        stream: SeriesStream[Machine] = SeriesStream(
            self.series,
            lambda: self.machine(patterns, first),
            lambda machine, series: machine(series),
            workers,
            machine,
        )
        return stream.run(0, total)

    def machine(self, patterns: PatternSet, first: "np.ndarray[Any, Any]", rec: Maker | None = None) -> Machine:
        """Return what makes and judges the images of series, with weights as `first` decides; any thread."""
        rec = calibrate(rec or maker_of(self, patterns, self._heard), first)
        memories: list[Memory] = []
        if isinstance(rec, Restorer) and memory_of(self) > 1:
            memories = [rec.memory(memory_of(self)) for _ in range(self.recording.grid[2])]
        blurred = without_stripes(patterns)
        # What is remembered is judged, too: the guards are asked about a late image.
        guarded = max((index for index, one in self._looked_at.items() if one.trusted), default=None)
        return Machine(
            rec,
            lambda: calibrate(maker_of(self, blurred, self._heard), first),
            self.judge(patterns),
            memories,
            guarded if memories else None,
        )

    def _heard(self, text: str) -> None:
        if text not in self._told:
            self._told.append(text)

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

    def _judge(self, result: Report, rec: Maker, series: np.ndarray, image: torch.Tensor) -> None:
        """Measure quality on the first time point and add it to the report."""
        with self.watch.timed("quality"):
            photons = to_photons(torch.from_numpy(series.astype(np.float32)), self.scope.camera, self.maps)
            quality = self.modality.quality(photons, self.scope, result.patterns, self.channel)
            negative = negative_values(image)
            sharpness = decorrelation(image, self.scope.optics.pixel_size_um / image_factor(self))
        result.mcnr, result.wiener = quality.mcnr, rec.wiener
        result.resolution_um = sharpness.resolution_um
        # What is cut off, or wrong in the microscope file, has been named already.
        doubted = len(result.patterns) > 0 and not any(pattern.trusted for pattern in result.patterns)
        dips = [] if self._saturated.clips(series) or doubted else negative_warning(negative.ratio)
        result.warn(self.saturation_warnings() + list(quality.warnings) + self._told + dips)
        result.seconds = dict(self.watch.seconds)
        result.extra = {
            "program": f"rdl-live {__version__}",
            "microscope": self.scope.name,
            "modality": self.scope.modality,
            **self.channel_facts(result.patterns),
            "frame_order": self.recording.order,
            "denoiser": self.options.denoise,
            "photons_per_pixel": self._photons,
            **self.facts(),
            "quality": {**quality.record, "negative_ratio": negative.ratio},
        }

    def _guard(self, result: Report, rec: Restorer, series: np.ndarray) -> None:
        """Ask the guards about the first image, or a late one of a memory, and add what they say to the report."""
        result.warn(rec.warnings)
        judge = None if self._machine is None else self._machine.guards
        with self.watch.timed("quality"):
            guards = judge() if judge is not None else rec.restore(series, guards=True).guards
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


def _json(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=2, allow_nan=False) + "\n"
