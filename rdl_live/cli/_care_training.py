"""What the trainings of content-aware restoration have in common: options, settings, how one is run and shown."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rdl_live.cli._ending import orderly_end
from rdl_live.cli._options import checked_settings
from rdl_live.cli._training import numbers
from rdl_live.errors import ConfigError

if TYPE_CHECKING:  # torch takes a second to load
    from rdl_live.train.care.settings import CareSettings
    from rdl_live.train.loop.loop import Step

Published = Annotated[
    bool,
    typer.Option(
        "--published", help="The paper's network size and learning rate, for a GPU; by default a smaller network."
    ),
]
Probabilistic = Annotated[
    bool, typer.Option("--probabilistic", help="Predict a mean and a scale (Laplace) for every pixel: its confidence.")
]
Ensemble = Annotated[
    int,
    typer.Option(min=1, max=32, metavar="N", help="Networks trained together; they show where they disagree."),
]
Loss = Annotated[str, typer.Option(metavar="mae|mse", help="mae, as published; mse keeps the photons.")]
Patch = Annotated[
    int | None,
    typer.Option(
        "--size",
        min=16,
        max=1024,
        metavar="N",
        help="Patch size in pixels; by default 128, for stacks 64, or the field if that is smaller.",
    ),
]
PatchPlanes = Annotated[
    int | None,
    typer.Option(
        "--patch-planes",
        min=4,
        max=256,
        metavar="N",
        help="Planes in a patch of a stack; by default 16, or all if there are fewer.",
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(min=1, max=256, metavar="N", help="Patches per step and network; by default 4, for stacks 1."),
]
Percentiles = Annotated[
    tuple[float, float],
    typer.Option(metavar="LOW HIGH", help="Percentiles of the training images that are mapped to 0 and 1."),
]
Patience = Annotated[
    int, typer.Option(min=1, metavar="N", help="Stop after this many validations in a row without a gain.")
]
USUAL_PLANES = 16
Structure = Annotated[str, typer.Option(metavar="tubes|granules|both", help="Structures in the simulated specimens.")]


def settings_of(
    *,
    dims: int,
    probabilistic: bool,
    ensemble: int,
    loss: str,
    percentiles: tuple[float, float],
    patience: int,
    published: bool,
    network: list[str] | None,
    size: int | None,
    patch_planes: int | None,
    batch: int | None,
    minutes: float,
    steps: int | None,
    rate: float | None,
    seed: int,
) -> "CareSettings":
    """Return the settings that options ask for."""
    from rdl_live.train.care.settings import CareSettings
    from rdl_models import find_architecture

    if loss not in ("mae", "mse"):
        raise ConfigError(f"--loss {loss}: choose mae or mse; --probabilistic has a loss of its own")
    if (probabilistic or ensemble > 1) and loss == "mse":
        which = "--probabilistic" if probabilistic else f"--ensemble {ensemble}"
        raise ConfigError(f"--loss mse {which}: a Laplace distribution has its own loss; leave one out")
    if ensemble > 1 and not probabilistic:
        probabilistic = True
        Console(stderr=True, highlight=False).print(
            f"--ensemble {ensemble}: where networks disagree is a matter of probabilities, so they are --probabilistic"
        )
    low, high = percentiles
    if not 0 <= low < high <= 100:
        raise ConfigError(f"--percentiles {low:g} {high:g}: two numbers from 0 to 100 are needed, the lower one first")
    kind = find_architecture("care")
    small = kind.small if not published else None
    return checked_settings(
        CareSettings,
        {
            "dims": dims,
            "network": {**(dict(small.fields) if small else {}), **numbers(network)},
            "loss": "laplace" if probabilistic else loss,
            "members": ensemble,
            "minutes": minutes,
            "steps": steps,
            "batch": batch or (4 if dims == 2 else 1),
            "patch": size or (128 if dims == 2 else 64),
            "planes": patch_planes or USUAL_PLANES,
            "low_percentile": low,
            "high_percentile": high,
            "patience": patience,
            "seed": seed,
            "learning_rate": rate or (small.learning_rate if small else kind.learning_rate),
        },
    )


def prepared(out: Path, threads: int, *, resume: bool, overwrite: bool) -> None:
    """Say what is wrong with the output before files are read, and set the threads."""
    import torch

    from rdl_live.train.loop.outputs import Outputs, check_outputs
    from rdl_live.train.loop.processes import check_alone

    check_alone()
    check_outputs(Outputs(out), resume=resume, overwrite=overwrite)
    torch.set_num_threads(threads)


def shown(train: Any, out: Path, device: str, notes: list[str]) -> Any:
    """Train, with a progress bar; `train(watch, device)`."""
    from rdl_live.app.device import choose_device

    console = Console(stderr=True, highlight=False)
    for note in notes:
        console.print(note, markup=False, soft_wrap=True)
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn())
    with orderly_end(out) as after_step, Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("first look at what is held out", total=1.0)

        def watch(step: "Step") -> None:
            text = f"step {step.number}  loss {step.loss:.3f}  error {step.mean_gain:.3f} of the noisy image's"
            progress.update(task, completed=step.done, description=text)
            after_step()

        return train(watch, choose_device(device))


def say(result: Any, out: Path, use: str) -> None:
    """Print how it ended."""
    console = Console(highlight=False)
    for text in result.words:
        console.print(text, markup=False, soft_wrap=True)
    console.print(
        f"wrote {out}: {result.card.steps} steps in {result.card.minutes:.1f} minutes; use it with {use}",
        markup=False,
        soft_wrap=True,
    )


def structures_of(name: str) -> tuple[str, ...]:
    """Return the structures that are asked for."""
    from rdl_live.train.care.structures import STRUCTURES

    if name == "both":
        return tuple(STRUCTURES)
    if name not in STRUCTURES:
        raise ConfigError(f"--structure {name}: choose {', '.join(STRUCTURES)} or both")
    return (name,)


def check_photons(photons: tuple[float, float]) -> None:
    """Raise ConfigError unless these are two means in order."""
    if not 0.05 <= photons[0] <= photons[1] <= 1e5:
        raise ConfigError(f"--photons {photons[0]:g} {photons[1]:g}: two means a pixel from 0.05 to 100000 are needed")
