"""`rdl-live compare`: which denoiser is better on a recording, without ground truth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from rdl_live.cli._options import (
    Channel,
    MicroscopeFile,
    Order,
    Overwrite,
    PatternsFrom,
    Planes,
    Position,
    Raw,
    Threads,
    Tiles,
)
from rdl_live.cli._show import progress_bar, show_assumed, show_warnings
from rdl_live.errors import ConfigError

if TYPE_CHECKING:  # torch takes a second to load
    from rdl_live.app.compare.run import Comparison


def compare(
    raw: Raw,
    microscope: MicroscopeFile,
    models: Annotated[
        str, typer.Option(metavar="A,B,...", help="Shipped names, weight files, or none; the first is the reference.")
    ],
    page: Annotated[
        Path | None,
        typer.Option("--out", metavar="P.html", help="Page of pictures; by default RAW's name-compare.html."),
    ] = None,
    report: Annotated[Path | None, typer.Option("--json", metavar="R.json", help="Also write all figures.")] = None,
    channel: Channel = None,
    patterns: PatternsFrom = None,
    position: Position = None,
    order: Order = None,
    planes: Planes = None,
    tiles: Tiles = None,
    threads: Threads = 2,
    overwrite: Overwrite = False,
) -> None:
    """Compare denoisers on a recording: which predicts held-out photons better, and how sure is that?

    Every model restores 80 % of the photons, and is judged on the remaining 20 %. Time points that a model was trained
    on are left out. Residuals, agreement of independent halves (FRC) and patterns are checked as well. A model is
    better, worse, equal, or unknown (the recording does not decide it). Only a model that is better and has no warnings
    is offered for use.

    Example:

        rdl-live compare film.tif --microscope M.yaml --models rdl,mine.safetensors
    """
    import json

    import torch

    from rdl_live.app.compare.candidate import candidates
    from rdl_live.app.compare.page import write_page
    from rdl_live.app.compare.run import compare as compared
    from rdl_live.app.retrain.films import open_film
    from rdl_live.files import atomic_write, check_output
    from rdl_live.files.raw import said

    reading = said(position=position, order=order, planes=planes, tiles=tiles)
    target = page or raw.with_name(f"{raw.name.removesuffix('.tif').removesuffix('.ome')}-compare.html")
    for path in (target, report):
        if path is not None:
            check_output(path, overwrite, inputs=[raw, microscope])
    if report is not None and report.resolve() == target.resolve():
        raise ConfigError("--out and --json must be different files")
    torch.set_num_threads(threads)
    chosen = candidates(models.split(","))
    with progress_bar() as progress:
        progress("finding the patterns", 0, 1)
        opened = open_film(raw, microscope, channel=channel, reading=reading, patterns=patterns)
        found = compared(
            opened.film, chosen, progress=progress, warnings=opened.warnings, channel_assumed=bool(opened.assumed)
        )
    write_page(target, found, overwrite=overwrite)
    if report is not None:
        with atomic_write(report, overwrite) as temporary:
            temporary.write_text(json.dumps(found.record(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    show_assumed(opened.assumed)
    _show(found)
    Console(highlight=False).print(f"wrote {target}", markup=False, soft_wrap=True)


def _show(found: "Comparison") -> None:
    table = Table()
    for heading in (
        "model",
        "error / Wiener's",
        "/ first model's (95 %)",
        "residual",
        "FRC nm",
        "from noise",
        "standing",
    ):
        table.add_column(heading, justify="left" if heading in ("model", "standing") else "right")
    for one in found.verdicts:
        table.add_row(
            one.model.name,
            f"{one.error.value:.3f}",
            str(one.to_first),
            f"{one.health.variance:.2f}",
            "" if one.health.frc_nm is None else f"{one.health.frc_nm:.0f}",
            f"{one.health.from_noise:.3f}",
            "cannot tell" if one.standing == "unknown" else one.standing,
        )
    console = Console(highlight=False)
    console.print(table)
    for one in found.verdicts[1:]:
        console.print(f"{one.model.name}: {one.words}", markup=False, soft_wrap=True)
        show_warnings([f"{one.model.name}: {text}" for text in one.warnings])
    console.print(found.words, markup=False, soft_wrap=True)
    show_warnings(list(found.warnings))
