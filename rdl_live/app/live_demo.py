"""The demo: the simulated microscope, live, from light to pictures on the disk."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rdl_live._names import RAW_RECORDING
from rdl_live.acquire import Plan, PlanChannel, Region, TimePlan
from rdl_live.acquire.plan import SINGLE_FRAME
from rdl_live.app.config_files import config_file
from rdl_live.app.denoiser import DEFAULT, check_denoiser
from rdl_live.app.live.truth import Truth, TruthWatch
from rdl_live.app.live.values import LiveOptions, LiveOutcome
from rdl_live.app.reconstruct.preview import save_preview
from rdl_live.app.reconstruct.report import pattern_records
from rdl_live.app.single_frame.choose import run_of
from rdl_live.errors import ConfigError, OutputError
from rdl_live.files import atomic_write, check_output, load_microscope
from rdl_live.files.recorder import open_recording
from rdl_live.optics.microscope import Microscope
from rdl_live.optics.modality_kinds import DEFAULT as DEFAULT_MODALITY
from rdl_live.specimen import kind_names
from rdl_live.stream import Result

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

    from rdl_devices.sim.view import Region as ChipRegion

REPORT, PREVIEW = "report.json", "preview.png"
SHORTEST_MS = 10.0
"""Exposure of a raw frame; with the readout of 256 rows, 89 frames and 9.9 images a second."""
SCOPE, TIRF_SCOPE = "demo.yaml", "demo-tirf.yaml"
"""Microscope files of the demo, without and with illuminations."""
LINE = "488"
"""Name of the colour that is shown, and its laser line."""
PHOTONS_PER_MS = 10.0
"""What the simulated dye gives at full power, per pixel and ms (World, PhotonsPerPixelPerMs_488)."""
SMALLEST, LARGEST = 64, 512
"""Sides of the raw frame; the SLM covers no more."""
MOST_PHOTONS = 5000.0
REFRESH_MS = 200
"""Drawing the moving specimen is the simulation's largest cost; in this time it moves by 20 nm."""
SINGLE_FRAME_WEIGHTS = "dfcan"
"""Shipped weights for single frames, where nothing is said."""
CHECK_EVERY = 100
"""Single frames from one series of patterns to the next."""
BETWEEN_S = 1.0
"""What it takes in the dark to change from single frames to a series of patterns and back, on a busy computer."""
CAMERAS = ("ideal", "scmos", "emccd")
CAMERA_DEVICE = "Camera"
CAMERA = "scmos"
"""The camera of the demo where nothing is said: uneven pixels, as real ones have."""
PHOTONS = 5.0
"""Mean photons per raw pixel and frame where nothing is said: the light that the program is made for."""
CELL_UM = 1.5
"""Thickness of the cells where they are lit in several ways, as `demo-tirf.cfg` has it."""
SLACK = 1.25
"""A computer that cannot keep pace is stopped after so many times the time asked for."""


