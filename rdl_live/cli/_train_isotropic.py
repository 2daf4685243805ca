"""`rdl-live train isotropic`: z-stacks as sharp along z as in the plane."""

from pathlib import Path
from typing import Annotated

import typer

from rdl_live.cli._care_training import (
    USUAL_PLANES,
    Batch,
    Ensemble,
    Loss,
    Patch,
    Patience,
    Percentiles,
    Probabilistic,
    Published,
    prepared,
    say,
    settings_of,
    shown,
)
from rdl_live.cli._options import (
    Device,
    Minutes,
    OverwriteTraining,
    Planes,
    Resume,
    Seed,
    Steps,
    Threads,
    WeightsOut,
)
from rdl_live.cli._training import Board, Network, Rate

_ZStep = Annotated[
    float | None,
    typer.Option(min=1e-3, max=100, metavar="UM", help="Distance between planes [um], where the files do not say."),
]


def isotropic(
    stacks: Annotated[list[Path], typer.Argument(metavar="STACK...", help="Z-stacks of one microscope.")],
    out: WeightsOut,
    z_step: _ZStep = None,
    pixel: Annotated[
        float | None,
        typer.Option(
            min=1e-3, max=100, metavar="UM", help="Pixel size within a plane [um], where the files do not say."
        ),
    ] = None,
    axial: Annotated[
        float | None,
        typer.Option(
            "--axial-um",
            min=0,
            max=100,
            metavar="UM",
            help="Extra width (FWHM) of the PSF along z [um]; measured from the stack by default.",
        ),
    ] = None,
    channel: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Colour to learn from, where files have several."),
    ] = None,
    planes: Planes = None,
    probabilistic: Probabilistic = False,
    ensemble: Ensemble = 1,
    loss: Loss = "mae",
    percentiles: Percentiles = (2.0, 99.8),
    patience: Patience = 40,
    published: Published = False,
    network: Network = None,
    size: Patch = None,
    batch: Batch = None,
    minutes: Minutes = 20.0,
    steps: Steps = None,
    rate: Rate = None,
    tensorboard: Board = None,
    resume: Resume = False,
    device: Device = "auto",
    threads: Threads = 2,
    seed: Seed = 1,
    overwrite: OverwriteTraining = False,
) -> None:
    """Train a network that makes z-stacks isotropic, from the stacks alone.

    Planes are blurred and sampled along one axis as the stack is along z; the network learns to undo that. `rdl-live
    restore` then enlarges a stack along z and applies it to slices of both directions. The specimen must look alike in
    all directions.

    Example:

        rdl-live train isotropic stacks.ome.tif --out iso.safetensors --minutes 20
    """
    from rdl_live.app.restore.isotropic import AXIAL
    from rdl_live.app.retrain.isotropic import isotropic_pairs
    from rdl_live.train.care.run import train_care
    from rdl_models import Span, Task

    settings = settings_of(
        dims=2,
        probabilistic=probabilistic,
        ensemble=ensemble,
        loss=loss,
        percentiles=percentiles,
        patience=patience,
        published=published,
        network=network,
        size=size,
        patch_planes=USUAL_PLANES,
        batch=batch,
        minutes=minutes,
        steps=steps,
        rate=rate,
        seed=seed,
    )
    prepared(out, threads, resume=resume, overwrite=overwrite)
    found = isotropic_pairs(
        stacks,
        settings,
        z_step_um=z_step,
        pixel_um=pixel,
        axial_um=axial,
        channel=channel,
        planes=planes,
        fixed=size is not None,
    )
    factor = found.axial.factor
    valid = {AXIAL: Span(low=0.95 * factor, high=1.05 * factor)}
    if found.pixel_um is not None:
        valid["pixel_size_um"] = Span(low=0.95 * found.pixel_um, high=1.05 * found.pixel_um)
    result = shown(
        lambda watch, where: train_care(
            found.source,
            out,
            found.settings,
            trained_on={"scheme": "isotropic", "stacks": [one.name for one in stacks]},
            valid=valid,
            task=Task.ISOTROPIC,
            device=where,
            resume=resume,
            overwrite=overwrite,
            watch=watch,
            board=tensorboard,
        ),
        out,
        device,
        list(found.notes),
    )
    say(result, out, f"rdl-live restore STACK --weights {out} --out OUT.tif")
