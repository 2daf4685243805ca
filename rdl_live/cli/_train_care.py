"""`rdl-live train care`: content-aware restoration for any microscope."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rdl_live.cli._care_training import (
    Batch,
    Ensemble,
    Loss,
    Patch,
    PatchPlanes,
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
    Planes,
    Resume,
    Seed,
    Steps,
    Threads,
    WeightsOut,
)
from rdl_live.cli._training import Board, Network, Rate
from rdl_live.errors import ConfigError

if TYPE_CHECKING:  # torch takes a second to load
    from rdl_live.train.care.settings import CareSettings
    from rdl_live.train.care.source import PairSource
    from rdl_models import Span


def care(
    out: WeightsOut,
    low: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Noisy images; simulated pairs by default.")
    ] = None,
    high: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The same fields in high light, in files of the same names.")
    ] = None,
    volume: Annotated[bool, typer.Option("--volume", help="Learn from z-stacks in space, not plane by plane.")] = False,
    channel: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Colour to learn from, where files have several."),
    ] = None,
    planes: Planes = None,
    modality: Annotated[
        str | None,
        typer.Option(metavar="light-sheet|confocal", help="Microscope of the simulated pairs; both by default."),
    ] = None,
    structure: Structure = "both",
    photons: Annotated[
        tuple[float, float],
        typer.Option(metavar="LOW HIGH", help="Range of mean photons per pixel of structure in simulated pairs."),
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
    """Train a network that restores dim images of any microscope, from pairs taken in low and high light.

    Pairs are files of the same names in two folders. They are checked (size, values, shift, magnification, order of the
    files, which folder is the noisy one) and registered. The last fifth of the files (of
    a single file: the right fifth of its field) is held out and decides when training ends; a picture (noisy, restored,
    wanted) and a checkpoint are kept beside the weights. Without --low and --high it learns from simulated tubes and
    granules under a light sheet or a confocal.

    Use the result with `rdl-live restore`. With --probabilistic it also writes the confidence of each pixel, with
    --ensemble 5 where the networks disagree.

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
    check_photons(photons)
    return SceneSettings(
        instruments=tuple(Instrument) if modality is None else (Instrument(modality),),
        structures=structures_of(structure),
        photons=photons,
    )
