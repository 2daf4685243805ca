"""What each part of the denoisers is worth: `python -m benchmarks.ablations --minutes M`.

Each variant is trained for the same time, on one thread, on the same stream of scenes, and scored on kinds of specimen
and light that it was not trained on: error of the SR image relative to that of a textbook Wiener that is told the true
pattern, and relative to no denoising. Patterns are estimated from the noisy series. See docs/ablations.md.
"""

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from benchmarks.denoise import cell
from benchmarks.score import nrmse
from benchmarks.textbook import best_textbook
from rdl_live.optics import Microscope, Otf, PatternSet, Reconstructor, estimate_patterns, to_photons
from rdl_live.optics.reconstruct import Apodization
from rdl_live.optics.reconstruct.apodization import apodization
from rdl_live.optics.reconstruct.bands import BandTransform
from rdl_live.optics.reconstruct.plan import build_geometry, with_excess
from rdl_live.optics.series_noise import series_noise
from rdl_live.restore.evidence import Evidence, measured
from rdl_live.restore.fusion import fused_spectrum, rings_of
from rdl_live.restore.inputs import ask
from rdl_live.restore.raw_frames import RawFrames
from rdl_live.restore.sampling import image_on, spectrum_of
from rdl_live.train import SceneSettings, Training, TrainSettings
from rdl_live.train.loop.processes import Processes
from rdl_live.train.simulated.loss import Judged, judge
from rdl_live.train.simulated.run import maker
from rdl_live.train.simulated.scene import Batch
from rdl_live.train.simulated.task import AnyScene, source_of
from rdl_live.train.simulated.trainer import SimulatedTask
from rdl_live.train.simulated.window import SceneWindow
from rdl_models import ObjectPlane, RdlSim
from rdl_models.object_plane import SHIPPED

KINDS = ("reticulum", "mixed")
"""Never trained on."""
LEVELS = (2.0, 5.0, 20.0, 1000.0)
SEEDS = (90,)
SIZE = 96
SCENE_PX = 64
"""Raw pixels of the training scenes."""
SMALL = {"width": 16, "generated_groups": 1, "noisy_groups": 1, "trunk_groups": 1, "blocks": 2}
"""A raw-frame network that makes a few steps a second on one CPU thread."""
SCENES = 384
"""Simulated before the clock starts and the same for all variants; each is recorded at three light levels."""


@dataclass(frozen=True)
class Variant:
    """One row of the table."""

    name: str
    label: str
    settings: TrainSettings
    consistent: bool = True
    """Whether the network's image is weighed against the data in the end."""
    steps: int = 1
    """Rounds of network and data consistency: 2 is unrolled once."""
    weights_of: str | None = None
    """Use what this variant has learnt instead of training anew."""


@dataclass(frozen=True)
class Outcome:
    """What a variant scored."""

    name: str
    label: str
    parameters: int
    steps: int
    minutes: float
    textbook: dict[float, float]
    """Error / that of the textbook, by photons a pixel."""
    plain: dict[float, float]
    """Error / that of no denoising."""


def variants(minutes: float) -> list[Variant]:
    """Return all variants; each is trained for `minutes`."""
    scenes = SceneSettings(size=SCENE_PX, exposures=3, angles=(3,), phases=(3,))
    common = {"minutes": minutes, "batch": 1, "workers": 0, "window": SCENES, "warmup": 0.1, "half_precision": False}
    ours = TrainSettings.model_validate({**common, "batch": 4, "scenes": scenes})
    raw = TrainSettings.model_validate(
        {**common, "architecture": "rdl-sim", "network": SMALL, "learning_rate": 5e-4, "scenes": scenes}
    )

    def with_network(**changes: int | float | bool) -> TrainSettings:
        return raw.replace(network={**SMALL, **changes})

    published = raw.replace(
        network={"fnsm": True, "relative": True, "cutoff": 1.0, "residual": False},
        learning_rate=1e-4,
        scenes=scenes.replace(prior_grid=1),
    )
    made_right = raw.replace(network={}, learning_rate=1e-4)
    return [
        Variant("raw", "raw-frame network, prior on the 2x grid, FNSM (the base of a to c)", raw),
        Variant("a", "a: without pattern-modulated input", with_network(generated_groups=0)),
        Variant("b", "b: without FNSM", with_network(fnsm=False)),
        Variant("c", "c: prior on the 1x grid", raw.replace(scenes=scenes.replace(prior_grid=1))),
        Variant("d", "d: object-plane network (ours)", ours),
        Variant("d-fine", "d: the same on the SR grid, not on its own", ours.replace(network=_shipped(sampling=0.0))),
        Variant("e-raw", "e: raw-frame network without data consistency", raw, consistent=False, weights_of="raw"),
        Variant("e", "e: object-plane network without data consistency", ours, consistent=False, weights_of="d"),
        Variant("f", "f: object-plane network, two steps (unrolled)", ours, steps=2),
        Variant("g", "g: published size and flow, prior 1x, no data consistency", published, consistent=False),
        Variant("g-right", "g: published size, flow made right", made_right),
    ]


