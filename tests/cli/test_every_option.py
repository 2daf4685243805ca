"""Every verb, with every option that its help names, runs from end to end; none can be forgotten.

`RUNS` is the table: what a user types. The options of all verbs are read from the command itself, and each must be in
one of the runs of its verb.
"""

import contextlib
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from typer.main import get_command

from benchmarks.phasors import Eye, Points, seen
from rdl_live import specimen
from rdl_live.cli import app
from rdl_live.files import VolumeWriter, load_microscope
from rdl_live.files.recorder import Recorder
from rdl_live.train.loop.loop import Training
from rdl_live.train.simulated import evaluate
from rdl_models import Card, build, save_weights
from tests.cli.conftest import MICROSCOPE, Run
from tests.files.recorder.conftest import frame_at, layout_of, series, tag_at

SLOW = pytest.mark.slow
CONFIGS = Path(__file__).parents[2] / "configs"
SIDE = 64
NETWORKS: dict[str, dict[str, Any]] = {
    "object-plane": {"width": 8, "blocks": 1},
    "rdl-sim": {"width": 4, "generated_groups": 1, "noisy_groups": 1, "trunk_groups": 1, "blocks": 1},
    "dfcan": {"width": 4, "groups": 1, "blocks": 1, "window": 16, "residual": True},
    "care": {"width": 4, "kernel": 3, "probabilistic": True, "members": 2},
    "rcan3d": {"width": 4, "groups": 1, "blocks": 1, "relative": True, "cutoff": 1.0},
}


@dataclass(frozen=True)
class Case:
    """One run: what is typed, and what must be there afterwards."""

    line: str
    makes: tuple[str, ...] = ()
    says: str = ""
    code: int = 0


def runs(*cases: Case, slow: bool = False) -> list[Any]:
    return [pytest.param(one, id=one.line, marks=SLOW if slow else ()) for one in cases]


