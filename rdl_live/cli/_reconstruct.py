"""`rdl-live reconstruct`: a raw file in, a super-resolved file out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from rdl_live._names import NO_DENOISER
from rdl_live.cli._options import (
    Channel,
    Device,
    MicroscopeFile,
    Order,
    Overwrite,
    PatternsFrom,
    Planes,
    Position,
    Raw,
    Tiles,
)
from rdl_live.cli._show import UNTRUSTED, pattern_table, progress_bar, show_assumed, show_warnings
from rdl_live.errors import ConfigError

if TYPE_CHECKING:  # torch takes a second to load
    from rdl_live.app.reconstruct.report import Report


def reconstruct(
    raw: Raw,
    microscope: MicroscopeFile,
    out: Annotated[
        Path | None,
        typer.Option(metavar="SR.tif", help="Image to write; by default RAW's name with -sr.tif, beside it."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="R.json", help="Also write patterns, quality, times and warnings.")
    ] = None,
    preview: Annotated[
        Path | None, typer.Option(metavar="P.png", help="Also write a picture: raw, widefield, super-resolved.")
    ] = None,
    denoise: Annotated[str, typer.Option(metavar="NAME", help="Denoiser: none, rdl, or a weight file.")] = NO_DENOISER,
    memory: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            min=1,
            max=64,
            help="With a denoiser: where nothing changes, use up to N series of a time-lapse (6; on a cluster 1).",
        ),
    ] = None,
    no_memory: Annotated[
        bool, typer.Option("--no-memory", help="Denoise each series of a time-lapse by itself, as --memory 1 does.")
    ] = False,
    device: Device = "auto",
    channel: Channel = None,
    patterns: PatternsFrom = None,
    position: Position = None,
    order: Order = None,
    planes: Planes = None,
    tiles: Tiles = None,
    wiener: Annotated[
        float | None,
        typer.Option(metavar="W", help="Fixed Wiener parameter (0.01 to 0.3); measured from the data by default."),
    ] = None,
    apodization: Annotated[
        str, typer.Option(metavar="otf|triangle|cosine|none", help="Shape of the final transfer function.")
    ] = "otf",
    attenuation: Annotated[
        float | None,
        typer.Option(metavar="0..1", help="Suppress out-of-focus haze this strongly (0.9 is usual); off by default."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=64, help="Time points computed at once; by default one for each core."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS|local:N", help="Compute on a dask cluster, such as tcp://host:8786."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Reconstruct a raw SIM series or time-lapse; find the patterns and say which of them to trust.

    The image has twice as many pixels each way and shows the same field. Its values are photons per raw pixel area:
    nothing is rescaled, a flat field of 100 photons stays at 100.

    The exit code is 0 if any series is super-resolved in any direction (warnings say what is not), 3 if none is: the
    files are written then, but show no more than widefield images. It is 2 if something cannot be used.

    Examples:

        rdl-live reconstruct cell.tif --microscope M.yaml

        rdl-live reconstruct cell.tif -m M.yaml --out sr.tif --report report.json --preview preview.png

        rdl-live reconstruct dim.tif -m M.yaml --denoise rdl --patterns bright-report.json

        rdl-live reconstruct omx.dv -m M.yaml --order angle-z-phase

        rdl-live reconstruct demo-out -m M.yaml --channel 561 --position 0

        rdl-live reconstruct night.ome.zarr -m M.yaml --cluster tcp://server:8786
    """
    from rdl_live.app.device import choose_device
    from rdl_live.app.reconstruct.images import images_of_recording, with_suffix
    from rdl_live.app.reconstruct.run import Options
    from rdl_live.files.raw import said
    from rdl_live.optics import Apodization, Attenuation

    shapes = [str(kind) for kind in Apodization]
    if apodization not in shapes:
        raise ConfigError(f"--apodization {apodization!r}: choose {', '.join(shapes[:-1])} or {shapes[-1]}")
    try:
        notch = None if attenuation is None else Attenuation(strength=attenuation)
    except ValueError as error:
        raise ConfigError(f"--attenuation {attenuation}: must be at least 0 and below 1 (0.9 is usual)") from error
    if no_memory and memory is not None:
        raise ConfigError(f"--memory {memory:g} and --no-memory exclude each other; leave one of them out")
    options = Options(
        channel=channel,
        reading=said(position=position, order=order, planes=planes, tiles=tiles),
        denoise=denoise,
        memory=1.0 if no_memory else memory,
        patterns=patterns,
        wiener=wiener,
        apodization=Apodization(apodization),
        attenuation=notch,
        overwrite=overwrite,
        workers=workers,
        cluster=cluster,
    )
    any_right = False
    target = out or raw.with_name(f"{_stem(raw.name)}-sr.tif")
    for image in images_of_recording(raw, microscope, choose_device(device), options):
        out, to_report, to_preview = (
            None if path is None else with_suffix(path, image.suffix) for path in (target, report, preview)
        )
        assert out is not None  # `target` is a path
        show_assumed(image.run.recording.assumed)
        with progress_bar() as progress:
            result = image.run.reconstruct(out, report=to_report, preview=to_preview, progress=progress)
        _show(result, out, image.suffix.lstrip("-"))
        any_right |= result.super_resolved
    if not any_right:
        raise typer.Exit(UNTRUSTED)


def _show(result: "Report", out: Path, image: str) -> None:
    console = Console(highlight=False)
    if image:
        console.print(f"{image}:", markup=False)
    if len(result.patterns):
        console.print(pattern_table(result.patterns))
    sharpness = "not found" if result.resolution_um is None else f"{result.resolution_um * 1000:.0f} nm"
    figures = [f"resolution {sharpness}"]
    figures += [] if result.mcnr is None else [f"MCNR {result.mcnr:.1f}"]
    figures += [] if result.wiener is None else [f"Wiener {result.wiener:.3f}"]
    console.print(", ".join(figures))
    console.print(f"wrote {out}", markup=False, soft_wrap=True)
    show_warnings(result.warnings)


def _stem(name: str) -> str:
    """Return a file's name without the endings of raw recordings: cell.2.ome.tif is cell.2."""
    for ending in (".tif", ".tiff", ".mrc", ".zarr", ".ome"):
        if name.lower().endswith(ending) and len(name) > len(ending):
            name = name[: -len(ending)]
    return name
