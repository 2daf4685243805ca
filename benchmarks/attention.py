"""Fourier against spatial attention against none: equal steps on equal scenes, several seeds.

    python -m benchmarks.attention --out FOLDER [--steps 400] [--seeds 3] [--names dfcan,dscan,resnet] [--size 96]

Qiao et al. 2021, 10.1038/s41592-020-01048-5, report that Fourier attention learns faster and better than spatial
attention, and this better than none, in a residual network, a U-Net and a DenseNet. Each run (a network, a seed) is
written to FOLDER as it is done and is not repeated; one that was interrupted goes on from its checkpoint. After each
seed: `attention.json` (errors) and `attention.svg` (convergence); at the end a table.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rdl_live.cli._train_sr import STRUCTURES
from rdl_live.files import atomic_write
from rdl_live.train import SceneSettings, TrainSettings, scene_training
from rdl_live.train.simulated.evaluate import held_out_scores
from rdl_live.train.simulated.run import maker
from rdl_live.train.simulated.task import source_of
from rdl_models import Span, find_architecture

FAMILIES = (
    ("dfcan", "dscan", "resnet"),
    ("unet-fca", "unet-sca", "unet"),
    ("densenet-fca", "densenet-sca", "densenet"),
)
"""Fourier, spatial, none."""
_EVERY = 10
"""Steps over which errors are averaged for the curves."""
_LEVELS = (5.0, 50.0)
_COLOURS = ("#c0392b", "#2a8f5b", "#1f3b73")


def run(name: str, seed: int, folder: Path, steps: int, size: int) -> dict[str, Any]:
    """Train and score one network, or return what was written of it."""
    path = folder / f"{name}-{seed}.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if (found["steps"], found["size"]) != (steps, size):
            raise SystemExit(
                f"{path}: was made with {found['steps']} steps of {found['size']} pixels; use another --out"
            )
        return found
    kind = find_architecture(name)
    assert kind.small is not None
    scenes = SceneSettings(size=size, kinds=STRUCTURES, photons=Span(low=0.5, high=1000.0))
    settings = TrainSettings(
        architecture=name,
        network={**kind.small.fields, "channels": 1, "scale": 2},
        steps=steps,
        batch=2,
        learning_rate=kind.small.learning_rate,
        workers=0,
        seed=seed,
        scenes=scenes,
        half_precision=False,
    )
    checkpoint = folder / f"{name}-{seed}.checkpoint"
    training = scene_training(maker(settings), settings, checkpoint=checkpoint, resume=checkpoint.exists())
    for step in training.run():
        print(f"\r{name} {seed}: {step.number}/{steps}", end="", flush=True)
    scores = held_out_scores(training.result, scenes, source_of(name), levels=_LEVELS, count=4)
    found = {
        "name": name,
        "seed": seed,
        "steps": steps,
        "size": size,
        "losses": training.state.losses,
        "scores": scores,
    }
    with atomic_write(path, True) as temporary:
        temporary.write_text(json.dumps(found), encoding="utf-8")
    checkpoint.unlink(missing_ok=True)
    print(f"\r{name} {seed}: {mean_score(found):.4f} of the widefield image's error")
    return found


def mean_score(found: Mapping[str, Any]) -> float:
    """Return the error on held-out specimens, relative to the widefield image's; below 1 is a gain."""
    return float(np.mean(list(found["scores"].values())))


def curve(found: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the loss of a network over the steps: mean and standard deviation over its seeds."""
    steps = min(len(one["losses"]) for one in found) // _EVERY * _EVERY
    losses = np.array([np.reshape(one["losses"][:steps], (-1, _EVERY)).mean(axis=1) for one in found])
    return losses.mean(axis=0), losses.std(axis=0)


def plot(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return the curves of all families as SVG."""
    parts, left = [], 0
    for family in FAMILIES:
        known = [(name, curve(runs[name])) for name in family if name in runs]
        if not known:
            continue
        top = max(float((mean + sd).max()) for _, (mean, sd) in known)
        low = min(float((mean - sd).min()) for _, (mean, sd) in known)
        for index, (name, (mean, sd)) in enumerate(known):
            x = left + 40 + np.arange(len(mean)) * 240 / max(1, len(mean) - 1)
            high_y, low_y, y = (
                220 - 190 * (values - low) / max(top - low, 1e-9) for values in (mean + sd, mean - sd, mean)
            )
            colour = _COLOURS[index]
            band = " ".join(
                f"{a:.1f},{b:.1f}" for a, b in [*zip(x, high_y, strict=True), *zip(x[::-1], low_y[::-1], strict=True)]
            )
            line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
            parts.append(f"<polygon points='{band}' fill='{colour}' opacity='.15'/>")
            parts.append(f"<polyline points='{line}' fill='none' stroke='{colour}'/>")
            parts.append(f"<text x='{left + 150}' y='{40 + 14 * index}' font-size='12' fill='{colour}'>{name}</text>")
        parts.append(
            f"<text x='{left + 40}' y='240' font-size='11'>loss, {low:.2f} to {top:.2f}, over the steps</text>"
        )
        left += 300
    body = "".join(parts)
    return f"<svg xmlns='http://www.w3.org/2000/svg' width='{max(left, 300)}' height='250'>{body}</svg>"


def main() -> None:
    """Run what is missing; print and write what there is."""
    line = argparse.ArgumentParser(prog="python -m benchmarks.attention", description=(__doc__ or "").splitlines()[0])
    line.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    line.add_argument("--steps", type=int, default=400, metavar="N")
    line.add_argument("--seeds", type=int, default=3, metavar="N")
    line.add_argument("--size", type=int, default=96, metavar="N", help="raw pixels each way of the scenes")
    line.add_argument("--names", default=",".join(name for family in FAMILIES for name in family), metavar="A,B,...")
    options = line.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    runs: dict[str, list[dict[str, Any]]] = {}
    # Seed by seed, so that there is something of every network early on.
    for seed in range(1, options.seeds + 1):
        for name in options.names.split(","):
            runs.setdefault(name, []).append(run(name, seed, options.out, options.steps, options.size))
        (options.out / "attention.svg").write_text(plot(runs), encoding="utf-8")
        table = {name: [round(mean_score(one), 4) for one in found] for name, found in runs.items()}
        (options.out / "attention.json").write_text(json.dumps(table, indent=1), encoding="utf-8")
    for name, found in runs.items():
        scores = [mean_score(one) for one in found]
        last = [float(np.mean(one["losses"][-5 * _EVERY :])) for one in found]
        print(f"{name:<14} error {np.mean(scores):.4f} +- {np.std(scores):.4f}  last loss {np.mean(last):.4f}")


if __name__ == "__main__":
    main()
