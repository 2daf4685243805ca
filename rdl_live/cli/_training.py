"""What the trainings on simulated scenes have in common: options, and how a training is run and shown."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rdl_live.cli._ending import orderly_end
from rdl_live.cli._options import checked_settings
from rdl_live.errors import ConfigError

Start = Annotated[
    str | None,
    typer.Option("--from", metavar="NAME|W.safetensors", help="Start from these weights instead of random ones."),
]
Rate = Annotated[
    float | None,
    typer.Option(
        "--learning-rate",
        min=1e-6,
        max=0.1,
        metavar="R",
        help="Highest learning rate; 1.5e-3, or 3e-4 for published networks.",
    ),
]
Network = Annotated[
    list[str] | None,
    typer.Option("--network", metavar="NAME=VALUE", help="Size of a new network, e.g. width=32; may be repeated."),
]
Half = Annotated[
    bool, typer.Option("--half/--full", help="Mixed precision (bfloat16), where the chip has instructions for it.")
]
Board = Annotated[
    Path | None,
    typer.Option("--tensorboard", metavar="DIR", help="Also write TensorBoard logs there (needs an extra package)."),
]
Batch = Annotated[int, typer.Option(min=1, metavar="N", help="Series per step and process.")]
Size = Annotated[
    int,
    typer.Option(
        min=32, max=1024, metavar="N", help="Side of the simulated scenes, or of patches of pairs, in raw pixels."
    ),
]


def usual_rate(architecture: str) -> float:
    """Return the highest learning rate, where the user says none."""
    from rdl_models import ARCHITECTURES

    known = ARCHITECTURES.find(architecture)
    return 1e-3 if known is None else known.learning_rate


def numbers(network: list[str] | None) -> dict[str, int | float | bool]:
    """Read NAME=VALUE.

    Raises:
        ConfigError: something else.
    """
    found: dict[str, int | float | bool] = {}
    for text in network or []:
        name, _, value = text.partition("=")
        if value in ("true", "false"):
            found[name] = value == "true"
            continue
        try:
            found[name] = int(value) if value.lstrip("-").isdigit() else float(value)
        except ValueError as error:
            raise ConfigError(f"--network {text!r}: NAME=NUMBER, NAME=true or NAME=false is needed") from error
    return found


def run_training(
    out: Path,
    wanted: dict[str, Any],
    device: str,
    threads: int,
    *,
    resume: bool,
    overwrite: bool,
    tensorboard: Path | None,
) -> None:
    """Train on simulated scenes and show how it goes."""
    import torch

    from rdl_live.app.device import choose_device
    from rdl_live.train import Step, TrainSettings, train_denoiser
    from rdl_live.train.loop.processes import Processes
    from rdl_live.train.simulated.task import source_of

    settings = checked_settings(TrainSettings, wanted)
    torch.set_num_threads(threads)
    reference = source_of(settings.architecture).reference
    console = Console(stderr=True, highlight=False)
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn())
    with (
        orderly_end(out) as after_step,
        Processes(choose_device(device)) as processes,
        Progress(*columns, console=console, transient=True, disable=not processes.leads) as progress,
    ):
        task = progress.add_task("simulating the first scenes", total=1.0)
        mean = 1.0

        def watch(step: Step) -> None:
            nonlocal mean
            mean = step.mean_gain
            text = f"step {step.number}  loss {step.loss:.3f}  error {mean:.3f} of {reference}"
            progress.update(task, completed=step.done, description=text)
            after_step()

        card = train_denoiser(
            out,
            settings,
            device=processes.device,
            resume=resume,
            overwrite=overwrite,
            watch=watch,
            processes=processes,
            board=tensorboard,
            notify=lambda text: progress.console.print(text, markup=False, soft_wrap=True),
        )
        leads = processes.leads
    if leads:
        Console(highlight=False).print(
            f"wrote {out}: {card.steps} steps in {card.minutes:.1f} minutes; error {mean:.3f} of {reference}",
            markup=False,
            soft_wrap=True,
        )
