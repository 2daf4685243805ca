"""The comparison with other programs as tables to read, and in words."""

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Measurement
from benchmarks.ours import Ours
from benchmarks.peer import Peer
from benchmarks.report import verdict

WANTED = {"reconstruct": 0.5, "estimate": 1 / 3}
"""rdl-live's time relative to the peer's, at most."""


def show(measurement: Measurement, console: Console) -> None:
    """Print one size."""
    for table in (_times(measurement), _quality(measurement), _patterns(measurement)):
        console.print(table)
    for line in _words(measurement):
        console.print(line, markup=False, highlight=False)
    console.print()


def _times(measurement: Measurement) -> Table:
    size = measurement.size
    table = Table(title=f"9 x {size} x {size}, {measurement.photons:g} photons; ms, median (least)")
    table.add_column("program")
    for heading in ("estimate", "reconstruct", "rolling, a frame"):
        table.add_column(heading, justify="right")
    for name, entry in measurement.entries.items():
        times = (entry.estimate, entry.reconstruct, entry.update)
        table.add_row(name, *(f"{time.median_ms:.1f} ({time.least_ms:.1f})" for time in times))
    return table


def _quality(measurement: Measurement) -> Table:
    table = Table(title="error against the truth (filtered: after the best radial filter)")
    table.add_column("image")
    for heading in ("error", "filtered", "mean SR / raw"):
        table.add_column(heading, justify="right")
    means = {name: f"{entry.mean_ratio:.3f}" for name, entry in measurement.entries.items()}
    images = {name: entry.quality for name, entry in measurement.entries.items()} | measurement.references
    for name, quality in images.items():
        table.add_row(name, f"{quality.nrmse:.4f}", f"{quality.filtered_nrmse:.4f}", means.get(name, ""))
    return table


def _patterns(measurement: Measurement) -> Table:
    table = Table(title="patterns found, against the truth")
    table.add_column("program")
    for heading in ("k0, worst\nFFT px", "phase, rms\ndegrees", "modulation\nbias"):
        table.add_column(heading, justify="right")
    for name, entry in measurement.entries.items():
        errors = entry.patterns
        table.add_row(name, f"{errors.k0_fft_px:.4f}", f"{errors.phase_deg:.2f}", f"{errors.modulation:+.3f}")
    return table


def _words(measurement: Measurement) -> list[str]:
    parts = measurement.parts
    ours = measurement.entries[Ours.name]
    lines = [
        f"{Ours.name}: estimate = find patterns {parts['find patterns'].median_ms:.1f} ms "
        f"+ build filters {parts['build filters'].median_ms:.1f} ms",
        f"floor (7 real FFTs forward, 1 back): {parts['floor'].median_ms:.1f} ms; "
        f"reconstruct takes {ours.reconstruct.median_ms / parts['floor'].median_ms:.1f} times that",
    ]
    for what, wanted in WANTED.items():
        ratio = measurement.ratio(what)
        if ratio is not None:
            lines.append(
                f"{what}: {ratio:.2f} of the time of {Peer.name} (at most {wanted:.2f} wanted: "
                f"{verdict(ratio <= wanted)})"
            )
    if Peer.name in measurement.entries:
        theirs = measurement.entries[Peer.name].quality.filtered_nrmse
        better = ours.quality.filtered_nrmse <= theirs
        lines.append(f"quality: error after best radial filter no worse than that of {Peer.name}: {verdict(better)}")
        lines.append(
            f"{Peer.name}: Wiener parameter chosen by the truth (w {measurement.settings['peer w']:g}), gain "
            "and offset fitted to it, half a pixel of shift undone; nothing is fitted for rdl-live"
        )
    return lines + measurement.notes