@dataclass(frozen=True)
class DemoSettings:
    """What the demo shows."""

    out: Path
    seconds: float = 15.0
    photons: float = PHOTONS
    """Mean photons per raw pixel and frame."""
    size: int = 256
    """Raw frame, rows and columns."""
    specimen: str | None = None
    """Kind of specimen; by default that of the microscope."""
    seed: int | None = None
    denoise: str = DEFAULT
    overwrite: bool = False
    camera: str = CAMERA
    """One of `CAMERAS`."""
    modality: str = DEFAULT_MODALITY
    """What is taken: series of patterns, or `SINGLE_FRAME`."""
    illumination: str = ""
    """Names of illuminations of `TIRF_SCOPE`, separated by commas, one after the other; "": the usual demo."""
    memory: bool = True
    """Whether denoised images remember the series before."""

    @property
    def illuminations(self) -> tuple[str, ...]:
        """Names of channels, one for each illumination."""
        return tuple(f"{LINE} {one.strip()}" for one in self.illumination.split(",") if one.strip())

    @property
    def scope_file(self) -> str:
        """The microscope that is shown."""
        return TIRF_SCOPE if self.illumination else SCOPE

    @property
    def single(self) -> bool:
        """Whether single frames are taken."""
        return self.modality == SINGLE_FRAME

    def check(self) -> None:
        """Raise ConfigError for what cannot be shown, before anything is opened."""
        if self.modality not in (DEFAULT_MODALITY, SINGLE_FRAME):
            raise ConfigError(
                f"--modality {self.modality!r}: there is no such one here; choose {DEFAULT_MODALITY} or {SINGLE_FRAME}"
            )
        check_denoiser(self.denoise, live=True)
        if self.specimen is not None and self.specimen not in kind_names():
            raise ConfigError(f"--specimen {self.specimen!r}: there is no such kind; choose {', '.join(kind_names())}")
        if self.camera not in CAMERAS:
            raise ConfigError(f"--camera {self.camera!r}: there is no such camera; choose {', '.join(CAMERAS)}")
        if self.illumination:
            self._check_illuminations()
        if not SMALLEST <= self.size <= LARGEST:
            raise ConfigError(
                f"--size {self.size}: choose {SMALLEST} to {LARGEST} pixels; the simulated SLM covers no more"
            )
        if not 0 < self.photons <= MOST_PHOTONS:
            raise ConfigError(f"--photons {self.photons:g}: choose more than 0 and at most {MOST_PHOTONS:g}")
        if not 0 < self.seconds <= 24 * 3600:
            raise ConfigError(f"--seconds {self.seconds:g}: choose more than 0 and at most a day")

    def _check_illuminations(self) -> None:
        known = [one.name for one in load_microscope(config_file(TIRF_SCOPE)).channels if one.name.startswith(LINE)]
        names = [name.removeprefix(f"{LINE} ") for name in known]
        asked = self.illuminations
        if not asked or not set(asked) <= set(known) or len(set(asked)) < len(asked):
            raise ConfigError(
                f"--illumination {self.illumination!r}: name one or several of {', '.join(names)}, each once, "
                "separated by commas"
            )
        if self.single:
            raise ConfigError(f"--illumination is that of stripes; leave out --modality {SINGLE_FRAME}")


def usual_denoiser(modality: str | None) -> str:
    """Return the weights that a demo takes where nothing is said."""
    return SINGLE_FRAME_WEIGHTS if modality == SINGLE_FRAME else DEFAULT


def demo_plan(microscope: Microscope, settings: DemoSettings) -> Plan:
    """Return the plan: full frames in the middle of the chip for the time asked for, light as asked for."""
    names = settings.illuminations or (microscope.channels[0].name,)
    full = PHOTONS_PER_MS * SHORTEST_MS
    channels, exposures_ms = [], []
    for name in names:
        needed = settings.photons / full / lit_share(microscope, name)
        exposures_ms.append(SHORTEST_MS * max(1.0, needed))
        power = 100.0 * min(1.0, needed)
        channels.append(PlanChannel(name=name, power_percent=power, exposure_ms=exposures_ms[-1]))
    readout_ms = microscope.hardware.camera.readout_ms if microscope.hardware else 0.0
    frame_s = 1e-3 * sum(one + readout_ms for one in exposures_ms)
    series_s = microscope.pattern.frames * frame_s
    if settings.single:
        series_s = frame_s + (series_s + BETWEEN_S) / CHECK_EVERY
    corner = (LARGEST - settings.size) // 2
    return Plan(
        name="demo",
        modality=SINGLE_FRAME if settings.single else None,
        check_every=CHECK_EVERY,
        channels=tuple(channels),
        time=TimePlan(points=max(1, round(settings.seconds / series_s))),
        roi=Region(x=corner, y=corner, width=settings.size, height=settings.size),
    )


def lit_share(microscope: Microscope, channel: str) -> float:
    """Return the share of the specimen's light that a channel of the demo sees: TIRF leaves most of a cell dark."""
    from rdl_devices.sim.penetration import share_of

    one = microscope.channel(channel)
    if one.illumination is None:
        return 1.0
    return share_of(microscope.incidence(one), CELL_UM)


def chip_region(roi: Region | None) -> "ChipRegion":
    """Return the part of the simulated chip that a plan reads; all of it for None."""
    from rdl_devices.sim.view import Region as ChipRegion

    if roi is None:
        return ChipRegion(0, 0, LARGEST, LARGEST)
    return ChipRegion(roi.y, roi.x, roi.height, roi.width)