QUICK = "--steps 1 --size 32 --batch 1 --workers 0 --threads 1 --seed 2 --device cpu"
SEQUENCE = """\
axis_order: tpzc
channels: [{config: '488', exposure: 5}]
time_plan: {interval: 0, loops: 2}
z_plan: {range: 0.5, step: 0.5}
stage_positions: [{x: 0, y: 0}, {x: 3, y: 0}]
"""
CARE = "--steps 1 --batch 1 --threads 1 --seed 2 --device cpu --network width=2 --size 16"
TINY = "--network width=8 --network blocks=1"
FILM = "film.tif -m M.yaml --out T.safetensors --steps 2 --threads 1 --workers 0 --seed 3 --device cpu --force"
READING = "--order z-angle-phase --planes 9 --tiles 3x3 --position 0"
TIMES = "--order time-angle-phase --planes 1 --tiles 3x3 --position 0"
RUNS = [
    *runs(
        Case("simulate s.tif -m M.yaml", ("s.tif",)),
        Case("simulate s.tif --microscope M.yaml --size 64x72 --overwrite --channel red", ("s.tif",)),
        Case(
            "simulate s.tif -m M.yaml --specimen rings --photons 20 --size 64 --time-points 2 --interval 2 "
            "--saturation 0.5 --switching 0.1 --frame-time 0.01 --seed 3 --modulation 0.6 --phase-jitter 2 "
            "--flicker 0.02 --density 0.5 --haze 0.2 --background 0.1 --speed 0.05 --bleach-time 30 --truth t.tif "
            "--json p.json",
            ("s.tif", "t.tif", "p.json"),
        ),
        Case(
            "simulate s.tif -m M.yaml --size 64 --glow 0.2 --also beads --aggregates 0.1 --cell 0.7 --camera scmos "
            "--light usual --optics poor",
            ("s.tif",),
        ),
        Case("estimate raw.tif -m M.yaml --patterns film.tif", says="trusted"),
        Case("reconstruct raw.tif -m M.yaml --patterns film.tif", ("raw-sr.tif",)),
        Case("estimate raw.tif -m M.yaml", says="trusted"),
        Case("estimate raw.tif --microscope M.yaml --json --device cpu --channel green", says='"patterns"'),
        Case("reconstruct raw.tif -m M.yaml", ("raw-sr.tif",), "resolution"),
        Case(
            "reconstruct raw.tif --microscope M.yaml --out o.tif --report r.json --preview p.png --device cpu "
            "--channel green --wiener 0.1 --apodization triangle --attenuation 0.9 --workers 1 --overwrite",
            ("o.tif", "r.json", "p.png"),
        ),
        Case(f"estimate mosaics.tif -m M.yaml {READING}", says="trusted"),
        Case(f"reconstruct mosaics.tif -m M.yaml {READING}", ("mosaics-sr.tif",)),
        Case("reconstruct raw.tif -m M.yaml --denoise object-plane.safetensors", ("raw-sr.tif",)),
        Case("reconstruct raw.tif -m M.yaml --denoise rdl-sim.safetensors", ("raw-sr.tif",)),
        Case(
            "reconstruct film.tif -m M.yaml --denoise object-plane.safetensors --memory 2",
            ("film-sr.tif", "film-sr-worth.tif"),
        ),
        Case("reconstruct film.tif -m M.yaml --denoise object-plane.safetensors --no-memory", ("film-sr.tif",)),
        Case("restore raw.tif -m M.yaml --weights object-plane.safetensors --out o.tif --threads 1", ("o.tif",)),
        Case("restore raw.tif -m M.yaml --weights rdl-sim.safetensors --out o.tif --threads 1", ("o.tif",)),
        Case("restore image.tif -m M.yaml --weights dfcan.safetensors --out o.tif", ("o.tif",)),
        Case(
            "restore image.tif --weights care.safetensors --out o.ome.tif --threads 1",
            ("o.ome.tif", "o-sigma.ome.tif", "o-disagreement.ome.tif", "o-report.json"),
            says="o-report.json",
        ),
        Case("restore stacks.tif --weights care.safetensors --out o.tif --report r.json", ("o.tif", "r.json")),
        Case(f"restore mosaics.tif -m M.yaml --weights object-plane.safetensors --out o.tif {READING}", ("o.tif",)),
        Case(
            "restore stacks.tif --microscope M.yaml --weights rcan3d.safetensors --out o.tif --planes 6 "
            "--channel green --device cpu --threads 1 --overwrite",
            ("o.tif",),
        ),
        Case("acquire plan.yaml -m configs/demo.yaml --out d.ome.zarr --dry-run", says="dose"),
        Case("acquire plan.yaml --microscope configs/demo.yaml --out c.ome.zarr --overwrite", ("c.ome.zarr",)),
        Case(
            "acquire sequence.yaml --power 20 --microscope configs/demo-widefield.yaml --out w.ome.zarr",
            ("w.ome.zarr",),
            says="8 whole series",
        ),
        Case("verify cells.ome.zarr", says="all is well"),
        Case("verify cells.ome.zarr --json", says='"ok": true'),
        Case("recover cells.ome.zarr", says="in order"),
        Case("recover cells.ome.zarr --json", says='"raw_frames"'),
        Case("export cells.ome.zarr c.ome.tif", ("c-p0.ome.tif", "c-p1.ome.tif")),
        Case("export cells.ome.zarr c.ome.tif --channel b --position 1 --z 0 --overwrite", ("c.ome.tif",)),
        Case("calibrate camera --dark dark.tif --flat flat.tif --out cal", ("cal/camera.yaml", "cal/report.json")),
        Case("calibrate camera --dark dark.tif --flat flat.tif --out cal --overwrite", ("cal/camera.yaml",)),
        Case(
            "calibrate camera --dark dark.tif --flat flat.tif --out cal --tiles 2x2 --position 0 --channel 0",
            ("cal/camera.yaml",),
        ),
        Case(
            "calibrate offset film.tif --microscope M.yaml --out offset.tif --channel green --overwrite",
            ("offset.tif",),
        ),
        Case("calibrate otf beads.tif -m M.yaml --out otf.yaml", ("otf.yaml", "otf.mrc"), says="otf_damping"),
        Case(
            "calibrate otf beads.tif --microscope M.yaml --out otf.yaml --channel green --bead-um 0.04 --plain "
            "--overwrite",
            ("otf.yaml",),
        ),
        Case(f"calibrate otf bead-mosaics.tif -m M.yaml --out otf.yaml {TIMES}", ("otf.yaml",), says="otf_damping"),
        Case("calibrate otf bead-mosaics.tif -m M.yaml --out otf.yaml --plain --tiles 3x3 --position 0", ("otf.yaml",)),
        Case(f"calibrate offset mosaics.tif -m M.yaml --out offset.tif {READING}", ("offset.tif",)),
        Case("data list", says="recording"),
        Case("data add raw.tif -m M.yaml", ("catalogue.json",)),
        Case("data add raw.tif film.tif --microscope M.yaml --catalogue d.json --channel green", ("d.json",)),
        Case(f"data add mosaics.tif -m M.yaml {TIMES}", ("catalogue.json",)),
        Case("data list --catalogue known.json", says="raw.tif"),
        Case("data show raw.tif --catalogue known.json", says='"photons_per_pixel"'),
        Case("models list", says="rdl"),
        Case("models show rdl", says='"architecture"'),
        Case("models path rdl", says="rdl.safetensors"),
        Case("models import mine.zip", ("mine.safetensors",)),
        Case("models import mine.zip --out again.safetensors --overwrite", ("again.safetensors",)),
        Case("doctor", says="Everything"),
        Case("doctor --json", says='"checks"'),
        Case(f"train denoise --out w.safetensors {QUICK}", ("w.safetensors",)),
        Case(
            f"train denoise --out w.safetensors {QUICK} {TINY} --phases 3 --full --learning-rate 1e-3 --overwrite "
            "--minutes 1",
            ("w.safetensors",),
        ),
        Case(
            f"train denoise --out w.safetensors {QUICK} --half --from one-scale.safetensors --grow",
            ("w.safetensors",),
        ),
        Case(f"train denoise --out w.safetensors {QUICK} --from rdl --error-only", ("w.safetensors",)),
        Case(f"train denoise --out w.safetensors {QUICK} {TINY} --resume --steps 2", ("w.safetensors",)),
        Case(
            f"train sr --out w.safetensors {QUICK} --network width=4 --network groups=1 --resume --steps 2",
            ("w.safetensors",),
        ),
        Case(
            f"train denoise --out w.safetensors --architecture rdl-sim {QUICK} --network width=4 --network blocks=1",
            ("w.safetensors",),
        ),
        Case(f"train sr --out w.safetensors {QUICK} --network width=4 --network groups=1", ("w.safetensors",)),
        Case(
            f"train sr --out w.safetensors {QUICK} --frames 9 --network width=4 --network groups=1 --full "
            "--learning-rate 1e-3 --minutes 1 --overwrite",
            ("w.safetensors",),
        ),
        Case(f"train sr --out w.safetensors {QUICK} --from dfcan.safetensors --half", ("w.safetensors",)),
        Case(f"train sr --out w.safetensors {QUICK} --from dfcan.safetensors --error-only", ("w.safetensors",)),
        Case(
            f"train sr --out w.safetensors {QUICK} --architecture srcnn --published --factor 3",
            ("w.safetensors", "w-preview.png"),
        ),
        Case(
            f"train sr --out w.safetensors {QUICK} --architecture srcnn --pairs pairs --microscope M.yaml",
            ("w.safetensors", "w-preview.png"),
        ),
        Case(f"train care --out w.safetensors {CARE}", ("w.safetensors", "w-preview.png"), says="wrote"),
        Case(
            f"train care --low dim --high bright --out w.safetensors {CARE} --network depth=1 --loss mse "
            "--percentiles 1 99.9 --patience 2 --minutes 1 --channel 0 --overwrite",
            ("w.safetensors",),
        ),
        Case(f"train care --out w.safetensors {CARE} --resume --steps 2", ("w.safetensors",)),
        Case(
            f"train care --out w.safetensors {CARE} --modality confocal --structure tubes --photons 2 20 --ensemble 2",
            ("w.safetensors",),
            says="--probabilistic",
        ),
        Case(
            f"train isotropic stacks.tif --planes 6 --z-step 0.4 --pixel 0.08 --out w.safetensors {CARE} "
            "--axial-um 0.5",
            ("w.safetensors",),
        ),
        Case(
            f"train deconvolution --microscope M.yaml --structure tubes --out w.safetensors {CARE}", ("w.safetensors",)
        ),
        Case(
            f"train sr mosaics.tif -m M.yaml {TIMES} --out w.safetensors {QUICK} --architecture srcnn",
            ("w.safetensors",),
        ),
        Case(
            f"train sr film.tif -m M.yaml --channel green --out w.safetensors {QUICK} --architecture srcnn",
            ("w.safetensors", "w-preview.png"),
        ),
    ),
    *runs(  # demos, trainings and comparisons of many seconds; each verb has a fast test in this folder
        Case("demo --headless --seconds 3 --size 64 --out d --no-memory", ("d/report.json", "d/preview.png")),
        Case(
            "demo --headless --seconds 6 --size 64 --out d --photons 50 --denoise none --specimen beads --seed 4 "
            "--camera emccd --overwrite",
            ("d/report.json", "d/preview.png"),
        ),
        Case(
            "demo --headless --seconds 3 --size 64 --out d --modality single-frame --denoise dfcan.safetensors",
            ("d/report.json", "d/preview.png", "d/checks.ome.zarr"),
        ),
        Case(
            "demo --headless --seconds 20 --size 128 --photons 50 --out d --denoise none --illumination TIRF,GI",
            ("d/preview.png",),
        ),
        Case("demo --headless", ("demo-out/report.json", "demo-out/preview.png")),
        Case("reconstruct film.tif -m M.yaml --cluster local:1", ("film-sr.tif",)),
        Case("restore image.tif --weights care.safetensors --out o.tif --cluster local:1", ("o.tif", "o-sigma.tif")),
        Case("compare film.tif -m M.yaml --models none,rdl", ("film-compare.html",)),
        Case(
            "compare film.tif --microscope M.yaml --models rdl,object-plane.safetensors --out c.html --json c.json "
            "--channel green --threads 1 --overwrite --patterns raw.tif",
            ("c.html", "c.json"),
        ),
        Case(f"compare mosaics.tif -m M.yaml --models none,rdl {TIMES}", ("mosaics-compare.html",)),
        Case(
            "assess --models dfcan.safetensors --out m --quick --threads 1 --overwrite",
            ("m/matrix.json", "m/matrix.html"),
        ),
        Case("assess --models dfcan.safetensors --out m --data pairs --microscope M.yaml", code=2),
        Case("models export object-plane.safetensors --out p.zip", ("p.zip",)),
        Case("models export care.safetensors --out p.zip", ("p.zip",)),
        Case("models export rdl --out p.zip --author Me --license MIT --overwrite", ("p.zip",)),
        Case("train denoise --out w.safetensors --steps 1", ("w.safetensors",)),
        Case("train denoise --architecture rdl-sim --out w.safetensors --steps 1", ("w.safetensors",)),
        Case("train sr --out w.safetensors --steps 1", ("w.safetensors",)),
        Case(
            f"train care --volume --planes 6 --low deep --high deeper --out w.safetensors {CARE} --patch-planes 4 "
            "--probabilistic --published --learning-rate 1e-4",
            ("w.safetensors",),
        ),
        *(
            Case(
                f"train {verb} --out w.safetensors {CARE} --probabilistic --ensemble 2 --percentiles 1 99 "
                f"--patience 3 --published --learning-rate 1e-4 --minutes 1 --overwrite {more}",
                ("w.safetensors",),
            )
            for verb, more in (
                ("isotropic stacks.tif", "--planes 6 --z-step 0.4 --pixel 0.08 --channel 0"),
                ("deconvolution", "-m M.yaml --channel green --photons 5 50"),
            )
        ),
        *(
            Case(f"train {verb} --out w.safetensors {CARE} --loss mse --resume --steps 2", ("w.safetensors",))
            for verb in (
                "isotropic stacks.tif --planes 6 --z-step 0.4 --pixel 0.08",
                "deconvolution -m M.yaml",
            )
        ),
        *(
            Case(f"train {verb} {FILM}{more}", code=3)  # two steps help nothing, and it says so
            for verb in ("tis", "split", "auto")
            for more in (" --minutes 1 --from rdl --channel green --overwrite --patterns raw.tif", " --resume")
        ),
        *(
            Case(f"train {verb} mosaics{FILM.removeprefix('film')} {TIMES}", code=3)
            for verb in ("tis", "split", "auto")
        ),
        *(
            Case(
                f"train {verb} stacks.tif --microscope M.yaml --out V.safetensors --steps 2 --threads 1 --planes 6"
                f"{more}",
                code=code,
            )
            for verb, more, code in (  # of noise alone, a plane helps its neighbour to forget it; of weights no more
                ("sis", " --minutes 1 --force --overwrite --device cpu --seed 2 --workers 0 --channel green", 0),
                ("sis", " --force --from rcan3d.safetensors --resume", 3),
                ("tis", " --volume --from rcan3d.safetensors", 3),
                ("auto", " --volume", 3),
            )
        ),
        slow=True,
    ),
]
ELSEWHERE = {
    "live": {"--microscope", "--folder", "--denoise", "--no-memory"},  # test_windows_end_at_ctrl_c
    "open": {"--microscope", "--order", "--planes", "--tiles", "--position", "--channel"},  # the same
    "train denoise": {"--tensorboard"},  # an extra package; see tests/train/test_published.py
    "train sr": {"--tensorboard"},
    "train care": {"--tensorboard"},
    "train isotropic": {"--tensorboard"},
    "train deconvolution": {"--tensorboard"},
    "train split": {"--volume", "--planes"},  # refused, see tests/cli/test_learn.py
    "train sis": {"--volume", "--patterns", "--order", "--position", "--tiles"},  # implied; the others are refused
}
"""Options that no line above has, and where they are covered instead."""


