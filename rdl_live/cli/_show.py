"""What several verbs show: patterns as a table, warnings, a progress bar."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

UNTRUSTED = 3
"""Exit code where all was done and nothing of it can be trusted; as of trainings that do not help."""

if TYPE_CHECKING:  # torch takes a second to load
    from rdl_live.optics import PatternSet


def pattern_table(patterns: "PatternSet") -> Table:
    """Return the patterns as a person reads them."""
    import math

    # What decides is never cut, however narrow the terminal: other columns are folded.
    table = Table(title="illumination patterns", title_justify="left", padding=(0, 0, 0, 1))
    for heading in ("", "direction °", "period nm", "phases °", "contrast", "score", "verdict"):
        verdict = heading == "verdict"
        table.add_column(
            heading,
            justify="left" if verdict else "right",
            no_wrap=verdict,
            min_width=len("not trusted") if verdict else None,
        )
    for index, pattern in enumerate(patterns, start=1):
        table.add_row(
            str(index),
            f"{pattern.angle_deg:.1f}",
            " ".join(f"{pattern.period_um * 1000 / (1 + order):.1f}" for order in range(len(pattern.modulation))),
            " ".join(f"{math.degrees(phase) % 360:.0f}" for phase in pattern.phases_rad),
            " ".join(f"{depth:.2f}" for depth in pattern.modulation),
            f"{pattern.score:.1f}",
            "[green]trusted[/]" if pattern.trusted else "[red]not trusted[/]",
        )
    return table


def show_assumed(sentence: str) -> None:
    """Print which channel was assumed, if one was: no warning, for nothing is known to be wrong."""
    if sentence:
        Console(highlight=False).print(sentence, markup=False, soft_wrap=True)


def show_warnings(warnings: list[str]) -> None:
    """Print warnings to the error stream."""
    console = Console(stderr=True, highlight=False)
    for warning in warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False, soft_wrap=True)


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function (what, done, total) that moves a bar on the error stream."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)

        def show(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        yield show