def _shipped(**changes: int | float | bool) -> dict[str, int | float | bool]:
    """Return the shipped network's configuration with changes."""
    return {**vars(SHIPPED), **changes}


class Unrolled(nn.Module):
    """The object-plane network applied twice with its own weights for each step, data consistency in between."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = ObjectPlane(), ObjectPlane()

    def forward(self, evidence: Evidence, rings: Tensor, inputs: Tensor) -> Tensor:
        """Return the image after both steps, before the last consistency, (n, y, x)."""
        image = self.first(inputs)
        spectrum = fused_spectrum(evidence, spectrum_of(image, evidence.grid), rings)
        fused = image_on(spectrum, evidence.grid, (image.shape[-2], image.shape[-1]))
        # The middle input is what the network starts from; now it is what the first step made of it.
        again = torch.stack([inputs[:, 0], fused, inputs[:, 2], inputs[:, 3]], dim=1)
        result: Tensor = self.second(again)
        return result


class _Bound(nn.Module):
    """An `Unrolled` with its evidence: a network of inputs alone, as the loss wants it."""

    def __init__(self, network: Unrolled, evidence: Evidence) -> None:
        super().__init__()
        self._network, self._evidence = network, evidence
        self._rings = rings_of(*evidence.matched.shape[-2:], device=evidence.matched.device)

    @property
    def sampling(self) -> float:
        """That of both steps."""
        return self._network.first.sampling

    def forward(self, inputs: Tensor) -> Tensor:
        image: Tensor = self._network(self._evidence, self._rings, inputs)
        return image


def judge_unrolled(network: nn.Module, batch: Batch, *, half: bool = False) -> Judged:
    """Judge an `Unrolled` like an object-plane network."""
    if not isinstance(network, Unrolled):
        raise TypeError(f"an unrolled network is needed, got {type(network).__name__}")
    # One by one: data consistency in between needs the evidence of just what is shown.
    judged = []
    for index in range(len(batch.truth)):
        own = Batch(batch.evidence.one(index), batch.truth[index : index + 1], batch.photons[index : index + 1])
        judged.append(judge(_Bound(network, own.evidence), own, half=half))
    return Judged(
        torch.stack([one.loss for one in judged]).mean(),
        *(torch.cat([getattr(one, name) for one in judged]) for name in ("ratio", "shown", "fused", "truth")),
    )


@dataclass(frozen=True)
class Case:
    """A held-out series and what it is compared with."""

    scope: Microscope
    adu: Tensor
    patterns: PatternSet
    truth: Tensor
    textbook: float
    plain: float
    photons: float


def cases(levels: Sequence[float], kinds: Sequence[str], seeds: Sequence[int], size: int) -> list[Case]:
    """Return the held-out series."""
    found = []
    for kind in kinds:
        for level in levels:
            for seed in seeds:
                scene = cell(kind, level, size, seed)
                patterns = estimate_patterns(scene.adu, scene.scope)
                truth = torch.from_numpy(scene.truth)
                _, _, textbook = best_textbook(scene.photons, scene.otf, scene.patterns, truth.double().numpy())
                plain = nrmse(Reconstructor(scene.scope, patterns, (size, size))(scene.adu).numpy(), scene.truth)
                adu = torch.from_numpy(scene.adu.astype("float32"))
                found.append(Case(scene.scope, adu, patterns, truth, textbook, plain, level))
    return found


def _asked(network: nn.Module, relative: Evidence) -> nn.Module:
    return _Bound(network, relative) if isinstance(network, Unrolled) else network


@torch.no_grad()
def restored(network: nn.Module, case: Case, variant: Variant) -> Tensor:
    """Return the SR image (2y, 2x) of a case."""
    shape, read = (case.adu.shape[-2], case.adu.shape[-1]), case.scope.camera.read_noise_e
    geometry = build_geometry(Otf.of(case.scope), case.patterns, shape, factor=case.scope.pattern.sr_factor)
    transform = BandTransform(geometry, case.scope.camera, None)
    target = apodization(Apodization.OTF, geometry.radius(), geometry.cutoff)
    photons = to_photons(case.adu[None], case.scope.camera)
    geometry = with_excess(geometry, series_noise(photons, geometry.otf, read).excess)
    evidence = measured(transform, geometry, target, case.adu[None], photons, read)
    relative, mean = evidence.relative(), evidence.photons[:, None, None]
    rings = rings_of(*geometry.sr_spectrum)
    if isinstance(network, RdlSim):
        grid = variant.settings.scenes.prior_grid
        frames = RawFrames(network, geometry, case.patterns, target, read_variance=read**2, grid=grid)
        image = frames.estimate(photons, evidence, evidence.wiener()) / mean
    else:
        image = relative.image(ask(_asked(network, relative), relative).spectrum)
    if variant.consistent:
        image = relative.image(fused_spectrum(relative, torch.fft.rfft2(image), rings))
    rows, columns = case.truth.shape
    return (image * mean)[0, :rows, :columns]


class Stream(SceneWindow):
    """Batches of scenes that are there already, over and over."""

    def __init__(self, settings: TrainSettings, scenes: Sequence[AnyScene]) -> None:
        super().__init__(settings)
        self._made = scenes

    def _scene(self, number: int) -> AnyScene:
        return self._made[number % len(self._made)]


class AblationTask(SimulatedTask):
    """Trains on a `Stream`."""

    def __init__(self, variant: Variant, scenes: Sequence[AnyScene]) -> None:
        twice = variant.steps == 2
        super().__init__(Unrolled if twice else maker(variant.settings), variant.settings)
        self._stream = Stream(variant.settings, scenes)
        if twice:
            self._judge = judge_unrolled

    @contextmanager
    def batches(self, _processes: Processes) -> Iterator[Callable[[int], Any]]:
        """Of the stream."""
        with self._stream as stream:
            yield stream.batch


@cache
def scenes_of(architecture: str, scenes: SceneSettings) -> list[AnyScene]:
    """Simulate what is trained on."""
    return [source_of(architecture).make_scene(1, index, scenes) for index in range(SCENES)]


def train(variant: Variant, watch: Callable[[str], None]) -> tuple[nn.Module, int, float]:
    """Train a variant; return its averaged network, steps and minutes."""
    task = AblationTask(variant, scenes_of(variant.settings.architecture, variant.settings.scenes))
    # What counts is the time that this process computes, whoever else is on the machine.
    training = Training(task, clock=time.process_time)
    mean, shown = 1.0, time.monotonic()
    for step in training.run():
        mean += (step.gain - mean) / min(step.number, 50)
        if time.monotonic() - shown > 20:
            watch(f"{variant.name}: {100 * step.done:.0f} %  step {step.number}  {mean:.3f}")
            shown = time.monotonic()
    return training.average, training.state.step, training.state.seconds / 60


def score(variant: Variant, trained: tuple[nn.Module, int, float], found: Sequence[Case]) -> Outcome:
    """Compare a variant's images with the truth."""
    network, steps, minutes = trained
    errors = [nrmse(restored(network, case, variant).numpy(), case.truth.numpy()) for case in found]

    def ratios(reference: Callable[[Case], float]) -> dict[float, float]:
        levels = sorted({case.photons for case in found})
        return {
            level: math.exp(
                statistics.fmean(
                    math.log(error / reference(case))
                    for case, error in zip(found, errors, strict=True)
                    if case.photons == level
                )
            )
            for level in levels
        }

    parameters = sum(one.numel() for one in network.parameters())
    return Outcome(
        variant.name,
        variant.label,
        parameters,
        steps,
        minutes,
        ratios(lambda case: case.textbook),
        ratios(lambda case: case.plain),
    )


