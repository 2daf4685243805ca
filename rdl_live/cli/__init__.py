"""One command with verbs. Modules of the verbs load what they need when they run, so that `--help` is quick."""

import os
import sys

from rdl_live._garbage import loading
from rdl_live._version import __version__
from rdl_live.errors import RdlError

with loading():
    import typer
    from rich.console import Console

    from rdl_live.cli._acquire import acquire
    from rdl_live.cli._assess import assess
    from rdl_live.cli._calibrate import calibrate
    from rdl_live.cli._compare import compare
    from rdl_live.cli._data import data
    from rdl_live.cli._demo import demo
    from rdl_live.cli._doctor import doctor
    from rdl_live.cli._estimate import estimate
    from rdl_live.cli._live import live
    from rdl_live.cli._models import models
    from rdl_live.cli._open import open_
    from rdl_live.cli._options import Verbs
    from rdl_live.cli._reconstruct import reconstruct
    from rdl_live.cli._recording import export, recover, verify
    from rdl_live.cli._restore import restore
    from rdl_live.cli._simulate import simulate
    from rdl_live.cli._terminal import lasting_streams
    from rdl_live.cli._train import train

USER_ERROR = 2
"""Exit code of everything that the user can mend."""

app = Verbs(
    name="rdl-live",
    help="Super-resolved images from structured-illumination microscopy (SIM).",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command()(reconstruct)
app.command()(restore)
app.command()(estimate)
app.command()(simulate)
app.command()(demo)
app.command()(live)
app.command(name="open")(open_)
app.command()(acquire)
app.command()(export)
app.command()(verify)
app.command()(recover)
app.command()(compare)
app.command()(assess)
app.command()(doctor)
app.add_typer(calibrate, name="calibrate")
app.add_typer(data, name="data")
app.add_typer(train, name="train")
app.add_typer(models, name="models")


def _version(wanted: bool) -> None:
    if wanted:
        Console().print(f"rdl-live {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Super-resolved images from structured-illumination microscopy (SIM)."""
    del version
    context.with_resource(lasting_streams())


def main() -> None:
    """Run the command; errors that the user can mend are printed without a traceback and exit with code 2."""
    with lasting_streams():
        try:
            app(prog_name=app.info.name)
        except RdlError as error:
            Console(stderr=True, highlight=False).print(f"error: {error}", style="red", markup=False, soft_wrap=True)
            _end_though_stuck(USER_ERROR)
            sys.exit(USER_ERROR)


def _end_though_stuck(code: int) -> None:
    """End the process at once where a device hangs: its orderly end would hang, too."""
    core = sys.modules.get("rdl_live.acquire.core")
    if core is not None and core.stuck:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