class Demo:
    """The demo run."""

    def __init__(
        self,
        settings: DemoSettings,
        on_warning: Callable[[str], None],
        receivers: tuple[Callable[[Result], None], ...] = (),
    ) -> None:
        """Check settings and output, before anything is opened.

        Args:
            settings: what is shown.
            on_warning: called with what the user should know.
            receivers: are given each image.

        Raises:
            ConfigError: a setting out of range.
            OutputError: the folder cannot be written, or holds such files already.
        """
        settings.check()
        self.settings = settings
        self.microscope = load_microscope(config_file(settings.scope_file))
        try:
            settings.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{settings.out}: cannot be made ({error.strerror}); write elsewhere") from error
        for name in (REPORT, PREVIEW):
            check_output(settings.out / name, settings.overwrite)
        self.run = run_of(
            self.microscope,
            demo_plan(self.microscope, settings),
            settings.out,
            LiveOptions(denoise=settings.denoise, memory=settings.memory, overwrite=settings.overwrite),
            prepare=self._prepare,
            receivers=(self._see, *receivers),
            on_warning=on_warning,
        )
        self._overdue = False
        self._truth: TruthWatch | None = None
        self._latest: dict[str, Result] = {}
        """Of each channel."""

    def stop_if_overdue(self) -> None:
        """Stop a run that takes much longer than it was asked to."""
        first_s, allowed_s = self.run.first_frame_s, SLACK * self.settings.seconds + 1.0
        if not self._overdue and first_s is not None and time.perf_counter() - first_s > allowed_s:
            self._overdue = True
            self.run.stop()

    def finish(self) -> dict[str, Any]:
        """Close the recordings, write picture and report, and return the report.

        Raises:
            RdlError: whatever ended the run early.
        """
        try:
            outcome = self.run.finish()
        finally:
            if self._truth is not None:
                self._truth.close()
        report = demo_report(outcome, self.settings)
        report["checks"] = [one.record() for one in getattr(self.run, "checks", [])]
        report["truth"] = self._errors()
        if self.settings.illumination:
            report["illuminations"] = self._illuminations(outcome)
        if self._overdue:
            report["warnings"].append(
                f"this computer could not keep the camera's pace: {outcome.raw_fps:.0f} raw frames a second came, and "
                "the run was stopped; try --size 128, or close other programs"
            )
        with atomic_write(self.settings.out / REPORT, self.settings.overwrite) as path:
            path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        self._picture(outcome)
        return report

    def _prepare(self, core: "CMMCorePlus") -> None:
        from rdl_devices.sim import world_of  # loads torch

        wishes = {
            "Refresh_ms": REFRESH_MS,
            f"Specimen_{LINE}": self.settings.specimen,
            f"SpecimenSeed_{LINE}": self.settings.seed,
        }
        for what, value in wishes.items():
            if value is not None:
                core.setProperty("World", what, value)
        core.setProperty(CAMERA_DEVICE, "Chip", self.settings.camera)
        self._truth = TruthWatch(world_of(core), self.microscope, chip_region(self.run.plan.roi))

    def _see(self, result: Result) -> None:
        """In the pipeline's thread."""
        self._latest[result.channel] = result
        if self._truth is not None:
            self._truth(result)

    def _errors(self) -> dict[str, float | int | None]:
        """Return how far the images were from the truth, in the mean over the series that were compared."""
        found, count = ({}, 0) if self._truth is None else (self._truth.errors, self._truth.compared)
        errors = {f"error_{name}": found.get(name) for name in ("widefield", "sim", "denoised", "sr")}
        return {**{name: None if error is None else round(error, 4) for name, error in errors.items()}, "series": count}

    def _illuminations(self, outcome: LiveOutcome) -> dict[str, Any]:
        """Return of every illumination how it enters the sample, its dose, and the errors of its images."""
        found = {}
        for name in self.settings.illuminations:
            lit, latest = self.microscope.incidence(self.microscope.channel(name)), self._latest.get(name)
            errors = {} if self._truth is None else self._truth.errors_of(name)
            found[name] = {
                **({} if lit is None else lit.record()),
                "dose_j_cm2": outcome.doses_j_cm2.get(name),
                "photons_per_pixel": None if latest is None else latest.quality.photons_per_pixel,
                "errors": {image: round(error, 4) for image, error in errors.items()},
            }
        return found

    def _side_by_side(self) -> None:
        """Write widefield, super-resolved and denoised image of each illumination, with what it is."""
        panels = []
        for name in self.settings.illuminations:
            lit, result = self.microscope.incidence(self.microscope.channel(name)), self._latest.get(name)
            if result is None or lit is None:
                continue
            depth = "whole cell" if lit.depth_um is None else f"to {lit.depth_um:.2g} um"
            panels.append((f"{name}, {depth}: widefield", result.widefield.cpu().numpy()))
            for image, title in (("sim", "SIM"), ("denoised", "denoised")):
                if image in result.images:
                    panels.append((f"{name}: {title}", result.images[image].cpu().numpy()))
        if panels:
            rows, columns = panels[0][1].shape
            pixel_um = self.microscope.optics.pixel_size_um
            with atomic_write(self.settings.out / PREVIEW, self.settings.overwrite) as path:
                save_preview(path, panels, (rows * pixel_um, columns * pixel_um))

    def _picture(self, outcome: LiveOutcome) -> None:
        if self.settings.illumination:
            self._side_by_side()
            return
        truth: Truth | None = None if self._truth is None else self._truth.latest
        latest = outcome.stats.latest if truth is None else truth.result
        if latest is None:
            return
        raw = open_recording(self.settings.out / RAW_RECORDING)
        frame = np.asarray(raw.read(latest.key.time, latest.key.time + 1)[0, 0, 0], np.float32)
        field_um = tuple(side * self.microscope.optics.pixel_size_um for side in frame.shape)
        title = f"{outcome.stats.photons_per_pixel:.3g} photons"
        panels = [(f"raw frame, {title}", frame), ("widefield", latest.widefield.cpu().numpy())]
        if self.settings.single:
            panels.append(("super-resolved by a network", latest.sr.cpu().numpy()))
        else:
            panels.append(("super-resolved", (latest.sr if latest.sim is None else latest.sim).cpu().numpy()))
        if latest.main != "sim" and not self.settings.single:
            panels.append(("super-resolved, denoised", latest.sr.cpu().numpy()))
        if truth is not None:
            named = {"widefield": 1, "sim": 2, latest.main: len(panels) - 1}
            for name, error in truth.errors.items():
                if (place := named.get(name)) is not None:
                    panels[place] = (f"{panels[place][0]}, error {error:.2f}", panels[place][1])
            panels.append(("truth (it is simulated)", truth.image))
        with atomic_write(self.settings.out / PREVIEW, self.settings.overwrite) as path:
            save_preview(path, panels, (field_um[0], field_um[1]))


