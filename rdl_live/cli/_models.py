"""`rdl-live models`: which weights there are, and what they are good for."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from rdl_live.cli._options import Overwrite, Verbs

models = Verbs(help="List, show, export and import weights.")
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Shipped weights, or a weight file.")]


@models.command("list")
def list_models() -> None:
    """List the weights that come with the program."""
    from rdl_models import find_weights, read_card, shipped

    table = Table()
    for heading in ("name", "architecture", "MB", "steps", "good for"):
        table.add_column(heading, justify="right" if heading in ("MB", "steps") else "left")
    for name in shipped():
        path = find_weights(name)
        card = read_card(path)
        ranges = (f"{what} {span.low:g}-{span.high:g}" for what, span in card.valid.items())
        size = f"{path.stat().st_size / 1e6:.2f}"
        table.add_row(name, card.architecture, size, str(card.all_steps), ", ".join(ranges))
    Console(highlight=False).print(table)


@models.command()
def show(name: _Name) -> None:
    """Print the card of a weight file (what it was trained for, on what, and its limits), as JSON."""
    from rdl_models import find_weights, read_card

    typer.echo(read_card(find_weights(name)).model_dump_json(indent=2))


@models.command()
def path(name: _Name) -> None:
    """Print where weights are stored."""
    from rdl_models import find_weights

    typer.echo(str(find_weights(name)))


@models.command("export")
def export_model(
    name: _Name,
    out: Annotated[Path, typer.Option(metavar="P.zip", help="Package to write.")],
    author: Annotated[str, typer.Option(metavar="NAME", help="Who trained them.")] = "a user of rdl-live",
    license_id: Annotated[
        str, typer.Option("--license", metavar="SPDX", help="SPDX identifier of their licence.")
    ] = "BSD-3-Clause",
    overwrite: Overwrite = False,
) -> None:
    """Write weights as a package of the bioimage.io model zoo, with a card in words, test input and output.

    The package is checked by the zoo's own library, an extra: `pip install rdl-live[bioimageio]`.

    Example:

        rdl-live models export mine.safetensors --out mine.zip --author "A. Microscopist"
    """
    from rdl_live.app.exchange.export import export_package

    export_package(name, out, author=author, license_id=license_id, overwrite=overwrite)
    Console(highlight=False).print(f"wrote {out}", markup=False, soft_wrap=True)


@models.command("import")
def import_model(
    package: Annotated[Path, typer.Argument(metavar="P.zip", help="Package of `models export`.")],
    out: Annotated[
        Path | None, typer.Option(metavar="W.safetensors", help="Weight file to write; named as its card by default.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Import weights from a package; sizes, names, hashes and the package's test output are checked.

    Only the safetensors file is read; nothing in the package is executed or unpacked.

    Example:

        rdl-live models import mine.zip --out mine.safetensors
    """
    from rdl_live.app.exchange.package import import_package

    target, card = import_package(package, out, overwrite=overwrite)
    Console(highlight=False).print(
        f"wrote {target}: {card.architecture}, {card.steps} steps; its test output is reproduced",
        markup=False,
        soft_wrap=True,
    )