def verbs() -> Iterator[tuple[str, Any]]:
    """Give every command with its full name."""

    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        if hasattr(command, "commands"):
            for name, one in command.commands.items():
                yield from walk(one, (*path, name))
        else:
            yield " ".join(path), command

    yield from walk(get_command(app), ())


VERBS = dict(verbs())


def verb_of(line: str) -> str:
    """Return the verb that a line calls."""
    words = line.split()
    return next(name for name in (" ".join(words[:2]), words[0]) if name in VERBS)


def test_no_verb_and_no_option_is_forgotten() -> None:
    typed: dict[str, set[str]] = {}
    for one in RUNS:
        line = one.values[0].line
        typed.setdefault(verb_of(line), set()).update(word for word in line.split() if word.startswith("-"))
    assert set(VERBS) == set(typed) | {"live", "open"}
    forgotten = {}
    for name, command in VERBS.items():
        # "-m" is "--microscope"; "--full" is not "--half".
        spellings = [names for one in command.params for names in (one.opts, one.secondary_opts)]
        options = [{word for word in names if word.startswith("-")} for names in spellings]
        known = typed.get(name, set()) | ELSEWHERE.get(name, set()) | {"--help"}
        if missing := sorted(min(names) for names in options if names and not names & known):
            forgotten[name] = missing
    assert forgotten == {}


