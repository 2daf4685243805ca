"""`rdl-live open`: browse a recording."""

from pathlib import Path
from typing import Annotated

import typer

from rdl_live.cli._options import Order, Planes, Tiles


def open_(
    recording: Annotated[
        Path,
        typer.Argument(metavar="RECORDING", help="Folder of a recording, raw.ome.zarr, sr.ome.zarr, or any raw file."),
    ],
    microscope: Annotated[
        Path | None,
        typer.Option(
            "--microscope", "-m", metavar="M.yaml", help="Microscope file; required for files of other programs."
        ),
    ] = None,
    order: Order = None,
    planes: Planes = None,
    position: Annotated[
        str | None, typer.Option(metavar="NAME|N", help="Stage position to show first, by name or number from 0.")
    ] = None,
    channel: Annotated[
        str | None, typer.Option(metavar="NAME|N", help="Colour to show first, by name or number from 0.")
    ] = None,
    tiles: Tiles = None,
) -> None:
    """Browse a recording: raw, widefield, SIM and denoised images side by side, through time, colours, planes.

    Recorded super-resolved images are shown as they were recorded; where there are none, they are computed on demand
    with the recorded patterns. Missing and flagged frames are marked. Nothing is changed.

    Examples:

        rdl-live open demo-out

        rdl-live open cells.tif --microscope M.yaml

        rdl-live open night --channel 561 --position 2
    """
    from rdl_live.app.windows.browser import run_browser
    from rdl_live.files.raw import said

    reading = said(order=order, planes=planes, tiles=tiles)
    raise typer.Exit(run_browser(recording, microscope, reading=reading, position=position, channel=channel))
