"""`rdl-live train care|isotropic|deconvolution`: content-aware restoration for any microscope."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rdl_live.cli._ending import orderly_end
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
    checked_settings,
)
from rdl_live.cli._training import Board, Network, Rate, numbers
from rdl_live.errors import ConfigError

if TYPE_CHECKING:  # torch takes a second to load
    from rdl_live.train.care.settings import CareSettings
    from rdl_live.train.care.source import PairSource
    from rdl_live.train.loop.loop import Step
    from rdl_models import Span

Published = Annotated[
    bool, typer.Option("--published", help="The paper's size and learning rate, for a GPU; else one for two cores.")
]
Probabilistic = Annotated[
    bool, typer.Option("--probabilistic", help="Every pixel gets a mean and a scale (Laplace), so a confidence.")
]
Ensemble = Annotated[
    int,
    typer.Option(min=1, max=32, metavar="N", help="Networks trained together; they show where they disagree."),
]
Loss = Annotated[str, typer.Option(metavar="mae|mse", help="mae, as published; mse keeps the photons.")]
Patch = Annotated[
    int | None,
    typer.Option("--size", min=16, max=1024, metavar="N", help="Pixels of a patch; 128, of stacks 64, or the field."),
]
PatchPlanes = Annotated[
    int | None,
    typer.Option(
        "--patch-planes", min=4, max=256, metavar="N", help="Planes of a patch of stacks; 16, or all of fewer."
    ),
]
Batch = Annotated[
    int | None, typer.Option(min=1, max=256, metavar="N", help="Patches a step and network; 4, of stacks 1.")
]
Percentiles = Annotated[
    tuple[float, float],
    typer.Option(metavar="LOW HIGH", help="Percentiles that are brought to 0 and 1, of all that is learnt from."),
]
Patience = Annotated[
    int, typer.Option(min=1, metavar="N", help="End after so many looks at what is held out without a gain.")
]
USUAL_PLANES = 16
Structure = Annotated[str, typer.Option(metavar="tubes|granules|both", help="What simulated specimens consist of.")]


def care(
    out: WeightsOut,
    low: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Noisy images; simulated pairs where left out.")
    ] = None,
    high: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The same fields in much light, in files of the same names.")
    ] = None,
    volume: Annotated[bool, typer.Option("--volume", help="Learn from z-stacks in space, not plane by plane.")] = False,
    channel: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Colour to learn from, where files have several."),
    ] = None,
    planes: Planes = None,
    modality: Annotated[
        str | None, typer.Option(metavar="light-sheet|confocal", help="Of simulated pairs; both where left out.")
    ] = None,
    structure: Structure = "both",
    photons: Annotated[
        tuple[float, float],
        typer.Option(metavar="LOW HIGH", help="Mean photons a pixel of simulated pairs."),
    ] = (1.0, 50.0),
    probabilistic: Probabilistic = False,
    ensemble: Ensemble = 1,
    loss: Loss = "mae",
    percentiles: Percentiles = (2.0, 99.8),
    patience: Patience = 40,
    published: Published = False,
    network: Network = None,
    size: Patch = None,
    patch_planes: PatchPlanes = None,
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
    """Train a network that restores dim images of any microscope, from pairs of little and much light.

    Pairs are files of the same names in two folders. They are checked (size, values, shift, magnification, order of the
    files, which folder is the noisy one) and registered. The last fifth is held out and decides when training ends; a
    picture (noisy, restored, wanted) and a checkpoint are kept beside the weights. Without --low and --high it learns
    from simulated tubes and granules under a light sheet or a confocal.

    Use the result with `rdl-live restore`. With --probabilistic it says how sure it is of each pixel, with --ensemble 5
    where the networks disagree.

    Examples:

        rdl-live train care --low dim --high bright --out W.safetensors --minutes 20

        rdl-live train care --low dim --high bright --volume --probabilistic --ensemble 5 --out W.safetensors

        rdl-live train care --modality confocal --probabilistic --out simulated.safetensors
    """
    from rdl_live.train.care.run import train_care
    from rdl_live.train.care.simulated import SimulatedPairs

    if (low is None) != (high is None):
        given, lacking = ("--low", "--high") if high is None else ("--high", "--low")
        raise ConfigError(f"{given} {low or high}: pairs need both folders; add {lacking} FOLDER, or leave {given} out")
    folders = None if low is None or high is None else (low, high)
    settings = settings_of(
        dims=3 if volume else 2,
        probabilistic=probabilistic,
        ensemble=ensemble,
        loss=loss,
        percentiles=percentiles,
        patience=patience,
        published=published,
        network=network,
        size=size,
        patch_planes=patch_planes,
        batch=batch,
        minutes=minutes,
        steps=steps,
        rate=rate,
        seed=seed,
    )
    prepared(out, threads, resume=resume, overwrite=overwrite)
    trained_on: dict[str, Any] = {"scheme": "simulated pairs"}
    valid: Mapping[str, Span] = {}
    notes: list[str] = []
    source: PairSource
    if folders is not None:
        for option, value in (("--modality", modality), ("--structure", None if structure == "both" else structure)):
            if value is not None:
                raise ConfigError(f"{option} {value}: is of simulated pairs; leave it out, or --low and --high")
        fixed = (patch_planes is not None, size is not None)
        source, trained_on, valid, notes, settings = _from_folders(*folders, channel, planes, settings, fixed)
    else:
        for option, number in (("--channel", channel), ("--planes", planes)):
            if number is not None:
                raise ConfigError(f"{option} {number}: is of pairs on disk; add --low and --high, or leave it out")
        source = SimulatedPairs(settings, _scenes(modality, structure, photons))
    result = shown(
        lambda watch, where: train_care(
            source,
            out,
            settings,
            trained_on=trained_on,
            valid=valid,
            device=where,
            resume=resume,
            overwrite=overwrite,
            watch=watch,
            board=tensorboard,
        ),
        out,
        device,
        notes,
    )
    say(result, out, f"rdl-live restore IMAGE --weights {out} --out OUT.tif")


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
    if probabilistic and loss == "mse":
        raise ConfigError("--loss mse --probabilistic: a Laplace distribution has its own loss; leave one out")
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


def _from_folders(
    low: Path,
    high: Path,
    channel: int | None,
    planes: int | None,
    settings: "CareSettings",
    fixed: tuple[bool, bool],
) -> "tuple[PairSource, dict[str, Any], Mapping[str, Span], list[str], CareSettings]":
    """Open the pairs; patches are made as small as the fields are, but for what the user has fixed (planes, pixels)."""
    from rdl_live.train.care.folders import open_pairs
    from rdl_live.train.care.patches import FolderPairs, fitting
    from rdl_models import Span

    found = open_pairs(low, high, volume=settings.dims == 3, channel=channel, planes=planes)
    settings = fitting(found.pairs, settings, fixed)
    source = FolderPairs(found.pairs, settings)
    pixel = found.pixel_um
    valid = {} if pixel is None else {"pixel_size_um": Span(low=0.95 * pixel, high=1.05 * pixel)}
    trained_on = {"scheme": "pairs", "low": low.name, "high": high.name}
    return source, trained_on, valid, [f"{len(found.pairs)} pairs", *found.notes], settings


def _scenes(modality: str | None, structure: str, photons: tuple[float, float]) -> Any:
    from rdl_live.train.care.instruments import Instrument
    from rdl_live.train.care.settings import SceneSettings

    kinds = [str(one) for one in Instrument]
    if modality is not None and modality not in kinds:
        raise ConfigError(f"--modality {modality}: choose {' or '.join(kinds)}")
    if not 0.05 <= photons[0] <= photons[1] <= 1e5:
        raise ConfigError(f"--photons {photons[0]:g} {photons[1]:g}: two means a pixel from 0.05 to 100000 are needed")
    return SceneSettings(
        instruments=tuple(Instrument) if modality is None else (Instrument(modality),),
        structures=structures_of(structure),
        photons=photons,
    )


def structures_of(name: str) -> tuple[str, ...]:
    """Return the structures that are asked for."""
    from rdl_live.train.care.structures import STRUCTURES

    if name == "both":
        return tuple(STRUCTURES)
    if name not in STRUCTURES:
        raise ConfigError(f"--structure {name}: choose {', '.join(STRUCTURES)} or both")
    return (name,)


_AsImages = Annotated[
    float | None, typer.Option(min=1e-3, max=100, metavar="UM", help="From plane to plane, where the files do not say.")
]


def isotropic(
    stacks: Annotated[list[Path], typer.Argument(metavar="STACK...", help="Z-stacks of one microscope.")],
    out: WeightsOut,
    z_step: _AsImages = None,
    pixel: Annotated[
        float | None, typer.Option(min=1e-3, max=100, metavar="UM", help="Of the plane, where the files do not say.")
    ] = None,
    axial: Annotated[
        float | None,
        typer.Option(
            "--axial-um",
            min=0,
            max=100,
            metavar="UM",
            help="Width (FWHM) by which the PSF is wider along z than in the plane; measured where left out.",
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
        patch_planes=16,
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
        tuple[float, float], typer.Option(metavar="LOW HIGH", help="Mean photons a pixel, from and to.")
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
    if not 0.05 <= photons[0] <= photons[1] <= 1e5:
        raise ConfigError(f"--photons {photons[0]:g} {photons[1]:g}: two means a pixel from 0.05 to 100000 are needed")
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
        patch_planes=16,
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
