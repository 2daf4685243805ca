"""The rates of acquisition, pipeline and demo as tables to read, and in words."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.acquire import WANTED_MB_S, AcquireRates
from benchmarks.delay import WANTED_MS, Delay
from benchmarks.demo import DemoRates
from benchmarks.pipeline import PipelineRates
from benchmarks.rates import Rate
from benchmarks.report import verdict
from benchmarks.scale import ScaleCost
from benchmarks.window import PaneCost, WindowRates

WANTED_P95_MS = 300.0
"""Longest delay of 95 % of the images in the demo."""


def show_acquire(found: AcquireRates, console: Console) -> None:
    """Print one size of raw frames."""
    console.print(_table(f"raw frames {found.size} x {found.size} to disk, {found.series} series", found.rates))
    whole = found.rates["engine + recorder"].mb_per_s
    slowest = min(found.rates[name].mb_per_s for name in found.floors)
    _say(
        console,
        f"engine + recorder: {whole:.0f} MB/s (at least {WANTED_MB_S:.0f} wanted: "
        f"{verdict(whole >= WANTED_MB_S)}), {whole / slowest:.2f} of the slowest part alone",
        f"'disk' is files of random bytes, fsynced one by one; the recorder stores {found.stored_share:.2f} bytes "
        "for each byte",
        f"frames lost: {found.lost_frames}",
        *found.notes,
    )


def show_pipeline(found: PipelineRates, console: Console) -> None:
    """Print one size of series."""
    threads = f"{found.threads} thread" + ("s" if found.threads > 1 else "")
    title = f"images from series 9 x {found.size} x {found.size} in memory, {threads}"
    console.print(_table(title, found.rates, what="SR/s"))
    whole, floor = found.rates["pipeline"], found.rates["reconstruction alone"]
    _say(
        console,
        f"pipeline: {whole.per_s:.1f} SR/s, {whole.per_s / floor.per_s:.2f} of the reconstruction alone, "
        f"{found.rates['transforms alone'].per_s / whole.per_s:.1f} times the time of its 8 real FFTs; that keeps pace "
        f"with {9 * whole.per_s:.0f} raw frames a second",
    )


def show_demo(found: DemoRates, console: Console) -> None:
    """Print how the demo went."""
    p50, p95 = found.latency_p50_ms, found.latency_p95_ms
    table = Table(title=f"live demo, {found.size} x {found.size}, {found.seconds:.1f} s")
    for heading in ("SR/s", "raw/s", "raw dropped", "SR dropped", "delay ms\np50", "delay ms\np95"):
        table.add_column(heading, justify="right")
    numbers = (f"{found.sr_fps:.1f}", f"{found.raw_fps:.1f}", str(found.raw_frames_dropped), str(found.sr_dropped))
    table.add_row(*numbers, _ms(p50), _ms(p95))
    console.print(table)
    _say(
        console,
        "the simulated camera sets the pace; at 9 raw frames an image it allows "
        f"{found.raw_fps / 9:.1f} SR/s once the patterns are found",
        f"95 % of the images ready within {_ms(p95)} ms (less than {WANTED_P95_MS:.0f} wanted: "
        f"{verdict(p95 is not None and p95 < WANTED_P95_MS)})",
        f"no raw frame dropped: {verdict(found.raw_frames_dropped == 0)}",
        *(f"warning: {text}" for text in found.warnings),
    )


def _table(title: str, rates: Mapping[str, Rate], what: str = "frames/s") -> Table:
    table = Table(title=title)
    table.add_column("through")
    for heading in (what, "MB/s", "frames" if what != "SR/s" else "images", "s"):
        table.add_column(heading, justify="right")
    for name, one in rates.items():
        table.add_row(name, f"{one.per_s:.1f}", f"{one.mb_per_s:.0f}", str(one.frames), f"{one.seconds:.2f}")
    return table


def _say(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False)
    console.print()


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def show_window(found: Sequence[WindowRates], panes: Sequence[PaneCost], console: Console) -> None:
    """Print starts and rates, with the window and without, and what drawing costs."""
    table = Table(title="the demo at 256 x 256, with its window and without")
    for heading in (
        "",
        "exposure [ms]",
        "window [s]",
        "first raw [s]",
        "first SR [s]",
        "raw / s",
        "SR / s",
        "missing",
        "dropped",
    ):
        table.add_column(heading, justify="right")
    for one in found:
        window_s = "" if one.window_s is None else f"{one.window_s:.2f}"
        rates = (f"{value:.1f}" for value in (one.raw_s, one.image_s, one.raw_fps, one.image_fps))
        table.add_row(one.how, f"{one.exposure_ms:g}", window_s, *rates, str(one.missing), str(one.dropped))
    console.print(table)
    for cost in panes:
        console.print(
            f"{cost.panes} panes of {cost.side} x {cost.side}, {cost.drawn_hz:.1f} of {cost.wanted_hz:g} a second: "
            f"{cost.cores:.2f} of a core (less than .5 wanted: {verdict(cost.cores < 0.5)})",
            highlight=False,
        )


def show_delay(found: Sequence[Delay], console: Console) -> None:
    """Print delays beside computing times."""
    table = Table(title="from the last raw frame to the viewer, through queue and process", title_justify="left")
    for heading in ("", "frame every", "computing p50", "p95", "live p50", "delay p50", "p95", "p95 - computing"):
        table.add_column(heading, justify="right")
    table.add_column("busy", justify="right")
    table.add_column("dropped", justify="right")
    for one in found:
        computing = (one.frame_ms, one.compute_ms, one.compute_p95_ms, one.live_compute_ms)
        times = (*computing, one.delay_ms, one.delay_p95_ms, one.excess_ms)
        name, busy = f"{one.size}, {one.denoiser}", "?" if one.busy is None else f"{one.busy:.0%}"
        table.add_row(name, *(f"{value:.1f} ms" for value in times), busy, str(one.dropped))
    console.print(table)
    console.print(
        f"95 % of the images within the computing time + {WANTED_MS:g} ms: "
        f"{verdict(all(one.excess_ms <= WANTED_MS for one in found))}",
        highlight=False,
    )


def show_scale(found: Sequence[ScaleCost], console: Console) -> None:
    """Print how the cost of a recording grows."""
    table = Table(title="offline: cost of a recording, 3 x 3 unless told", title_justify="left")
    for heading in ("what", "value", "series", "ms a series", "memory", "growth"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for one in found:
        memory = f"{one.peak_mb:.0f} MB"
        table.add_row(one.axis, str(one.value), str(one.series), f"{one.ms:.2f}", memory, f"{one.growth:+.1%}")
    console.print(table)
    for axis in ("workers", "cluster"):
        single, double = (next((one.ms for one in found if (one.axis, one.value) == (axis, n)), None) for n in (1, 2))
        if single and double:
            console.print(f"{axis}: two take {double / single:.2f} of the time of one", highlight=False)
