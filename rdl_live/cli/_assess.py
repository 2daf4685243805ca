"""`rdl-live assess`: for which structure, in how much light, a network may be believed."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rdl_live.cli._options import Overwrite, Threads
from rdl_live.cli._show import progress_bar


def assess(
    models: Annotated[
        str, typer.Option(metavar="A,B,...", help="Weight files of `rdl-live train sr`, separated by commas.")
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for matrix.json and matrix.html.")],
    data: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="BioSR's folders; simulated specimens by default.")
    ] = None,
    microscope: Annotated[
        Path | None, typer.Option("--microscope", "-m", metavar="M.yaml", help="Microscope file of --data.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small matrix, in about two minutes.")] = False,
    threads: Threads = 2,
    overwrite: Overwrite = False,
) -> None:
    """Compare super-resolution networks with conventional SIM and rDL-SIM, by structure and light level.

    Each cell of the matrix has at least 20 images (--quick: 3) and their NRMSE, MS-SSIM and resolution. A network has
    priority where it is better than conventional SIM in all three. An assessment that was interrupted continues when it
    is started again.

    Examples:

        rdl-live assess --models dfcan.safetensors --out matrix --quick

        rdl-live assess --models dfcan.safetensors,edsr.safetensors --data BioSR -m M.yaml --out matrix
    """
    import torch

    from rdl_live.app.assess.page import advice
    from rdl_live.app.assess.run import PAGE, assess_models

    torch.set_num_threads(threads)
    with progress_bar() as progress:
        cells = assess_models(
            models.split(","),
            out,
            data=data,
            microscope=microscope,
            quick=quick,
            overwrite=overwrite,
            progress=progress,
        )
    console = Console(highlight=False)
    for text in advice(cells):
        console.print(text, markup=False, soft_wrap=True)
    console.print(f"wrote {out / PAGE}", markup=False, soft_wrap=True)
