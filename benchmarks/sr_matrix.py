"""The matrix of networks for single frames: trained in equal steps, then judged, as far as there is time.

    python -m benchmarks.sr_matrix OUT [--steps 1000] [--size 64] [--images 20] [--levels 6] [--side 128]

DFCAN, DFGAN, SRCNN and EDSR of the small sizes learn from simulated scenes; four structures at some light levels are
then judged, beside SIM and rDL-SIM. Whatever is interrupted goes on when it is called again: trainings from their
checkpoint, the matrix from its last row. OUT holds weights, `matrix.json`, `matrix.html` and `cost.json`, which says
how many CPU seconds each part took.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from rdl_live.app.assess.matrix import LEAST, MOST, Plan
from rdl_live.app.assess.run import assess_models
from rdl_live.cli._train_sr import SPREAD, STRUCTURES
from rdl_live.train import TrainSettings, train_denoiser
from rdl_models import find_architecture

NAMES = ("dfcan", "dfgan", "srcnn", "edsr")
COST = "cost.json"


def trained(name: str, out: Path, steps: int, size: int, seed: int = 71) -> Path:
    """Train one network, or go on; return its weights."""
    weights = out / f"{name}.safetensors"
    if weights.exists():
        return weights
    small = find_architecture(name).small
    assert small is not None
    settings = TrainSettings.model_validate(
        {
            "architecture": name,
            "network": {**small.fields, "spread": SPREAD, "channels": 1, "scale": 2},
            "steps": steps,
            "batch": 2,
            "seed": seed,
            "learning_rate": small.learning_rate,
            "workers": 0,
            "scenes": {"size": size, "kinds": STRUCTURES, "photons": {"low": 0.5, "high": 1000.0}},
        }
    )
    with timed(out, f"training {name}"):
        train_denoiser(weights, settings, resume=weights.with_name(f"{weights.name}.checkpoint").exists())
    return weights


class timed:  # noqa: N801  # reads as a word
    """Adds the CPU seconds of a block to the record."""

    def __init__(self, out: Path, what: str) -> None:
        """Count for `what`."""
        self._path, self._what = out / COST, what

    def __enter__(self) -> None:
        """Begin."""
        self._began = time.process_time()

    def __exit__(self, *_: object) -> None:
        """Add, also where it was interrupted."""
        known = json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else {}
        known[self._what] = round(known.get(self._what, 0.0) + time.process_time() - self._began, 1)
        self._path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def levels_of(count: int) -> tuple[float, ...]:
    """Return so many light levels in the paper's range."""
    return tuple(round(float(one), 1) for one in np.geomspace(LEAST, MOST, count))


def main(say: Callable[[str], None] = print) -> None:
    """Train, then judge."""
    line = argparse.ArgumentParser(prog="python -m benchmarks.sr_matrix")
    line.add_argument("out", type=Path)
    for name, value in (("steps", 1000), ("size", 64), ("images", 20), ("levels", 6), ("side", 128)):
        line.add_argument(f"--{name}", type=int, default=value)
    line.add_argument("--names", nargs="+", default=list(NAMES))
    asked = line.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    weights = []
    for name in asked.names:
        weights.append(str(trained(name, asked.out, asked.steps, asked.size)))
        say(f"{name} is trained")
    plan = Plan(levels=levels_of(asked.levels), images=asked.images, side=asked.side)
    with timed(asked.out, "judging"):
        assess_models(weights, asked.out, plan=plan, progress=lambda what, done, of: say(f"{done} of {of}: {what}"))


if __name__ == "__main__":
    main()
