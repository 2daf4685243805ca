"""`rdl-live recover`, `verify` and `export`: what to do with a recording afterwards."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from rdl_live.cli._options import AsJson, Overwrite, RecordingFolder


def recover(recording: RecordingFolder, as_json: AsJson = False) -> None:
    """Repair a recording after a crash of the program or the computer.

    Its length and its list of missing frames then say what the disk really holds. Nothing is deleted, and
    doing it twice does no harm. All but the last, unfinished series survive a crash.

    Examples:

        rdl-live recover cells.ome.zarr

        rdl-live recover cells.ome.zarr --json > recovered.json
    """
    from rdl_live.files.recorder import recover as recover_recording

    with _progress("reading") as step:
        report = recover_recording(recording, step)
    if as_json:
        _print_json(asdict(report))
        return
    console = Console()
    _lines(console, "yellow", report.problems)
    if report.leftovers:
        console.print(Text(f"{len(report.leftovers)} unfinished chunk(s) were left where they are"))
    if report.damaged_lines:
        console.print(Text(f"{report.damaged_lines} line(s) of the journal are damaged", style="yellow"))
    done = "put in order" if report.changed else "was in order"
    console.print(
        Text(
            f"{recording}: {done}: {report.series} complete series, {report.raw_frames} frames; "
            f"{report.incomplete} incomplete series, {report.missing} frames missing"
        )
    )


def verify(recording: RecordingFolder, as_json: AsJson = False) -> None:
    """Read a whole recording and compare every frame with the checksum taken when it was recorded.

    Exit code 0 if all is well, else 1. Changes nothing.

    Examples:

        rdl-live verify cells.ome.zarr

        rdl-live verify /backup/cells.ome.zarr --json
    """
    from rdl_live.files.recorder import verify as verify_recording

    with _progress("verifying") as step:
        report = verify_recording(recording, step)
    if as_json:
        _print_json({**asdict(report), "ok": report.ok})
    else:
        console = Console()
        _lines(console, "bold red", report.problems)
        verdict = "all is well" if report.ok else f"{len(report.problems)} problem(s)"
        told = f"{recording}: {report.verified} frames of {report.series} series verified; {verdict}"
        console.print(Text(told))
    if not report.ok:
        raise typer.Exit(1)


def export(
    recording: RecordingFolder,
    out: Annotated[Path, typer.Argument(metavar="OUT.ome.tif", help="OME-TIFF to write.")],
    channel: Annotated[
        str | None, typer.Option(metavar="NAME", help="This colour only, by name, or by number from 0.")
    ] = None,
    position: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="This stage position only, 0 for the first.")
    ] = None,
    z: Annotated[int | None, typer.Option("--z", min=0, metavar="N", help="This plane only, 0 for the first.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a recording to OME-TIFF, for other programs: a file per stage position, all colours, planes and times.

    With several positions the files are OUT-p0.ome.tif, OUT-p1.ome.tif, ... Angles and phases are named by Modulo
    annotations; when and where each plane was taken, z step and colours are in the OME-XML. Missing frames are zeros,
    and listed in the file's metadata.

    Examples:

        rdl-live export cells.ome.zarr cells.ome.tif

        rdl-live export cells.ome.zarr red.ome.tif --channel 561 --position 2 --overwrite
    """
    from rdl_live.files.recorder import export_tiffs

    with _progress("exporting") as step:
        written = export_tiffs(recording, out, overwrite, channel=channel, position=position, z=z, progress=step)
    console = Console(stderr=True)
    for file in written:
        if file.missing_frames:
            _lines(console, "yellow", (f"{file.path}: {file.missing_frames} frame(s) are missing, and zeros here",))
        if file.time_points:
            console.print(Text(f"{file.path}: {file.time_points} time points written"))
        else:
            _lines(console, "yellow", (f"{file.path}: not written, for nothing was recorded at this position",))


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)

        def step(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield step


def _lines(console: Console, style: str, lines: tuple[str, ...]) -> None:
    for line in lines:
        console.print(Text(line, style=style))


def _print_json(content: dict[str, Any]) -> None:
    typer.echo(json.dumps(content, indent=2, default=str))
