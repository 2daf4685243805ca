"""Imaging from single frames, from the first recording to the check that warns, on the simulated microscope.

    python -m benchmarks.single_frame OUT [--series 30] [--steps 4000] [--photons 100] [--size 128]

30 SIM series of as many fields are recorded, a small DFCAN learns from them (4000 steps are about ten minutes of two
quiet cores), and a field that it has not seen is imaged live from single frames in even light. Errors are against the
true specimen (0 is perfect), beside those of SIM, in nine times the light and in the same. Then the specimen is
exchanged for one of another kind: the series of patterns now and then must say so, and must not have said so before.
OUT holds everything: recordings, weights, `single-frame.json` and `single-frame.png`.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rdl_live.acquire import (
    Acquisition,
    Place,
    Plan,
    PlanChannel,
    Region,
    TimePlan,
    open_core,
    recording_layout,
    shutdown,
)
from rdl_live.acquire.plan import SINGLE_FRAME
from rdl_live.app.config_files import config_file
from rdl_live.app.live.run import LiveRun
from rdl_live.app.live.truth import Truth, TruthWatch
from rdl_live.app.live.values import LiveOptions
from rdl_live.app.reconstruct.preview import save_preview
from rdl_live.app.retrain.own_pairs import own_pairs
from rdl_live.app.single_frame.check import Check
from rdl_live.app.single_frame.run import SingleFrameRun
from rdl_live.files import load_microscope
from rdl_live.files.recorder import Recorder
from rdl_live.train.pairs.run import train_on_pairs
from rdl_live.train.pairs.settings import PairSettings
from rdl_models import find_architecture, read_card

APART_UM = 40.0
"""From one field to the next: no two show the same structures."""
ROW = 6
FULL_PHOTONS = 100.0
"""Of a frame of 10 ms at full power."""
PATCH, SPREAD = 64, 16
PATTERNS = 9
"""Frames of a series."""


@dataclass(frozen=True)
class Setting:
    """What is done."""

    out: Path
    series: int = 30
    steps: int = 4000
    photons: float = 100.0
    """Mean of a frame, the single one and those of a series alike."""
    size: int = 128
    kind: str = "filaments"
    other: str = "rings"
    """Another kind of specimen, which the check must flag."""
    frames: int = 12
    """Single frames, and series, that are imaged and compared."""
    every: int = 4
    """Single frames from one check to the next."""
    seed: int = 5

    @property
    def plan(self) -> Plan:
        """A field that is not learnt from."""
        power = 100.0 * min(1.0, self.photons / FULL_PHOTONS)
        return Plan(
            channels=(PlanChannel(name="488", power_percent=power, exposure_ms=10.0),),
            time=TimePlan(points=self.frames),
            positions=(_field(self.series + 1),),
            roi=Region(x=0, y=0, width=self.size, height=self.size),
        )

    def prepare(self, kind: str) -> Callable[[Any], None]:
        """Return what sets the simulated microscope up."""

        def set_up(core: Any) -> None:
            wishes = {"Realtime": 0, "Refresh_ms": 1, "Specimen_488": kind, "SpecimenSeed_488": self.seed}
            for name, value in wishes.items():
                core.setProperty("World", name, value)
            core.setProperty("Camera", "SensorSize_px", self.size)  # a chip that is not read must not be drawn

        return set_up


def measured(setting: Setting, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Do all of it, and return the figures."""
    began = time.perf_counter()
    setting.out.mkdir(parents=True, exist_ok=True)
    raw = setting.out / "learnt.ome.zarr"
    if not raw.exists():
        recorded(setting, raw)
    say(f"{setting.series} series recorded in {time.perf_counter() - began:.0f} s")
    weights = setting.out / "own.safetensors"
    scores = trained(setting, raw, weights, say)
    say(f"trained: {scores}")
    found: dict[str, Any] = {"setting": {**vars(setting), "out": setting.out.name}, "held_out": scores}
    pictures: dict[str, Truth] = {}
    for name, share in (("SIM in nine times the light", 1.0), ("SIM in the same light", 1 / 9)):
        found[name], pictures[name] = by_sim(setting, share)
        say(f"{name}: {found[name]}")
    for name, kind in (("single frames", setting.kind), ("single frames of another kind", setting.other)):
        errors, checks, pictures[name] = by_single_frames(setting, kind, weights)
        found[name] = {**errors, "checks": [one.record() for one in checks]}
        say(f"{name}: {found[name]}")
    found["seconds"] = round(time.perf_counter() - began)
    (setting.out / "single-frame.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    _picture(setting, pictures)
    return found


def recorded(setting: Setting, raw: Path) -> None:
    """Record one series of each field that is learnt from."""
    scope = load_microscope(config_file("demo.yaml"))
    plan = setting.plan.replace(
        time={"points": 1}, positions=[_field(index).model_dump() for index in range(setting.series)]
    )
    core = open_core(scope)
    try:
        setting.prepare(setting.kind)(core)
        acquisition = Acquisition(core, scope, plan)
        with Recorder(raw, recording_layout(acquisition)) as recorder:
            acquisition.record_to(recorder)
            acquisition.run()
    finally:
        shutdown(core, scope.hardware)


def trained(setting: Setting, raw: Path, weights: Path, say: Callable[[str], None]) -> dict[str, float]:
    """Train the small DFCAN on the recording, unless that is done; what was interrupted goes on. Return its
    scores.
    """
    if weights.exists():
        return read_card(weights).scores
    pairs = own_pairs([raw], config_file("demo.yaml"), 1, 2)
    small = find_architecture("dfcan").small
    assert small is not None
    settings = PairSettings(
        network={**small.fields, "spread": SPREAD},
        steps=setting.steps,
        patch=PATCH,
        learning_rate=small.learning_rate,
        seed=setting.seed,
        validate_every=max(20, setting.steps // 20),
        patience=20,
    )
    going_on = weights.with_name(f"{weights.name}.checkpoint").exists()
    card = train_on_pairs(
        pairs.fields,
        weights,
        settings,
        source=raw.name,
        valid=pairs.valid,
        resume=going_on,
        overwrite=not going_on,
        watch=lambda step: say(f"step {step.number}: {step.mean_gain:.3f}") if step.number % 50 == 0 else None,
    )
    return card.scores


def by_sim(setting: Setting, share: float) -> tuple[dict[str, float], Truth]:
    """Image by SIM, with a share of the light in each frame."""
    plan = setting.plan
    channel = plan.channels[0]
    plan = plan.replace(channels=[{**channel.model_dump(), "power_percent": share * channel.power_percent}])
    scope = load_microscope(config_file("demo.yaml"))
    watch: list[TruthWatch] = []
    run = LiveRun(
        scope,
        plan,
        None,
        LiveOptions(processing="thread", queue_series=setting.frames),
        prepare=_watched(setting, setting.kind, scope, watch),
        receivers=(lambda result: watch[0](result),),
    )
    return _errors(run, watch)


def by_single_frames(setting: Setting, kind: str, weights: Path) -> tuple[dict[str, float], list[Check], Truth]:
    """Image from single frames, with a series of patterns now and then."""
    scope = load_microscope(config_file("demo.yaml"))
    watch: list[TruthWatch] = []
    run = SingleFrameRun(
        scope,
        setting.plan.replace(modality=SINGLE_FRAME, check_every=setting.every),
        None,
        LiveOptions(denoise=str(weights), processing="thread", queue_series=setting.frames),
        prepare=_watched(setting, kind, scope, watch),
        receivers=(lambda result: watch[0](result),),
    )
    errors, truth = _errors(run, watch)
    return errors, run.checks, truth


def _watched(setting: Setting, kind: str, scope: Any, watch: list[TruthWatch]) -> Callable[[Any], None]:
    """Return what sets the microscope up and has its images compared with the truth."""

    def prepare(core: Any) -> None:
        from rdl_devices.sim import world_of
        from rdl_devices.sim.view import Region as ChipRegion

        setting.prepare(kind)(core)
        roi = setting.plan.roi
        assert roi is not None
        watch.append(TruthWatch(world_of(core), scope, ChipRegion(roi.y, roi.x, roi.height, roi.width)))

    return prepare


def _errors(run: LiveRun, watch: list[TruthWatch]) -> tuple[dict[str, float], Truth]:
    with run:
        run.start()
        run.end()
        dose, units = run.status.dose_j_cm2 or 0.0, max(run.status.series, 1)
        watch[0].close()
    latest = watch[0].latest
    assert latest is not None, "no image was compared in time"
    errors = {name: round(error, 4) for name, error in watch[0].errors.items()}
    # Of single frames, without the series that check them; with these it is more, the more often they are taken.
    exposures = units + PATTERNS * len(getattr(run, "checks", ()))
    return {
        **errors,
        "images": run.stats.images,
        "dose_of_an_image_j_cm2": round(dose / exposures, 4),
        "with_the_checks_j_cm2": round(dose / units, 4),
    }, latest


def _field(index: int) -> Place:
    return Place(x_um=APART_UM * (index % ROW), y_um=APART_UM * (index // ROW))


def _picture(setting: Setting, found: dict[str, Truth]) -> None:
    sim, single = found["SIM in nine times the light"], found["single frames"]
    same, other = found["SIM in the same light"], found["single frames of another kind"]
    panels = [
        ("widefield, one frame", single.result.widefield.numpy()),
        (f"DFCAN, one frame: {single.errors['sr']:.2f}", single.result.sr.numpy()),
        ("truth of it", single.image),
        (f"SIM, same light: {same.errors['sim']:.2f}", same.result.sr.numpy()),
        (f"SIM, 9 x light: {sim.errors['sim']:.2f}", sim.result.sr.numpy()),
        (f"another kind, DFCAN: {other.errors['sr']:.2f}", other.result.sr.numpy()),
        ("truth of it", other.image),
    ]
    side_um = setting.size * 0.065
    save_preview(setting.out / "single-frame.png", panels, (side_um, side_um))


def main() -> None:
    """Do all of it from the command line."""
    line = argparse.ArgumentParser(prog="python -m benchmarks.single_frame")
    line.add_argument("out", type=Path)
    for name, value in (("series", 30), ("steps", 4000), ("size", 128), ("frames", 12), ("every", 4), ("seed", 5)):
        line.add_argument(f"--{name}", type=int, default=value)
    line.add_argument("--photons", type=float, default=100.0)
    line.add_argument("--kind", default="filaments")
    line.add_argument("--other", default="rings")
    torch.set_num_threads(1)
    measured(Setting(**vars(line.parse_args())), lambda text: print(text, flush=True))


if __name__ == "__main__":
    main()
