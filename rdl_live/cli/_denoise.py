"""`rdl-live denoise`: a noisy z-stack time-lapse in, a denoised one out."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rdl_live.cli._show import progress_bar, show_warnings


def denoise(
    raw: Annotated[Path, typer.Argument(metavar="STACKS", help="Z-stacks: TIFF, OME-TIFF, OME-Zarr or MRC.")],
    microscope: Annotated[
        Path, typer.Option("--microscope", "-m", metavar="M.yaml", help="Microscope file: optics, channels, camera.")
    ],
    weights: Annotated[Path, typer.Option(metavar="W.safetensors", help="Of `train sis`, or `train tis --volume`.")],
    out: Annotated[Path, typer.Option(metavar="OUT.tif", help="File to write (OME-TIFF, float32 photons).")],
    planes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Planes of a z-stack, where the file does not say.")
    ] = None,
    channel: Annotated[str | None, typer.Option(metavar="NAME", help="Colour; the first by default.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 2,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")] = False,
) -> None:
    """Denoise z-stacks, or time-lapses of them, with weights that were trained on such recordings.

    Values are photons a voxel; nothing is rescaled. One time point is in memory at a time. For SIM series it is
    `rdl-live reconstruct --denoise`.

    Example:

        rdl-live denoise stacks.tif --microscope M.yaml --weights volume.safetensors --out denoised.tif
    """
    import torch

    from rdl_live.app.retrain.volumes import denoise_volumes
    from rdl_live.files import check_output

    check_output(out, overwrite, inputs=[raw, microscope, weights])
    torch.set_num_threads(threads)
    with progress_bar() as progress:
        warnings = denoise_volumes(
            raw, microscope, weights, out, planes=planes, channel=channel, overwrite=overwrite, progress=progress
        )
    show_warnings(warnings)
    Console(highlight=False).print(f"wrote {out}", markup=False, soft_wrap=True)
