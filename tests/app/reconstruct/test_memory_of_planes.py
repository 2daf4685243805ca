"""Time-lapses are remembered by default: each plane has its own past, and the guards judge what is delivered."""

from pathlib import Path
from typing import cast

import numpy as np
import tifffile
from typer.testing import CliRunner

from rdl_live.app.reconstruct.judge import SeriesJudge
from rdl_live.app.reconstruct.machine import Machine, calibrate
from rdl_live.cli import app
from rdl_live.files import load_microscope
from rdl_live.optics.quality.in_step import SeriesVerdict
from rdl_live.restore import Restorer
from rdl_live.restore.memory import USUAL_MEMORY
from rdl_live.specimen import SpecimenSettings, simulate

SIDE, TIMES, PLANES = 96, 3, 2


def test_each_plane_gains_from_its_own_past_alone(root: Path, tmp_path: Path) -> None:
    """The planes show different specimens that are at rest, as planes far from each other do."""
    path = root / "configs" / "demo.yaml"
    scope = load_microscope(path)
    films = [
        simulate(
            scope,
            SpecimenSettings(kind="filaments", seed=seed),
            photons=10.0,
            shape=(SIDE, SIDE),
            seed=2,
            time_points=TIMES,
        )
        for seed in (4, 5)
    ]
    frames = np.stack(
        [np.stack([film.series(t).adu.numpy().reshape(9, SIDE, SIDE) for film in films]) for t in range(TIMES)]
    )
    raw = tmp_path / "raw.ome.tif"
    tifffile.imwrite(raw, frames.reshape(-1, SIDE, SIDE).astype(np.uint16), metadata={"axes": "TYX"})
    worth = {}
    for planes in (PLANES, 1):
        out = tmp_path / f"sr-{planes}.tif"
        command = [
            "reconstruct",
            str(raw),
            "--microscope",
            str(path),
            "--out",
            str(out),
            "--denoise",
            "rdl",
        ]
        result = CliRunner().invoke(app, [*command, *(["--planes", str(planes)] if planes > 1 else [])])
        assert result.exit_code in (0, 3), result.output
        worth[planes] = tifffile.imread(tmp_path / f"sr-{planes}-worth.tif").reshape(TIMES, PLANES, -1).mean(axis=-1)
    assert (worth[PLANES][0] == 1).all()
    assert (worth[PLANES][-1] > 1.5).all()
    assert (worth[1][-1] < 1.3).all()  # one after the other they are no film


def test_the_guards_judge_the_image_that_is_delivered(root: Path) -> None:
    scope = load_microscope(root / "configs" / "demo.yaml")
    recorded = simulate(
        scope, SpecimenSettings(kind="filaments", seed=4), photons=10.0, shape=(SIDE, SIDE), seed=2, time_points=TIMES
    )
    frames = [recorded.series(t).adu.numpy() for t in range(TIMES)]

    def restorer() -> Restorer:
        return Restorer(scope, recorded.patterns, (SIDE, SIDE), "rdl")

    made, other = restorer(), restorer()
    calibrate(made, frames[0])
    judge = cast(SeriesJudge, lambda _: SeriesVerdict(why="", checked=True, contrast=(), evidence=np.zeros(9)))
    machine = Machine(made, restorer, judge, [made.memory(USUAL_MEMORY)], guarded=TIMES - 1)
    memory = other.memory(USUAL_MEMORY)
    for series in frames:
        image, expected = machine(series).sr, other.restore(series, guards=True, memory=memory)
    assert np.array_equal(image, expected.sr.numpy())
    assert machine.guards is not None
    found = machine.guards()
    assert found == expected.guards
    assert found != made.restore(frames[-1], guards=True).guards
    machine(frames[0])
    assert machine.guards() == found  # of the series that was asked about, whatever comes after it
