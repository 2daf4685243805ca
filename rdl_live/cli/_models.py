"""`rdl-live models`: which weights there are, and what they are good for."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

models = typer.Typer(help="The denoisers' weights.", no_args_is_help=True)
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Shipped weights, or a weight file.")]


@models.command("list")
def list_models() -> None:
    """List the weights that come with the program."""
    from rdl_models import find_weights, read_card, shipped

    table = Table()
    for heading in ("name", "architecture", "MB", "steps", "trained for"):
        table.add_column(heading, justify="right" if heading in ("MB", "steps") else "left")
    for name in shipped():
        path = find_weights(name)
        card = read_card(path)
        ranges = (f"{what} {span.low:g}-{span.high:g}" for what, span in card.valid.items())
        size = f"{path.stat().st_size / 1e6:.2f}"
        table.add_row(name, card.architecture, size, str(card.steps), ", ".join(ranges))
    Console(highlight=False).print(table)


@models.command()
def show(name: _Name) -> None:
    """Print everything that a weight file says of itself, as JSON."""
    from rdl_models import find_weights, read_card

    typer.echo(read_card(find_weights(name)).model_dump_json(indent=2))


@models.command()
def path(name: _Name) -> None:
    """Print where weights lie."""
    from rdl_models import find_weights

    typer.echo(str(find_weights(name)))
