"""`rdl-live train`: weights from simulated data."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rdl_live.cli._learn import auto, split, tis
from rdl_live.errors import ConfigError

train = typer.Typer(help="Train networks on simulated data, or on your own recordings.", no_args_is_help=True)
for _verb in (tis, split, auto):
    train.command()(_verb)


@train.callback()
def _verbs() -> None:
    """Train networks: on simulated data (`denoise`), or on noisy recordings alone (`tis`, `split`, `auto`)."""


@train.command()
def denoise(
    out: Annotated[Path, typer.Option(metavar="W.safetensors", help="Weight file to write.")],
    minutes: Annotated[float, typer.Option(metavar="N", help="How long to train.")] = 20.0,
    steps: Annotated[
        int | None, typer.Option(metavar="N", help="Stop after so many steps instead; then repeatable to the last bit.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="NAME|W.safetensors", help="Go on from these weights instead of random ones."),
    ] = None,
    grow: Annotated[
        bool, typer.Option("--grow", help="With --from: weights of one scale get all scales of the shipped network.")
    ] = False,
    rate: Annotated[
        float, typer.Option("--learning-rate", min=1e-6, max=0.1, help="Highest learning rate of the training.")
    ] = 1.5e-3,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint beside the weights.")] = False,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of the training itself.")] = 1,
    workers: Annotated[int, typer.Option(min=0, help="Processes that simulate; 0 simulates in between.")] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Series a step.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is random.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace weights and checkpoint that exist.")] = False,
) -> None:
    """Train the fast denoiser and write its weights, with what they are valid for.

    A checkpoint (once a minute) and a preview picture (Wiener, denoised, truth) are kept beside the weights.
    Ctrl-C keeps the checkpoint.

    Examples:

        rdl-live train denoise --out mine.safetensors --minutes 30

        rdl-live train denoise --out mine.safetensors --minutes 60 --resume

        rdl-live train denoise --out better.safetensors --minutes 60 --from rdl
    """
    import torch

    from rdl_live.app.device import choose_device
    from rdl_live.train import Step, TrainSettings, train_denoiser

    try:
        settings = TrainSettings(
            minutes=minutes,
            steps=steps,
            batch=batch,
            workers=workers,
            seed=seed,
            start=start,
            grow=grow,
            learning_rate=rate,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(f"--{first['loc'][0]} {first['input']}: {first['msg'].lower()}") from error
    torch.set_num_threads(threads)
    console = Console(stderr=True, highlight=False)
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("simulating the first scenes", total=1.0)
        mean = 1.0

        def watch(step: Step) -> None:
            nonlocal mean
            mean += (step.gain - mean) / min(step.number, 50)
            text = f"step {step.number}  loss {step.loss:.3f}  error {mean:.3f} of Wiener's"
            progress.update(task, completed=step.done, description=text)

        card = train_denoiser(
            out, settings, device=choose_device(device), resume=resume, overwrite=overwrite, watch=watch
        )
    Console(highlight=False).print(
        f"wrote {out}: {card.steps} steps in {card.minutes:.1f} minutes; error {mean:.3f} of the Wiener estimate's",
        markup=False,
        soft_wrap=True,
    )