def demo_report(outcome: LiveOutcome, settings: DemoSettings) -> dict[str, Any]:
    """Return the report: the keys of the documentation, with plain values."""
    latest, latency, status = outcome.stats.latest, outcome.stats.latency, outcome.pipeline
    return {
        "raw_frames": outcome.raw.raw_frames,
        "raw_frames_dropped": outcome.raw_frames_dropped,
        "series": outcome.raw.series,
        "sr_frames": outcome.sr.raw_frames,
        "sr_dropped": outcome.sr_dropped,
        "sr_fps": round(outcome.stats.fps, 3),
        "latency_ms": {
            "p50": round(latency.p50, 2) if latency else None,
            "p95": round(latency.p95, 2) if latency else None,
        },
        "photons_per_pixel": outcome.stats.photons_per_pixel,
        "dose_j_cm2": outcome.dose_j_cm2,
        "denoiser": outcome.denoiser,
        "patterns": pattern_records(latest.patterns) if latest else [],
        "warnings": list(outcome.warnings),
        "raw_fps": round(outcome.raw_fps, 3),
        "seconds": round(outcome.run.seconds, 3),
        "size": settings.size,
        "modality": settings.modality,
        "stopped": outcome.run.stopped,
        "progress": outcome.run.progress.as_record() if outcome.run.progress else None,
        "series_refused": status.refused,
        "series_before_patterns": status.awaiting_patterns,
        "pattern_estimations": status.estimations,
        "pattern_swaps": status.swaps,
        "wrong_patterns": outcome.run.wrong_patterns,
    }