@pytest.mark.parametrize("name", VERBS)
def test_help_speaks_of_files_and_numbers_and_not_of_types(run: Run, name: str) -> None:
    shown = run(*name.split(), "--help")
    assert shown.code == 0
    assert "Usage: rdl-live " + name in shown.words
    assert "MicroscopeFile" not in shown.words
    assert not any(word in shown.words for word in ("<list", "<bool", "<int", "<str", "<float", "<path", "Path]"))
    assert run(*name.split(), "-h").out == shown.out


def weight_file(architecture: str, sizes: dict[str, Any], path: Path) -> None:
    torch.manual_seed(1)
    network = build(architecture, sizes)
    card = Card(
        name=architecture,
        architecture=architecture,
        config=vars(network.config),
        trained_on={},
        steps=7,
        minutes=0.1,
    )
    save_weights(path, network, card)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that the runs read, made once."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "M.yaml").write_text(MICROSCOPE, encoding="utf-8")
    shutil.copytree(CONFIGS, folder / "configs")
    scope = load_microscope(folder / "M.yaml")
    settings = specimen.SpecimenSettings(kind="filaments", seed=5)
    film = specimen.simulate(scope, settings, photons=100.0, shape=(SIDE, SIDE), time_points=9, seed=2, upsample=2)
    frames = np.stack([one.adu.numpy() for one in film])
    tifffile.imwrite(folder / "film.tif", frames.reshape(-1, SIDE, SIDE))
    mosaics = frames.swapaxes(2, 3).reshape(9, 3 * SIDE, 3 * SIDE)
    tifffile.imwrite(folder / "mosaics.tif", mosaics, photometric="minisblack")
    tifffile.imwrite(folder / "raw.tif", frames[0].reshape(-1, SIDE, SIDE))
    tifffile.imwrite(folder / "image.tif", frames[0].mean(axis=(0, 1)).round().astype(np.uint16))
    for kind, side in (("input", 48), ("target", 96)):
        (folder / "pairs" / kind).mkdir(parents=True)
        for name in ("a", "b"):
            tifffile.imwrite(folder / "pairs" / kind / f"{name}.tif", np.full((side, side), 150, np.uint16))
    rng = np.random.default_rng(1)
    for kind, light in (("dim", 4), ("bright", 400)):
        (folder / kind).mkdir()
        for name in ("a", "b"):
            shown = np.random.default_rng(ord(name)).gamma(1.0, light, (12, 12)).repeat(4, 0).repeat(4, 1)
            tifffile.imwrite(folder / kind / f"{name}.tif", rng.poisson(shown).astype(np.uint16))
    for kind, light in (("deep", 4), ("deeper", 400)):
        (folder / kind).mkdir()
        for name in ("a", "b"):
            shown = np.random.default_rng(ord(name)).gamma(1.0, light, (6, 12, 12)).repeat(4, 1).repeat(4, 2)
            tifffile.imwrite(folder / kind / f"{name}.tif", rng.poisson(shown).astype(np.uint16))
    with VolumeWriter(folder / "stacks.tif", (4, 6, 40, 40), 0.08, "green", dtype=np.uint16) as writer:
        for _ in range(4):
            writer.write(rng.poisson(20, (6, 40, 40)) + 100)
    points = 22.5 + 26 * np.mgrid[0:5, 0:5].reshape(2, -1).T + rng.uniform(0, 1, (25, 2))
    beads = seen(Points(0.08 * points, np.ones(25)), np.full(25, 9000.0), Eye(1.3, 0.525, 0.08, 0.05), 150)
    exposed = (2 * rng.poisson(beads.clip(0) + 1, (9, 150, 150)) + 100).astype(np.uint16)
    tifffile.imwrite(folder / "beads.tif", exposed)
    mosaic = exposed.reshape(3, 3, 150, 150).swapaxes(1, 2).reshape(1, 450, 450)
    tifffile.imwrite(folder / "bead-mosaics.tif", mosaic, photometric="minisblack")
    tifffile.imwrite(folder / "dark.tif", rng.normal(100, 3, (100, 24, 24)).round().astype(np.uint16))
    tifffile.imwrite(folder / "flat.tif", (2 * rng.poisson(400, (100, 24, 24)) + 100).astype(np.uint16))
    with Recorder(folder / "cells.ome.zarr", layout_of(channels=("a", "b"), positions=2)) as recorder:
        for position, channel in np.ndindex(2, 2):
            for place in series(0, 1):
                recorder.append(
                    frame_at(*place, channel, 0, position), tag_at(*place, channel=channel, position=position)
                )
    plan = "name: short\nchannels:\n  - {name: '488', power_percent: 50, exposure_ms: 5}\ntime: {points: 2}\n"
    (folder / "plan.yaml").write_text(plan + "roi: {x: 224, y: 224, width: 64, height: 64}\n", encoding="utf-8")
    (folder / "sequence.yaml").write_text(SEQUENCE, encoding="utf-8")
    for architecture in NETWORKS:
        weight_file(architecture, NETWORKS[architecture], folder / f"{architecture}.safetensors")
    weight_file("object-plane", {}, folder / "one-scale.safetensors")
    return folder


