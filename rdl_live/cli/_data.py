"""`rdl-live data`: a catalogue of recordings to retrain on."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from rdl_live.cli._options import Channel, MicroscopeFile, Order, Planes, Position, Tiles, Verbs
from rdl_live.cli._show import show_warnings

data = Verbs(help="A catalogue of recordings to retrain on.")
_File = Annotated[Path, typer.Option(metavar="C.json", help="The catalogue.")]


@data.command()
def add(
    raws: Annotated[list[Path], typer.Argument(metavar="RAW...", help="Recordings of one microscope.")],
    microscope: MicroscopeFile,
    catalogue: _File = Path("catalogue.json"),
    channel: Channel = None,
    position: Position = None,
    order: Order = None,
    planes: Planes = None,
    tiles: Tiles = None,
) -> None:
    """Measure light, bleaching, motion and patterns of recordings, and note them in the catalogue.

    It also says whether retraining on each is likely to help, and which gains would show, before any time is spent.

    Example:

        rdl-live data add film1.tif film2.tif --microscope M.yaml
    """
    from rdl_live.app.retrain.catalogue import Catalogue, examine
    from rdl_live.files.raw import said

    reading = said(position=position, order=order, planes=planes, tiles=tiles)
    known = Catalogue.load(catalogue)
    for raw in raws:
        entry = examine(raw, microscope, channel, reading)
        known = known.with_entry(entry)
        known.save(catalogue)
        console = Console(highlight=False)
        console.print(f"added {raw} to {catalogue}", markup=False, soft_wrap=True)
        console.print(f"retraining: {entry.retraining}: {entry.outlook}", markup=False, soft_wrap=True)
        if entry.series_out_of_step:
            listed = ", ".join(str(time) for time in entry.series_out_of_step)
            show_warnings([f"{raw.name}: the frames of series {listed} do not fit the patterns; leave them out"])


@data.command("list")
def list_data(catalogue: _File = Path("catalogue.json")) -> None:
    """List the recordings, and which retraining suits each."""
    from rdl_live.app.retrain.catalogue import Catalogue

    table = Table()
    for heading in ("recording", "time points", "photons", "bleached", "motion nm", "patterns", "retrain by", "helps"):
        left = heading in ("recording", "patterns", "retrain by", "helps")
        table.add_column(heading, justify="left" if left else "right")
    for one in Catalogue.load(catalogue).recordings:
        table.add_row(
            Path(one.raw).name,
            str(one.time_points),
            f"{one.photons_per_pixel:.1f}",
            f"{one.bleached:.0%}",
            "" if one.motion_nm is None else f"{one.motion_nm:.0f}",
            "trusted" if one.patterns_trusted else "not trusted",
            one.scheme or "",
            one.retraining or "",
        )
    Console(highlight=False).print(table)


@data.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="File name, path or fingerprint.")],
    catalogue: _File = Path("catalogue.json"),
) -> None:
    """Print everything that is known about a recording, as JSON."""
    from rdl_live.app.retrain.catalogue import Catalogue

    typer.echo(Catalogue.load(catalogue).find(name).model_dump_json(indent=2))
