"""`rdl-live live`: the window on a microscope."""

from pathlib import Path
from typing import Annotated

import typer

from rdl_live.cli._options import Rig
from rdl_live.errors import ConfigError


def live(
    microscope: Rig,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for recordings; by default the one used last.")
    ] = None,
    denoise: Annotated[
        str | None, typer.Option(metavar="NAME", help="Denoiser to begin with: none, rdl, or a weight file.")
    ] = None,
    no_memory: Annotated[
        bool, typer.Option("--no-memory", help="Begin with each series denoised by itself, without those before it.")
    ] = False,
) -> None:
    """Open the live window on your microscope: live view, snaps, recordings. The light stays off until you turn it on.

    Example:

        rdl-live live --microscope configs/demo.yaml
    """
    from rdl_live.app.windows.screen import no_screen

    if not microscope.is_file():
        raise ConfigError(f"{microscope}: does not exist; give the path of a microscope file")
    from rdl_live.files import load_microscope

    scope = load_microscope(microscope)
    if scope.hardware is None:
        raise ConfigError(
            f"{microscope}: has no hardware section, which says what devices there are; copy one from "
            "configs/demo.yaml, or try `rdl-live demo`"
        )
    if (reason := no_screen()) is not None:
        raise ConfigError(f"no window: {reason}; use `rdl-live acquire` where there is no screen")
    if denoise is not None:
        from rdl_live.app.denoiser import check_denoiser

        check_denoiser(denoise, scope, live=True)
    from rdl_live.app.windows.live import microscope_session, run_window
    from rdl_live.view.common.memory import Memory

    # Each microscope has its own memory: the power of one is not that of another.
    memory = Memory(f"live-{microscope.resolve().stem}")
    session = microscope_session(microscope, memory, denoise, series_memory=False if no_memory else None)
    raise typer.Exit(run_window(session, f"rdl-live: {microscope.stem}", memory, folder))
