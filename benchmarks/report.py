"""The measurements as tables to read and as JSON to keep."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Measurement
from benchmarks.ours import Ours
from benchmarks.peer import Peer

WANTED = {"reconstruct": 0.5, "estimate": 1 / 3}
"""rdl-live's time relative to the peer's, at most."""


def show(measurement: Measurement, console: Console) -> None:
    """Print one size."""
    console.print(_table(measurement))
    console.print(_patterns(measurement))
    for line in _words(measurement):
        console.print(line, markup=False, highlight=False)
    console.print()


def save(measurements: Sequence[Measurement], path: Path, machine: dict[str, str | int]) -> None:
    """Write everything as JSON."""
    content = {"machine": machine, "measurements": [dataclasses.asdict(one) for one in measurements]}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _table(measurement: Measurement) -> Table:
    size = measurement.size
    table = Table(title=f"9 x {size} x {size}, {measurement.photons:g} photons a pixel")
    table.add_column("program")
    for heading in ("estimate", "reconstruct", "rolling, a frame"):
        table.add_column(f"{heading}\nms: median (least)", justify="right")
    for heading in ("error", "error after best\nradial filter", "mean SR / raw"):
        table.add_column(heading, justify="right")
    for name, entry in measurement.entries.items():
        times = [
            f"{time.median_ms:.1f} ({time.least_ms:.1f})"
            for time in (entry.estimate, entry.reconstruct, entry.update)
        ]
        quality = entry.quality
        table.add_row(
            name, *times, f"{quality.nrmse:.4f}", f"{quality.filtered_nrmse:.4f}", f"{entry.mean_ratio:.3f}"
        )
    for name, quality in measurement.references.items():
        table.add_row(name, "", "", "", f"{quality.nrmse:.4f}", f"{quality.filtered_nrmse:.4f}", "")
    return table


def _patterns(measurement: Measurement) -> Table:
    table = Table(title="patterns found, against the truth")
    table.add_column("program")
    for heading in ("k0, worst (FFT px)", "phase, rms (degrees)", "modulation, bias"):
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
            verdict = "reached" if ratio <= wanted else "MISSED"
            lines.append(
                f"{what}: {ratio:.2f} of the time of {Peer.name} (at most {wanted:.2f} wanted: {verdict})"
            )
    if Peer.name in measurement.entries:
        theirs = measurement.entries[Peer.name].quality.filtered_nrmse
        verdict = "reached" if ours.quality.filtered_nrmse <= theirs else "MISSED"
        lines.append(f"quality: error after best radial filter no worse than that of {Peer.name}: {verdict}")
        lines.append(
            f"{Peer.name}: Wiener parameter chosen by the truth (w {measurement.settings['peer w']:g}), gain "
            "and offset fitted to it, half a pixel of shift undone; nothing is fitted for rdl-live"
        )
    return lines + measurement.notes
