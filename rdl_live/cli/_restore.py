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
    Threads,
    Tiles,
)
from rdl_live.cli._show import progress_bar, show_warnings


def restore(
    raw: Annotated[Path, typer.Argument(metavar="IMAGE", help=f"Images or stacks: {KINDS}.")],
    weights: Annotated[
        str,
        typer.Option(metavar="NAME|W.safetensors", help="Shipped weights or a weight file; they decide what is done."),
    ],
    out: Annotated[Path, typer.Option(metavar="OUT.tif", help="File to write (OME-TIFF, float32 photons).")],
    microscope: Annotated[
        Path | None,
        typer.Option("--microscope", "-m", metavar="M.yaml", help="Microscope file; only single images need none."),
    ] = None,
    planes: Planes = None,
    channel: Channel = None,
    position: Position = None,
    order: Order = None,
    tiles: Tiles = None,
    device: Device = "auto",
    threads: Threads = 2,
    overwrite: Overwrite = False,
) -> None:
    """Restore images or stacks with weights: what is done depends on what they were trained for.

    Weights of `train sis` and `train tis --volume` denoise z-stacks and time-lapses of them. Weights of
    `train denoise`, `train tis`, `train split` and the shipped ones denoise SIM series and super-resolve them, as
    `rdl-live reconstruct --denoise` does with more options. Weights of `train sr` super-resolve single images, or
    SIM series where they were trained on 9 or 25 frames; without a microscope file values are taken as photons.

    Values are photons per pixel; nothing is rescaled. One time point is in memory at a time.

    Examples:

        rdl-live restore stacks.tif --microscope M.yaml --weights volume.safetensors --out denoised.tif

        rdl-live restore cell.tif --microscope M.yaml --weights rdl --out sr.tif
    """
    import torch

    from rdl_live.app.device import choose_device
    from rdl_live.app.restore.run import restore_file
    from rdl_live.files.raw import said

    torch.set_num_threads(threads)
    with progress_bar() as progress:
        warnings = restore_file(
            raw,
            microscope,
            weights,
            out,
            reading=said(position=position, order=order, planes=planes, tiles=tiles),
            channel=channel,
            device=choose_device(device),
            overwrite=overwrite,
            progress=progress,
        )
    show_warnings(warnings)
    Console(highlight=False).print(f"wrote {out}", markup=False, soft_wrap=True)
