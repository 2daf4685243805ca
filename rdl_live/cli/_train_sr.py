"""`rdl-live train sr`: single-step super-resolution networks, from simulated scenes, recordings or pairs on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rdl_live.cli._ending import orderly_end
from rdl_live.cli._options import (
    Channel,
    Device,
    Minutes,
    Order,
    OverwriteTraining,
    Planes,
    Position,
    Resume,
    Seed,
    Steps,
    Threads,
    Tiles,
    WeightsOut,
    Workers,
    checked_settings,
)
from rdl_live.cli._show import show_warnings
from rdl_live.cli._training import Batch, Board, Half, Network, Rate, Size, Start, numbers, run_training
from rdl_live.errors import ConfigError

if TYPE_CHECKING:  # torch takes a second to load
    from rdl_live.files import RawRequest
    from rdl_live.train.loop.loop import Step
    from rdl_live.train.pairs.field import PairField
    from rdl_models import Architecture, Span

FRAMES = {1: None, 9: (3, 3), 25: (5, 5)}
"""Orientations and phases of the series that a network takes; None where it takes their mean."""
STRUCTURES = ("rings", "reticulum", "filaments", "actin")
"""Of rising complexity: clathrin-coated pits, ER, microtubules, F-actin."""
SPREAD = 16
"""Channels of the head that says how wrong an image may be; the papers' networks have none."""
_NONLINEAR = (5, 5)
_Raws = Annotated[
    list[Path] | None, typer.Argument(metavar="[RAW...]", help="Your own SIM recordings; simulated scenes by default.")
]
_Pairs = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Pairs on disk: BioSR's cells, or folders input and target."),
]
_Scope = Annotated[
    Path | None,
    typer.Option(
        "--microscope", "-m", metavar="M.yaml", help="Microscope file; with RAW, or to have --pairs in photons."
    ),
]


def sr(
    out: WeightsOut,
    raws: _Raws = None,
    architecture: Annotated[
        str, typer.Option(metavar="NAME", help="dfcan, dfgan, rcan, ...: see `rdl-live models list`.")
    ] = "dfcan",
    frames: Annotated[
        int,
        typer.Option(
            metavar="1|9|25", help="1: from one widefield image; 9 or 25: from the 3 x 3 or 5 x 5 of a series."
        ),
    ] = 1,
    factor: Annotated[
        int, typer.Option(metavar="2|3", help="Pixels of the result for one of the camera, each way.")
    ] = 2,
    published: Annotated[
        bool,
        typer.Option(
            "--published", help="The paper's network size and learning rate, for a GPU; by default a smaller network."
        ),
    ] = False,
    pairs: _Pairs = None,
    microscope: _Scope = None,
    channel: Channel = None,
    position: Position = None,
    order: Order = None,
    planes: Planes = None,
    tiles: Tiles = None,
    network: Network = None,
    minutes: Minutes = 20.0,
    steps: Steps = None,
    start: Start = None,
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
    batch: Batch = 2,
    seed: Seed = 1,
    overwrite: OverwriteTraining = False,
) -> None:
    """Train a network that super-resolves a single image, or the frames of a series, in one step.

    It learns from simulated clathrin-coated pits, ER, microtubules and F-actin at many light levels; from your own SIM
    (RAW: the photons of a series are divided; the widefield image of a part is shown, the SIM image of the rest is the
    target; series that do not fit the patterns are left out); or on pairs on disk. A checkpoint (once a minute) and a
    preview are kept beside the weights; Ctrl-C keeps the checkpoint. What such a network shows beyond the diffraction
    limit is inferred.

    Examples:

        rdl-live train sr --out dfcan.safetensors

        rdl-live train sr --architecture rcan --out mine.safetensors cells.ome.zarr --microscope M.yaml

        rdl-live train sr --architecture dfgan --published --pairs BioSR/F-actin --out W.safetensors --device cuda
    """
    from rdl_models import find_weights, read_card

    kind = _architecture(architecture)
    if frames not in FRAMES:
        raise ConfigError(f"--frames {frames}: networks take 1 (widefield), 9 (3 x 3) or 25 (5 x 5) frames")
    if factor not in (2, 3):
        raise ConfigError(f"--factor {factor}: images are made 2 or 3 times as fine as the camera's")
    if raws and pairs is not None:
        raise ConfigError(f"{raws[0]} --pairs {pairs}: choose recordings or pairs on disk, not both")
    if raws and microscope is None:
        raise ConfigError(f"{raws[0]}: recordings need --microscope M.yaml, the file of their microscope")
    if microscope is not None and not raws and pairs is None:
        raise ConfigError(
            f"--microscope {microscope}: simulated scenes are of many microscopes; add RAW or --pairs, or leave it out"
        )
    small = kind.small if not published else None
    sizes: dict[str, Any] = {} if small is None or start is not None else {**small.fields, "spread": SPREAD}
    wanted: dict[str, Any] = {
        "architecture": architecture,
        "network": {**sizes, "channels": frames, "scale": factor, **numbers(network)},
        "minutes": minutes,
        "steps": steps,
        "batch": batch,
        "seed": seed,
        "half_precision": half,
        "learning_rate": rate or (kind.learning_rate if small is None else small.learning_rate),
    }
    if error_only and (raws or pairs is not None):
        raise ConfigError("--error-only: is for simulated scenes; leave it out, or leave RAW and --pairs out")
    if start is not None:
        config = dict(read_card(find_weights(start)).config)
        _check_start(start, config, frames, factor)
        if error_only and not config.get("spread"):
            wanted["network"] = {"spread": SPREAD, **wanted["network"]}
    if not raws and pairs is None:
        wanted |= {
            "scenes": _scenes(frames, factor, size),
            "workers": workers,
            "start": start,
            "error_only": error_only,
        }
        run_training(out, wanted, device, threads, resume=resume, overwrite=overwrite, tensorboard=tensorboard)
        return
    from rdl_live.files.raw import said

    reading = said(position=position, order=order, planes=planes, tiles=tiles)
    found = _from_files(raws or [], pairs, microscope, channel, reading, frames, factor, device)
    _train(
        found,
        out,
        {**wanted, "patch": size},
        start,
        device,
        threads,
        resume=resume,
        overwrite=overwrite,
        tensorboard=tensorboard,
    )


