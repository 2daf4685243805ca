"""`rdl-live estimate`: the patterns of a raw file, and how good they are."""

import json

import typer
from rich.console import Console

from rdl_live.cli._options import (
    AsJson,
    Channel,
    Device,
    MicroscopeFile,
    Order,
    PatternsFrom,
    Planes,
    Position,
    Raw,
    Tiles,
)
from rdl_live.cli._show import UNTRUSTED, pattern_table, show_assumed, show_warnings
from rdl_live.errors import ConfigError


def estimate(
    raw: Raw,
    microscope: MicroscopeFile,
    as_json: AsJson = False,
    device: Device = "auto",
    channel: Channel = None,
    patterns: PatternsFrom = None,
    position: Position = None,
    order: Order = None,
    planes: Planes = None,
    tiles: Tiles = None,
) -> None:
    """Find the illumination patterns: direction, period, phases, modulation, and whether to trust them.

    The search is blind, unless the microscope file gives pattern.period_um and pattern.angles_deg as first guesses.
    A score above 6.5 is trusted (above 9 if no other orientation shows a pattern); noise stays below 5.5.

    The exit code is 3 if no pattern of any image is trusted.

    Examples:

        rdl-live estimate cell.tif --microscope M.yaml

        rdl-live estimate cell.tif --microscope M.yaml --json

        rdl-live estimate dim.tif --microscope M.yaml --patterns bright.tif
    """
    from rdl_live.app.device import choose_device
    from rdl_live.app.reconstruct.images import images_of_recording
    from rdl_live.app.reconstruct.report import pattern_records
    from rdl_live.app.reconstruct.run import Options
    from rdl_live.files.raw import said

    reading = said(position=position, order=order, planes=planes, tiles=tiles)
    options = Options(channel=channel, reading=reading, patterns=patterns)
    console, records, any_right = Console(highlight=False), [], False
    for image in images_of_recording(raw, microscope, choose_device(device), options):
        run = image.run
        if not run.modality.searches:
            raise ConfigError(
                f"modality {run.modality.name}: there are no patterns to be estimated; `rdl-live reconstruct` "
                "makes its images"
            )
        found, warnings = run.estimate()
        any_right |= any(pattern.trusted for pattern in found)
        warnings += run.saturation_warnings() + run.step_warnings()
        seconds = {name: round(value, 6) for name, value in run.watch.seconds.items()}
        record = {
            "patterns": pattern_records(found),
            **run.channel_facts(found),
            **run.facts(),
            "seconds": seconds,
            "warnings": warnings,
        }
        records.append({"image": image.suffix.lstrip("-"), **record} if image.suffix else record)
        if not as_json:
            if image.suffix:
                console.print(f"{image.suffix.lstrip('-')}:", markup=False)
            show_assumed(run.recording.assumed)
            console.print(pattern_table(found))
            show_warnings(warnings)
    if as_json:
        typer.echo(json.dumps(records[0] if len(records) == 1 else {"images": records}, indent=2, allow_nan=False))
    if not any_right:
        raise typer.Exit(UNTRUSTED)
