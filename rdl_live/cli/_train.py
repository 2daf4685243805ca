"""`rdl-live train`: weights from simulated data."""

from typing import Annotated, Any

import typer

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
)
from rdl_live.cli._train_care import care
from rdl_live.cli._train_deconvolution import deconvolution
from rdl_live.cli._train_isotropic import isotropic
from rdl_live.cli._train_sr import sr
from rdl_live.cli._training import Batch, Board, Half, Network, Rate, Size, Start, numbers, run_training, usual_rate
from rdl_live.errors import ConfigError

OURS = "object-plane"

train = Verbs(help="Train networks on simulated data, or on your own recordings.")
for _scheme, _help in VERBS.items():
    train.command(_scheme, help=_help)(verb(_scheme))


train.command("sr")(sr)
train.command("care")(care)
train.command("isotropic")(isotropic)
train.command("deconvolution")(deconvolution)


@train.callback()
def _verbs() -> None:
    """Train networks: on simulated data (`denoise`, `sr`, `care`), on pairs, or on noisy recordings alone."""


@train.command()
def denoise(
    out: WeightsOut,
    architecture: Annotated[
        str, typer.Option(metavar="object-plane|rdl-sim", help="Our fast denoiser, or the published one on raw frames.")
    ] = OURS,
    network: Network = None,
    phases: Annotated[
        int | None,
        typer.Option(
            min=3,
            max=16,
            metavar="N",
            help="Phases per orientation, for rdl-sim (3 by default); other networks learn all numbers.",
        ),
    ] = None,
    minutes: Minutes = 20.0,
    steps: Steps = None,
    start: Start = None,
    grow: Annotated[
        bool, typer.Option("--grow", help="With --from: weights of one scale get all scales of the shipped network.")
    ] = False,
    error_only: Annotated[
        bool, typer.Option("--error-only", help="With --from: train only the error estimate; images stay the same.")
    ] = False,
    rate: Rate = None,
    size: Size = 128,
    half: Half = True,
    tensorboard: Board = None,
    resume: Resume = False,
    device: Device = "auto",
    threads: Threads = 1,
    workers: Workers = 1,
    batch: Batch = 4,
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
        also = (
            "; networks that super-resolve are trained by `rdl-live train sr`" if _super_resolves(architecture) else ""
        )
        raise ConfigError(f"--architecture {architecture}: choose {' or '.join(denoisers)}{also}")
    scenes: dict[str, Any] = {"size": size}
    if phases is not None or _sees_patterns(architecture):
        scenes["phases"] = (phases or 3,)
    wanted = {
        "architecture": architecture,
        "network": numbers(network),
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
        "learning_rate": rate or usual_rate(architecture),
    }
    run_training(out, wanted, device, threads, resume=resume, overwrite=overwrite, tensorboard=tensorboard)


def _denoisers() -> list[str]:
    """Return the architectures of networks that denoise SIM series."""
    from rdl_live.restore.suited import SERIES
    from rdl_models import architectures, find_architecture

    return [name for name in architectures() if find_architecture(name).task in SERIES]


def _super_resolves(architecture: str) -> bool:
    from rdl_models import ARCHITECTURES, Task

    known = ARCHITECTURES.find(architecture)
    return known is not None and known.task == Task.SUPER_RESOLUTION


def _sees_patterns(architecture: str) -> bool:
    """Whether a network is made for one number of phases; False for an architecture that the settings will refuse."""
    from rdl_models import ARCHITECTURES

    known = ARCHITECTURES.find(architecture)
    return known is not None and known.sees_patterns
