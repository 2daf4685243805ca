"""`rdl-live restore`: a noisy image or stack in, and out comes what the weights were trained for."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rdl_live.cli._options import (
    KINDS,
    Channel,
    Device,
    Order,
    Overwrite,
    Planes,
    Position,
    Tiles,
)
from rdl_live.cli._show import progress_bar, show_warnings


def restore(
    raw: Annotated[Path, typer.Argument(metavar="IMAGE", help=f"Images or stacks: {KINDS}.")],
    weights: Annotated[
        str,
        typer.Option(
            metavar="NAME|W.safetensors", help="Shipped weights or a weight file; they determine what is done."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="OUT.tif", help="File to write (OME-TIFF, float32 photons).")],
    microscope: Annotated[
        Path | None,
        typer.Option(
            "--microscope",
            "-m",
            metavar="M.yaml",
            help="Microscope file; not required for single images or weights of `train care`.",
        ),
    ] = None,
    planes: Planes = None,
    channel: Channel = None,
    position: Position = None,
    order: Order = None,
    tiles: Tiles = None,
    device: Device = "auto",
    threads: Annotated[int | None, typer.Option(min=1, metavar="N", help="CPU threads; all cores by default.")] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="R.json", help="Report of weights of `train care`; by default OUT-report.json."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS|local:N", help="With weights of `train care`: compute on a dask cluster, tcp://host:8786."
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Restore images or stacks with trained weights; what they were trained for decides what is done.

    Weights of `train sis` and `train tis --volume` denoise z-stacks and time-lapses of them. Weights of
    `train denoise`, `train tis`, `train split` and the shipped ones denoise SIM series and super-resolve them, as
    `rdl-live reconstruct --denoise` does with more options. Weights of `train sr` super-resolve single images, or
    SIM series where they were trained on 9 or 25 frames; without a microscope file values are taken as photons.

    Weights of `train care` restore images and stacks (time, channel, z, y, x) of any microscope, in the unit of their
    pairs and without a microscope file, in blocks that need little memory. If they are probabilistic, OUT-sigma.tif has
    the scale of each voxel, OUT-disagreement.tif where an ensemble disagrees, and OUT-report.json the share of
    pixels with low confidence.

    All other weights work in photons per pixel; nothing is rescaled. One time point is in memory at a time.

    Examples:

        rdl-live restore stacks.tif --microscope M.yaml --weights volume.safetensors --out denoised.tif

        rdl-live restore cell.tif --microscope M.yaml --weights rdl --out sr.tif

        rdl-live restore dim.ome.tif --weights care.safetensors --out restored.tif
    """
    from rdl_live.app.device import choose_device
    from rdl_live.app.restore.care import free_threads
    from rdl_live.app.restore.run import restore_file
    from rdl_live.files.raw import said

    free_threads(threads)
    said_of_it: list[str] = []
    with progress_bar() as progress:
        warnings = restore_file(
            raw,
            microscope,
            weights,
            out,
            reading=said(position=position, order=order, planes=planes, tiles=tiles),
            channel=channel,
            device=choose_device(device),
            report=report,
            cluster=cluster,
            overwrite=overwrite,
            progress=progress,
            tell=said_of_it.append,
        )
    show_warnings(warnings)
    console = Console(highlight=False)
    for text in (f"wrote {out}", *said_of_it):
        console.print(text, markup=False, soft_wrap=True)
