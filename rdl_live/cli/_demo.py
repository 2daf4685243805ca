"""`rdl-live demo`: the simulated microscope, live, without any data or devices of your own."""

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:  # torch and Micro-Manager take seconds to load
    from rdl_live.app.live.values import LiveStatus
    from rdl_live.app.live_demo import Demo

INTERRUPTED = 130
"""Exit code after Ctrl-C."""
NOTHING = 1
"""Exit code of a demo that made no image."""
REFRESH_S = 0.5


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Without a window.")] = False,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="Duration without a window; 15 by default.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the results, without a window; by default demo-out, ..."),
    ] = None,
    photons: Annotated[
        float | None, typer.Option(metavar="N", help="Mean photons per raw pixel and frame; 5 by default.")
    ] = None,
    size: Annotated[int | None, typer.Option(metavar="N", help="Raw frame in pixels; 256 by default.")] = None,
    denoise: Annotated[
        str | None, typer.Option(metavar="NAME", help="Denoiser: rdl (by default), none, or a weight file.")
    ] = None,
    specimen: Annotated[
        str | None, typer.Option(metavar="KIND", help="Kind of specimen, as in `rdl-live simulate`.")
    ] = None,
    camera: Annotated[
        str | None, typer.Option(metavar="ideal|scmos|emccd", help="Camera; scmos, with uneven pixels, by default.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Random seed: another number gives another specimen.")
    ] = None,
    modality: Annotated[
        str | None,
        typer.Option(metavar="2d-sim|single-frame", help="What to acquire: SIM series (by default), or single frames."),
    ] = None,
    illumination: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Image thick cells in each of these in turn: TIRF, GI, widefield; for example TIRF,GI.",
        ),
    ] = None,
    no_memory: Annotated[
        bool, typer.Option("--no-memory", help="Denoise each series by itself, without those before it.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier demo left in DIR.")] = False,
) -> None:
    """Run a simulated SIM microscope live, in a window.

    With --headless, --seconds or --out, or where there is no screen, there is no window: it records every raw frame
    and super-resolves while it runs. DIR then holds raw.ome.zarr, sr.ome.zarr, preview.png (raw, widefield,
    super-resolved and the true specimen side by side) and report.json, with each image's error against the truth.
    With --modality single-frame a network super-resolves each frame in even light, and a SIM series now and then
    (checks.ome.zarr) says whether it agrees with SIM. With --illumination the cells are 1.5 um thick, and are
    lit by evanescent light (TIRF), by a thin sheet along the coverslip (GI) or through (widefield), side by side.
    Ctrl-C stops it early; what was taken until then is kept. The
    exit code is 1 if no image was made.

    Examples:

        rdl-live demo

        rdl-live demo --headless --seconds 30 --photons 20 --out dim

        rdl-live demo --illumination TIRF,GI
    """
    console = Console(stderr=True, highlight=False)
    if not headless and seconds is None and out is None:
        from rdl_live.app.windows.screen import no_screen

        reason = no_screen()
        if reason is None:
            raise typer.Exit(_window(photons, size, denoise, specimen, seed, camera, modality, illumination, no_memory))
        console.print(f"no window: {reason}; running headless", markup=False)
    from rdl_live.acquire import stopped_by_signals
    from rdl_live.app.live_demo import CAMERA, PHOTONS, Demo, DemoSettings, usual_denoiser
    from rdl_live.app.quiet import quiet_micro_manager
    from rdl_live.optics.modality_kinds import DEFAULT as DEFAULT_MODALITY

    out = out or free_folder(Path("demo-out"))
    settings = DemoSettings(
        out,
        15.0 if seconds is None else seconds,
        PHOTONS if photons is None else photons,
        256 if size is None else size,
        specimen,
        seed,
        usual_denoiser(modality) if denoise is None else denoise,
        overwrite,
        CAMERA if camera is None else camera,
        DEFAULT_MODALITY if modality is None else modality,
        illumination or "",
        not no_memory,
    )
    demo = Demo(settings, lambda text: console.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True))
    quiet_micro_manager()
    with stopped_by_signals(demo.run.stop, demo.run.light.make_safe) as signals, demo.run:
        demo.run.start()
        _watch(demo, console, signals)
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
    if report["truth"]["series"]:
        errors = ", ".join(
            f"{title} {report['truth'][name]:.2f}"
            for name, title in (
                ("error_widefield", "widefield"),
                ("error_sim", "SIM"),
                ("error_denoised", "denoised"),
                ("error_sr", "from one frame"),
            )
            if report["truth"][name] is not None
        )
        result.print(f"error against the true specimen (0 is perfect): {errors}", markup=False, soft_wrap=True)
    for name, lit in report.get("illuminations", {}).items():
        dose = "" if lit["dose_j_cm2"] is None else f", {lit['dose_j_cm2']:.3g} J/cm2"
        depth = "through the whole cell" if lit["depth_um"] is None else f"light to {lit['depth_um']:.2g} um"
        result.print(f"{name}: incidence NA {lit['incidence_na']:g}, {depth}{dose}", markup=False, soft_wrap=True)
    if report["sr_frames"]:
        result.print(f"the picture is {out / 'preview.png'}", markup=False, soft_wrap=True)
    if signal.SIGINT in signals:
        raise typer.Exit(INTERRUPTED)
    if not report["sr_frames"]:
        why = "run it longer (--seconds)" if not report["warnings"] else "see the warnings"
        console.print(f"error: not one super-resolved image was made: {why}", style="red", markup=False)
        raise typer.Exit(NOTHING)


def free_folder(wanted: Path) -> Path:
    """Return `wanted`, or the first of wanted-2, wanted-3, ... that does not exist yet."""
    number, folder = 1, wanted
    while folder.exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def _window(
    photons: float | None,
    size: int | None,
    denoise: str | None,
    specimen: str | None,
    seed: int | None,
    camera: str | None,
    modality: str | None,
    illumination: str | None,
    no_memory: bool,
) -> int:
    """Show the window, and return the exit code."""
    from rdl_live.app.windows.demo import DEMO, DemoRequests, demo_session
    from rdl_live.app.windows.live import run_window
    from rdl_live.view.common.memory import Memory

    wishes = DemoRequests(
        photons, size, denoise, specimen, seed, camera, modality, illumination, False if no_memory else None
    )
    wishes.check()
    memory = Memory("demo")
    return run_window(demo_session(wishes, memory), "rdl-live: demo microscope", memory, defaults=DEMO)


def _watch(demo: "Demo", console: Console, signals: list[int]) -> None:
    """Show the status line until the acquisition ends, or is asked to."""
    with console.status("starting ...", spinner="dots") as line:
        while demo.run.running and not signals:
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
    return "".join(colours) + f" {status.patterns.score:.0f}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