@pytest.fixture
def place(bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a copy of the bench, with trainings that score one scene."""
    shutil.copytree(bench, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(evaluate.held_out_scores, "__kwdefaults__", {"levels": (5.0,), "count": 1, "device": "cpu"})
    return tmp_path


BEFORE = {
    "data list --catalogue known.json": "data add raw.tif -m M.yaml --catalogue known.json",
    "data show raw.tif --catalogue known.json": "data add raw.tif -m M.yaml --catalogue known.json",
}
"""What must have been typed before."""


@pytest.mark.parametrize("case", RUNS)
def test_what_a_user_types_runs(run: Run, place: Path, case: Case) -> None:
    if "import" in case.line:
        pytest.importorskip("bioimageio.spec")
        assert run("models", "export", "object-plane.safetensors", "--out", "mine.zip").code == 0
        if "--out" not in case.line:
            Path("object-plane.safetensors").unlink()
            case = Case(case.line, ("object-plane.safetensors",))
    if "export" in case.line.split()[:2] and "models" in case.line:
        pytest.importorskip("bioimageio.spec")
    if "--cluster" in case.line:
        pytest.importorskip("distributed")
    if "--resume" in case.line:
        interrupted(run, case.line.replace(" --resume", ""))
    if case.line in BEFORE:
        assert run(*BEFORE[case.line].split()).code == 0
    done = run(*case.line.split())
    assert done.code == case.code, done.words
    assert "Traceback" not in done.words
    assert case.says in done.words
    for name in case.makes:
        assert (place / name).exists(), name


def interrupted(run: Run, line: str) -> None:
    """Run a training of two steps until its first, as Ctrl-C would leave it."""
    whole = Training.run

    def one_step(self: Training[Any]) -> Iterator[Any]:
        steps = whole(self)
        yield next(steps)
        steps.close()
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "run", one_step)
        with contextlib.suppress(KeyboardInterrupt):
            run(*line.split())
    assert list(Path().glob("*.checkpoint"))


MICROSCOPES = sorted(path.name for path in CONFIGS.glob("*.yaml") if "\noptics:" in path.read_text(encoding="utf-8"))
PLANS = {
    "plan-demo.yaml": ("demo.yaml", "mm-demo.yaml"),
    "plan-collect.yaml": ("demo.yaml",),
    "plan-multicolour.yaml": ("demo-multicolour.yaml",),
    "demo-timelapse.yaml": ("demo.yaml",),
    "plan-tirf.yaml": ("demo-tirf.yaml",),
}


def test_every_verb_that_is_named_is_there() -> None:
    """In messages, help, README and docs: a message once named a verb that had got another name."""
    root = CONFIGS.parent
    sources = [*root.glob("*.md"), *root.glob("docs/*.md"), *root.glob("rdl_live/**/*.py"), *CONFIGS.glob("*.yaml")]
    # With something after it that only a command has; else it may be a sentence ("rdl-live warns").
    called = re.compile(r"rdl-live ([a-z]+)(?= (?:--?[a-z]|[A-Z]{2,}|[\w/]+\.[a-z]))")
    named = {verb for path in sources for verb in called.findall(path.read_text(encoding="utf-8"))}
    assert {"reconstruct", "restore", "train"} & named
    assert named <= {name.split()[0] for name in VERBS}


def test_every_file_in_configs_is_tried() -> None:
    assert {path.name for path in CONFIGS.glob("*.yaml")} == {*MICROSCOPES, *PLANS}
    assert {path.name for path in CONFIGS.glob("*.cfg")} == {
        "demo.cfg",
        "demo-tirf.cfg",
        "demo-widefield.cfg",
        "mm-demo.cfg",
    }


@pytest.mark.parametrize("name", MICROSCOPES)
def test_every_microscope_in_configs_images(run: Run, place: Path, name: str) -> None:
    scope = f"configs/{name}"
    assert run("simulate", "s.tif", "-m", scope, "--size", 64, "--photons", 500).code == 0
    if "\nmodality: widefield" in (CONFIGS / name).read_text(encoding="utf-8"):  # has no patterns to be found
        made = run("reconstruct", "s.tif", "-m", scope, "--out", "W.tif")
        assert made.code == 0, made.words
        assert (place / "W.tif").is_file()
        return
    estimated = run("estimate", "s.tif", "-m", scope)
    assert estimated.code == 0, estimated.words
    assert "not trusted" not in estimated.words
    assert (place / "s.tif").is_file()


@pytest.mark.parametrize(("plan", "scope"), [(plan, one) for plan, scopes in PLANS.items() for one in scopes])
def test_every_plan_in_configs_is_possible(run: Run, place: Path, plan: str, scope: str) -> None:
    pytest.importorskip("pymmcore_plus")
    if scope.startswith("mm-"):
        pytest.importorskip("mm_test_adapters")
    done = run("acquire", f"configs/{plan}", "-m", f"configs/{scope}", "--out", "x.ome.zarr", "--dry-run")
    assert done.code == 0, done.words
    assert "series" in done.words
    assert not (place / "x.ome.zarr").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "open film.tif -m M.yaml",
        f"open mosaics.tif -m M.yaml {READING.removesuffix(' --position 0')}",
        "open cells.ome.zarr --microscope configs/demo.yaml",
        "live -m configs/demo.yaml --folder .",
        "live --microscope configs/demo.yaml --denoise none --no-memory",
    ],
)
def test_windows_end_at_ctrl_c(place: Path, line: str) -> None:
    pytest.importorskip("qtpy")
    process = subprocess.Popen(
        [sys.executable, "-m", "rdl_live", *line.split()], cwd=place, stderr=subprocess.PIPE, text=True
    )
    try:
        time.sleep(15.0)
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=240)
    finally:
        process.kill()
    assert process.returncode == 130, told
    assert "Traceback" not in told
