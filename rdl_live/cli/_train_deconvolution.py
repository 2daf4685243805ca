"""`rdl-live train deconvolution`: learnt on simulated images of one microscope."""

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
    Structure,
    check_photons,
    prepared,
    say,
    settings_of,
    shown,
    structures_of,
)
from rdl_live.cli._options import (
    Device,
    Minutes,
    OverwriteTraining,
    Resume,
    Seed,
    Steps,
    Threads,
    WeightsOut,
)
from rdl_live.cli._training import Board, Network, Rate


def deconvolution(
    out: WeightsOut,
    microscope: Annotated[
        Path, typer.Option("--microscope", "-m", metavar="M.yaml", help="Microscope file: optics, channels, camera.")
    ],
    structure: Structure = "both",
    channel: Annotated[
        str | None, typer.Option(metavar="NAME", help="Colour, by name in M.yaml; the first by default.")
    ] = None,
    photons: Annotated[
        tuple[float, float], typer.Option(metavar="LOW HIGH", help="Range of mean photons per pixel.")
    ] = (5.0, 200.0),
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
    """Train a network that deconvolves tubes or granules, on simulated images of a microscope.

    Structures on an uneven background are seen through the microscope's PSF, with photon and read noise; the network
    learns to give the structure. What it shows below the diffraction limit it has inferred: it knows these structures
    and no others.

    Example:

        rdl-live train deconvolution --microscope M.yaml --structure tubes --out tubes.safetensors
    """
    from rdl_live.app.retrain.own_pairs import optics_of
    from rdl_live.files import load_microscope
    from rdl_live.train.care.deconvolution import DeconvolutionPairs
    from rdl_live.train.care.run import train_care

    kinds = structures_of(structure)
    check_photons(photons)
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
    scope = load_microscope(microscope)
    source = DeconvolutionPairs(scope, scope.channel(channel), kinds, settings, photons)
    result = shown(
        lambda watch, where: train_care(
            source,
            out,
            settings,
            trained_on={"scheme": "deconvolution"},
            valid=optics_of(scope, scope.channel(channel)),
            device=where,
            resume=resume,
            overwrite=overwrite,
            watch=watch,
            board=tensorboard,
        ),
        out,
        device,
        [],
    )
    say(result, out, f"rdl-live restore IMAGE --microscope M.yaml --weights {out} --out OUT.tif")