def _architecture(name: str) -> "Architecture":
    from rdl_models import ARCHITECTURES, Task

    known = {one: ARCHITECTURES.find(one) for one in ARCHITECTURES.names()}
    suited = {one: kind for one, kind in known.items() if kind is not None and kind.task == Task.SUPER_RESOLUTION}
    if name not in suited:
        other = known.get(name)
        does = "no such network" if other is None else f"it {other.words}"
        raise ConfigError(f"--architecture {name}: {does}; networks that super-resolve are {', '.join(suited)}")
    return suited[name]


def _check_start(start: str, config: Mapping[str, Any], frames: int, factor: int) -> None:
    for option, wanted, field in (("--frames", frames, "channels"), ("--factor", factor, "scale")):
        if field in config and config[field] != wanted:
            raise ConfigError(
                f"--from {start}: these weights have {option} {config[field]}, {option} {wanted} is asked for; leave "
                "--from out, or ask for what they have"
            )


def _scenes(frames: int, factor: int, size: int) -> dict[str, Any]:
    """Return what scenes are like."""
    scenes: dict[str, Any] = {"size": size, "kinds": STRUCTURES, "photons": {"low": 0.5, "high": 1000.0}}
    geometry = FRAMES[frames]
    if factor == 3:
        scenes |= {"factor": 3, "harmonics": 1 if frames == 9 else 2}
        geometry = geometry or _NONLINEAR
    if geometry is not None:
        scenes |= {"angles": geometry[:1], "phases": geometry[1:]}
    return scenes


class _Found:
    """Pairs, ready to be learnt from."""

    def __init__(self, fields: "list[PairField]", valid: "Mapping[str, Span]", source: str, notes: list[str]) -> None:
        self.fields, self.valid, self.source, self.notes = fields, valid, source, notes


def _from_files(
    raws: list[Path],
    pairs: Path | None,
    microscope: Path | None,
    channel: str | None,
    reading: "RawRequest",
    frames: int,
    factor: int,
    device: str,
) -> _Found:
    from rdl_live.app.device import choose_device
    from rdl_live.app.retrain.own_pairs import optics_of, own_pairs
    from rdl_live.files import load_microscope
    from rdl_live.train.pairs.folders import open_pairs, pixel_size
    from rdl_models import Span

    if pairs is None:
        assert microscope is not None  # `sr` has looked
        found = own_pairs(
            raws, microscope, frames, factor, channel=channel, reading=reading, device=choose_device(device)
        )
        return _Found(found.fields, found.valid, ", ".join(raw.name for raw in raws), list(found.notes))
    if microscope is not None:
        scope = load_microscope(microscope)
        fields = open_pairs(pairs, frames, factor, scope.camera)
        return _Found(fields, optics_of(scope, scope.channel(channel)), pairs.name, [])
    pixel = pixel_size(pairs)
    near = {} if pixel is None else {"pixel_size_um": Span(low=0.95 * pixel, high=1.05 * pixel)}
    note = f"{pairs}: its values are taken as photons, with no offset; add --microscope M.yaml for a camera's"
    return _Found(open_pairs(pairs, frames, factor), near, pairs.name, [note])


def _train(
    found: _Found,
    out: Path,
    wanted: dict[str, Any],
    start: str | None,
    device: str,
    threads: int,
    *,
    resume: bool,
    overwrite: bool,
    tensorboard: Path | None,
) -> None:
    """Train on pairs and show how it goes."""
    import torch

    from rdl_live.app.device import choose_device
    from rdl_live.train.pairs.run import train_on_pairs
    from rdl_live.train.pairs.settings import PairSettings

    settings = checked_settings(PairSettings, wanted)
    torch.set_num_threads(threads)
    show_warnings(found.notes)
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn())
    console = Console(stderr=True, highlight=False)
    with orderly_end(out) as after_step, Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading the first pairs", total=1.0)

        def watch(step: "Step") -> None:
            text = f"step {step.number}  loss {step.loss:.3f}  error {step.mean_gain:.3f} of the widefield image's"
            progress.update(task, completed=step.done, description=text)
            after_step()

        card = train_on_pairs(
            found.fields,
            out,
            settings,
            source=found.source,
            valid=found.valid,
            start=start,
            device=choose_device(device),
            resume=resume,
            overwrite=overwrite,
            watch=watch,
            board=tensorboard,
            notify=lambda text: progress.console.print(text, markup=False, soft_wrap=True),
        )
    error = card.scores["held_out"]
    Console(highlight=False).print(
        f"wrote {out}: {card.steps} steps in {card.minutes:.1f} minutes; on fields that were held out, error "
        f"{error:.3f} of the widefield image's",
        markup=False,
        soft_wrap=True,
    )
