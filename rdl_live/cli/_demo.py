"""`rdl-live demo`: the simulated microscope, live, without any data or devices of your own."""

import logging
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:  # torch and Micro-Manager take seconds to load
    from rdl_live.app.live_demo import Demo
    from rdl_live.app.live_values import LiveStatus

INTERRUPTED = 130
"""Exit code after Ctrl-C."""
REFRESH_S = 0.5


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Without a window.")] = False,
    seconds: Annotated[float, typer.Option(metavar="S", help="How long.")] = 15.0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for what is made; by default demo-out, demo-out-2, ..."),
    ] = None,
    photons: Annotated[float, typer.Option(metavar="N", help="Mean photons per raw pixel and frame.")] = 100.0,
    size: Annotated[int, typer.Option(metavar="N", help="Raw frame in pixels.")] = 256,
    denoise: Annotated[str, typer.Option(metavar="NAME", help="Denoiser: none, rdl, or a weight file.")] = "none",
    specimen: Annotated[str | None, typer.Option(help="Kind of specimen, as in `rdl-live simulate`.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another number, another specimen.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier demo left in DIR.")] = False,
) -> None:
    """Run a simulated SIM microscope live: record every raw frame, and super-resolve while it runs.

    DIR then holds raw.ome.zarr, sr.ome.zarr, preview.png (raw, widefield and super-resolved side by side) and
    report.json. Ctrl-C stops it early; what was taken until then is kept.

    Examples:

        rdl-live demo --headless

        rdl-live demo --headless --seconds 30 --photons 20 --out dim
    """
    from rdl_live.acquire import stopped_by_signals
    from rdl_live.app.live_demo import Demo, DemoSettings

    console = Console(stderr=True, highlight=False)
    if not headless:
        console.print("this version has no window yet: running headless", markup=False)
    out = out or free_folder(Path("demo-out"))
    settings = DemoSettings(out, seconds, photons, size, specimen, seed, denoise, overwrite)
    demo = Demo(settings, lambda text: console.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True))
    _quiet()
    with stopped_by_signals(demo.run.stop) as signals, demo.run:
        demo.run.start()
        _watch(demo, console)
        report = demo.finish()
    result = Console(highlight=False)
    latency = report["latency_ms"]
    result.print(
        f"{report['raw_frames']} raw frames ({report['raw_frames_dropped']} dropped), {report['sr_frames']} "
        f"super-resolved images at {report['sr_fps']:.1f} a second ({report['sr_dropped']} dropped), ready "
        f"{_ms(latency['p50'])} (95 %: {_ms(latency['p95'])}) after their last raw frame",
        markup=False,
        soft_wrap=True,
    )
    result.print(f"the picture is {out / 'preview.png'}", markup=False, soft_wrap=True)
    if signal.SIGINT in signals:
        raise typer.Exit(INTERRUPTED)


def free_folder(wanted: Path) -> Path:
    """Return `wanted`, or the first of wanted-2, wanted-3, ... that does not exist yet."""
    number, folder = 1, wanted
    while folder.exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def _quiet() -> None:
    """Keep Micro-Manager's notes (to be found in its log file) from tearing the status line."""
    import pymmcore_plus  # noqa: F401  # makes its handlers

    for handler in logging.getLogger("pymmcore-plus").handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.setLevel(logging.ERROR)


def _watch(demo: "Demo", console: Console) -> None:
    """Show the status line until the acquisition ends."""
    with console.status("starting ...", spinner="dots") as line:
        while demo.run.running:
            line.update(status_line(demo.run.status))
            demo.stop_if_overdue()
            time.sleep(REFRESH_S)
        line.update("closing the recordings ...")


def status_line(status: "LiveStatus") -> str:
    """Return where a run stands, in one line with rich's markup; delays are the median and the 95 % percentile."""
    if not status.raw_frames:
        return "starting ..."
    latency, photons, dose = status.latency, status.photons_per_pixel, status.dose_j_cm2
    parts = [
        f"[bold]{status.sr_fps:.1f} SR/s[/]",
        f"{status.raw_fps:.0f} raw/s",
        f"{status.raw_frames} frames" + (f" [red]{status.missing} missing[/]" if status.missing else ""),
        f"{status.dropped} dropped",
        f"{latency.p50:.0f}/{latency.p95:.0f} ms" if latency else "",
        "" if photons is None else f"{photons:.3g} ph",
        "" if dose is None else f"{dose:.3g} J/cm2",
        lamps(status),
    ]
    return "  ".join(part for part in parts if part)


def lamps(status: "LiveStatus") -> str:
    """Return one lamp an orientation, and the lowest score."""
    if status.patterns is None:
        return "[yellow]finding patterns[/]"
    colours = ("[green]●[/]" if pattern.trusted else "[red]●[/]" for pattern in status.patterns)
    return "".join(colours) + f" {min(pattern.score for pattern in status.patterns):.0f}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
