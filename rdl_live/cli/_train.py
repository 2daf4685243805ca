"""`rdl-live train`: weights from simulated data."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rdl_live.cli._ending import orderly_end
from rdl_live.cli._learn import VERBS, verb
from rdl_live.cli._options import (
    Device,
    Minutes,
    OverwriteTraining,
    Resume,
    Seed,
    Steps,
    Threads,
    Verbs,
    WeightsOut,
    Workers,
    checked_settings,
)
from rdl_live.errors import ConfigError

_Start = Annotated[
    str | None,
    typer.Option("--from", metavar="NAME|W.safetensors", help="Start from these weights instead of random ones."),
]
_Rate = Annotated[
    float | None,
    typer.Option(
        "--learning-rate", min=1e-6, max=0.1, metavar="R", help="Highest one; 1.5e-3, or 3e-4 for published networks."
    ),
]
_Network = Annotated[
    list[str] | None,
    typer.Option("--network", metavar="NAME=VALUE", help="Size of a new network, e.g. width=32; may be repeated."),
]
_Half = Annotated[
    bool, typer.Option("--half/--full", help="Mixed precision (bfloat16), where the chip has instructions for it.")
]
_Board = Annotated[
    Path | None,
    typer.Option("--tensorboard", metavar="DIR", help="Also write there what TensorBoard shows (an extra package)."),
]
_Batch = Annotated[int, typer.Option(min=1, metavar="N", help="Series per step and process.")]
_Size = Annotated[int, typer.Option(min=32, max=1024, metavar="N", help="Side of the simulated scenes in raw pixels.")]

OURS = "object-plane"

train = Verbs(help="Train networks on simulated data, or on your own recordings.")
for _scheme, _help in VERBS.items():
    train.command(_scheme, help=_help)(verb(_scheme))


@train.callback()
def _verbs() -> None:
    """Train networks: on simulated data (`denoise`, `sr`), or on noisy recordings alone (the others)."""


@train.command()
def denoise(
    out: WeightsOut,
    architecture: Annotated[
        str, typer.Option(metavar="object-plane|rdl-sim", help="Our fast denoiser, or the published one on raw frames.")
    ] = OURS,
    network: _Network = None,
    phases: Annotated[
        int | None,
        typer.Option(
            min=3, max=16, metavar="N", help="Frames an orientation; needed by rdl-sim (3), others learn all."
        ),
    ] = None,
    minutes: Minutes = 20.0,
    steps: Steps = None,
    start: _Start = None,
    grow: Annotated[
        bool, typer.Option("--grow", help="With --from: weights of one scale get all scales of the shipped network.")
    ] = False,
    error_only: Annotated[
        bool, typer.Option("--error-only", help="With --from: teach only how wrong an image is; images stay the same.")
    ] = False,
    rate: _Rate = None,
    size: _Size = 128,
    half: _Half = True,
    tensorboard: _Board = None,
    resume: Resume = False,
    device: Device = "auto",
    threads: Threads = 1,
    workers: Workers = 1,
    batch: _Batch = 4,
    seed: Seed = 1,
    overwrite: OverwriteTraining = False,
) -> None:
    """Train a denoiser on simulated series and write its weights, with what they are valid for.

    A checkpoint (once a minute) and a preview picture (Wiener, denoised, truth) are kept beside the weights.
    Ctrl-C keeps the checkpoint.

    Examples:

        rdl-live train denoise --out mine.safetensors --minutes 30

        rdl-live train denoise --out mine.safetensors --minutes 60 --resume

        rdl-live train denoise --out better.safetensors --minutes 60 --from rdl

        rdl-live train denoise --out published.safetensors --architecture rdl-sim --device cuda --minutes 600

        torchrun --nproc-per-node 4 --no-python rdl-live train denoise --out large.safetensors --device cuda
    """
    denoisers = _denoisers()
    if architecture not in denoisers:
        also = "; DFCAN is trained by `rdl-live train sr`" if architecture == "dfcan" else ""
        raise ConfigError(f"--architecture {architecture}: choose {' or '.join(denoisers)}{also}")
    scenes: dict[str, Any] = {"size": size}
    if phases is not None or _sees_patterns(architecture):
        scenes["phases"] = (phases or 3,)
    wanted = {
        "architecture": architecture,
        "network": _numbers(network),
        "scenes": scenes,
        "minutes": minutes,
        "steps": steps,
        "batch": batch,
        "workers": workers,
        "seed": seed,
        "start": start,
        "grow": grow,
        "error_only": error_only,
        "half_precision": half,
        "learning_rate": rate or _rate(architecture),
    }
    _train(out, wanted, device, threads, resume=resume, overwrite=overwrite, tensorboard=tensorboard)


@train.command()
def sr(
    out: WeightsOut,
    frames: Annotated[
        int, typer.Option(metavar="1|9", help="1: from the widefield image; 9: from the 3 x 3 frames of a series.")
    ] = 1,
    network: _Network = None,
    minutes: Minutes = 20.0,
    steps: Steps = None,
    start: _Start = None,
    rate: _Rate = None,
    size: _Size = 128,
    half: _Half = True,
    tensorboard: _Board = None,
    resume: Resume = False,
    device: Device = "auto",
    threads: Threads = 1,
    workers: Workers = 1,
    batch: _Batch = 2,
    seed: Seed = 1,
    overwrite: OverwriteTraining = False,
) -> None:
    """Train DFCAN to super-resolve in one step, and write its weights.

    It is for comparison: what such a network shows beyond the diffraction limit it has guessed.

    Examples:

        rdl-live train sr --out dfcan.safetensors --device cuda --minutes 600

        rdl-live train sr --out dfcan9.safetensors --frames 9 --network width=32
    """
    if frames not in (1, 9):
        raise ConfigError(f"--frames {frames}: a network is trained on 1 (widefield) or 9 (3 x 3) frames")
    scenes: dict[str, Any] = {"size": size}
    if frames == 9:
        scenes |= {"angles": (3,), "phases": (3,)}
    wanted = {
        "architecture": "dfcan",
        "network": {"channels": frames, **_numbers(network)},
        "scenes": scenes,
        "minutes": minutes,
        "steps": steps,
        "batch": batch,
        "workers": workers,
        "seed": seed,
        "start": start,
        "half_precision": half,
        "learning_rate": rate or _rate("dfcan"),
    }
    _train(out, wanted, device, threads, resume=resume, overwrite=overwrite, tensorboard=tensorboard)


def _denoisers() -> list[str]:
    """Return the architectures of networks that denoise SIM series."""
    from rdl_live.restore.suited import SERIES
    from rdl_models import architectures, find_architecture

    return [name for name in architectures() if find_architecture(name).task in SERIES]


def _sees_patterns(architecture: str) -> bool:
    """Whether a network is made for one number of phases; False for an architecture that the settings will refuse."""
    from rdl_models import ARCHITECTURES

    known = ARCHITECTURES.find(architecture)
    return known is not None and known.sees_patterns


def _rate(architecture: str) -> float:
    from rdl_models import ARCHITECTURES

    known = ARCHITECTURES.find(architecture)
    return 1e-3 if known is None else known.learning_rate


def _numbers(network: list[str] | None) -> dict[str, int | float | bool]:
    """Read NAME=VALUE."""
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


def _train(
    out: Path,
    wanted: dict[str, Any],
    device: str,
    threads: int,
    *,
    resume: bool,
    overwrite: bool,
    tensorboard: Path | None,
) -> None:
    """Train and tell how it goes."""
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
        )
        leads = processes.leads
    if leads:
        Console(highlight=False).print(
            f"wrote {out}: {card.steps} steps in {card.minutes:.1f} minutes; error {mean:.3f} of {reference}",
            markup=False,
            soft_wrap=True,
        )
