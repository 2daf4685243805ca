"""The trainings of `benchmarks.care`, each of which can be killed and taken up again: seconds are the processor's."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from rdl_live.train.care.instruments import Instrument
from rdl_live.train.care.run import train_care
from rdl_live.train.care.settings import CareLoss, CareSettings, SceneSettings
from rdl_live.train.care.simulated import SimulatedPairs
from rdl_models import find_architecture

RATE = 2e-3
JOBS: dict[str, tuple[CareSettings, SceneSettings]] = {}
"""By name: `image` a confocal's planes, `ensemble` the same by five networks, `stack` a light sheet in space."""


def _job(name: str, dims: int, instrument: Instrument, members: int, patch: int, batch: int) -> None:
    small = find_architecture("care").small
    settings = CareSettings(
        dims=dims,
        network=dict(small.fields) if small else {},
        learning_rate=RATE,
        loss=CareLoss.LAPLACE,
        members=members,
        patch=patch,
        batch=batch,
        validate_every=100,
        patience=1000,
    )
    JOBS[name] = settings, SceneSettings(instruments=(instrument,))


_job("image", 2, Instrument.CONFOCAL, 1, 64, 4)
_job("ensemble", 2, Instrument.CONFOCAL, 5, 64, 2)
_job("stack", 3, Instrument.LIGHT_SHEET, 1, 64, 1)


def train(name: str, folder: Path, minutes: float) -> Path:
    """Train, or go on; minutes are of one processor. Return the weights."""
    settings, scenes = JOBS[name]
    settings = settings.replace(minutes=minutes)
    out = folder / f"{name}.safetensors"
    checkpoint = out.with_name(f"{out.name}.checkpoint")
    if out.exists() and not checkpoint.exists():
        return out

    def watch(step: object) -> None:
        number = getattr(step, "number", 0)
        if number % 100 == 0:
            print(name, number, getattr(step, "look", None), f"{getattr(step, 'mean_gain', 1):.4f}", flush=True)

    train_care(
        SimulatedPairs(settings, scenes),
        out,
        settings,
        trained_on={"scheme": "simulated pairs"},
        resume=checkpoint.exists(),
        overwrite=True,
        watch=watch,
        clock=time.process_time,
    )
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    """Train those that are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.care_train", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(JOBS))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30.0, help="of one processor (default 30: 15 on two)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.names:
        print(train(name, options.folder, options.minutes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
