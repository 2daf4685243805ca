"""`rdl-live acquire`: run a plan on a microscope and record every raw frame."""

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from rdl_live.cli._options import Overwrite, Rig
from rdl_live.errors import RdlError

if TYPE_CHECKING:  # the core takes a second to load, which `--help` need not wait for
    from rdl_live.acquire import Acquisition, RunReport
    from rdl_live.files.recorder import Recorder, RecordingSummary

INTERRUPTED = 130
NOTHING = 1
"""Exit code of a run that ended without one raw frame on the disk."""


def acquire(
    plan: Annotated[
        Path,
        typer.Argument(metavar="PLAN.yaml", help="The plan: what to image, how often and at what power."),
    ],
    microscope: Rig,
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="Recording to make, such as cells.ome.zarr.")],
    power: Annotated[
        float | None,
        typer.Option(
            min=0.001, max=100, metavar="PERCENT", help="Laser power for an MDASequence, which has no entry for it."
        ),
    ] = None,
    overwrite: Overwrite = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, show time, disk and dose, and turn no light on.")
    ] = False,
) -> None:
    """Run a plan: every raw frame is recorded (OME-Zarr), and the light is off at the end, also after an error.

    An MDASequence (useq-schema, pymmcore-plus) is accepted, too: time, positions, z, and channels by their names in the
    microscope file.

    Ctrl-C stops after the series; what was recorded is complete. The exit code is 1 if nothing was recorded.

    Examples:

        rdl-live acquire configs/plan-demo.yaml --microscope configs/demo.yaml --out demo.ome.zarr

        rdl-live acquire plan.yaml --microscope mine.yaml --out cells.ome.zarr --dry-run
    """
    from rdl_live.acquire import Acquisition, hardware_of, open_core, recording_layout, shutdown
    from rdl_live.acquire.sequence_plan import load_any_plan
    from rdl_live.files import load_microscope
    from rdl_live.files.recorder import check_recording_output

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    scope = load_microscope(microscope)
    what = load_any_plan(plan, scope, power)
    what.check(scope)
    core = open_core(scope)
    try:
        acquisition = Acquisition(
            core, scope, what, on_warning=lambda text: console.print(f"warning: {text}", style="yellow")
        )
        console.print(f"plan {what.name!r}: {acquisition.estimate}")
        for warning in acquisition.estimate.warnings:
            console.print(f"warning: {warning}", style="yellow")
        if dry_run:
            check_recording_output(out, recording_layout(acquisition), overwrite)
        code = 0 if dry_run else _record(console, acquisition, out, overwrite)
    finally:
        shutdown(core, hardware_of(scope))
    if code:
        raise typer.Exit(code)


def _record(console: Console, acquisition: "Acquisition", out: Path, overwrite: bool) -> int:
    """Record an acquisition, and return the exit code."""
    from rdl_live.acquire import recording_layout, stopped_by_signals
    from rdl_live.files.recorder import Recorder

    with (
        Recorder(out, recording_layout(acquisition), overwrite, on_warning=acquisition.warn) as recorder,
        stopped_by_signals(acquisition.stop, acquisition.make_safe) as signals,
    ):
        acquisition.record_to(recorder)
        acquisition.start()
        with console.status("starting") as line:
            # Once it was asked to stop it may never end, where a device hangs; `wait` knows what to do then.
            while acquisition.running and not signals:
                time.sleep(0.1)
                line.update(_progress(acquisition, recorder))
        try:
            report = acquisition.wait()
        except RdlError:
            console.print(f"ended early: {acquisition.progress.done}", style="yellow", markup=False)
            raise
        finally:
            recorder.remarks["progress"] = acquisition.progress.as_record()
        summary = recorder.close()
    _print_end(console, report, summary)
    if signal.SIGINT in signals:
        return INTERRUPTED
    return NOTHING if not summary.raw_frames else 0


def _progress(acquisition: "Acquisition", recorder: "Recorder") -> str:
    from rdl_live.acquire.estimate import span

    now, progress = acquisition.status, acquisition.progress
    on_disk = recorder.status
    lost = f", {now.missing} missing" if now.missing else ""
    late = f", {span(progress.remaining_s)} left" if progress.is_late and progress.remaining_s is not None else ""
    skipped = f", {len(progress.skipped)} skipped" if progress.skipped else ""
    return (
        f"{progress.done}{late}{skipped}, {now.frames} raw frames{lost}, {on_disk.written_bytes / 1e6:.0f} MB on disk"
    )


def _print_end(console: Console, report: "RunReport", summary: "RecordingSummary") -> None:
    ended = "stopped" if report.stopped else "done"
    console.print(
        f"{ended} after {report.seconds:.1f} s: {summary.series} whole series, {summary.raw_frames} raw frames in "
        f"{summary.path} ({summary.bytes / 1e6:.1f} MB), the light is off (read back)"
    )
    if not summary.raw_frames:
        console.print("not one raw frame was recorded; look for a warning above, or stop it later", style="red")
    if report.progress is not None and (report.progress.lack or report.progress.is_late):
        console.print(f"of the plan: {report.progress}", style="yellow", markup=False)
    if summary.missing:
        console.print(f"{summary.missing} frames are missing, and marked as such", style="yellow")
    if report.wrong_patterns:
        console.print(f"{report.wrong_patterns} frames show another pattern than planned, and are flagged", style="red")