def table(found: Sequence[Outcome]) -> Table:
    """Return what was found, to read."""
    levels = sorted(found[0].textbook)
    headings = [f"{level:g}" for level in levels]
    made = Table(
        "variant",
        "parameters",
        "steps",
        *(f"/ textbook {one}" for one in headings),
        *(f"/ none {one}" for one in headings),
    )
    for one in found:
        values = [*(one.textbook[level] for level in levels), *(one.plain[level] for level in levels)]
        made.add_row(one.label, str(one.parameters), str(one.steps), *(f"{value:.2f}" for value in values))
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, score, print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablations", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--minutes", type=float, default=6.0, help="processor time of each variant's training (default 6)"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these variants only")
    parser.add_argument("--levels", type=float, nargs="+", default=list(LEVELS), help="photons a pixel")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--size", type=int, default=SIZE, help="raw pixels of the held-out series (default 96)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write the figures there, after every variant")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    console = Console(width=160)
    found = cases(options.levels, options.kinds, options.seeds, options.size)
    networks: dict[str, tuple[nn.Module, int, float]] = {}
    outcomes: list[Outcome] = []
    for variant in variants(options.minutes):
        if options.only and variant.name not in options.only:
            continue
        source = variant.weights_of
        if source is None or source not in networks:
            networks[variant.name] = train(variant, console.log)
        outcomes.append(score(variant, networks[source if source in networks else variant.name], found))
        console.log(outcomes[-1])
        if options.json:
            options.json.write_text(json.dumps([asdict(one) for one in outcomes], indent=1), encoding="utf-8")
    console.print(table(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
