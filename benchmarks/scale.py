"""How the cost of a recording grows: with the frame, the orientations, the time points; on cores, on a cluster.

Each run is `rdl-live reconstruct` in a process of its own, without denoising, on simulated series written to a TIFF
file (eight different ones, again and again): seconds from the first series to the last, and memory while it runs.
Section `scale`; `python -m benchmarks.scale --plot docs/images/scale.png` draws what `--json` wrote.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIZE, SMALL = 256, 64
SIZES = (64, 128, 256, 512, 1024)
ORIENTATIONS = (1, 3, 5)
TIMES = (100, 1000, 10_000)
DISTINCT = 8
"""Series that differ."""
PIXELS = 24 * 512 * 512
"""A run takes so many raw pixels of each frame in all, so that each takes about as long."""
PATIENCE_S = 3600.0


@dataclass(frozen=True)
class ScaleCost:
    """One run."""

    axis: str
    """What is varied: size, orientations, times, workers, cluster or overhead."""
    value: int
    series: int
    seconds: float
    """From the first series to the last."""
    settled_mb: float
    """Memory of the process after a fifth of the series ..."""
    peak_mb: float
    """... and at most."""

    @property
    def ms(self) -> float:
        """Milliseconds a series."""
        return 1e3 * self.seconds / self.series

    @property
    def growth(self) -> float:
        """Memory at most, relative to that after a fifth, less 1."""
        return self.peak_mb / self.settled_mb - 1


def measure_scale(folder: Path, *, quick: bool = False) -> Iterator[ScaleCost]:
    """Go through all runs; `quick` ones are too small to tell anything."""
    sizes, times = (SIZES[:2], TIMES[:1]) if quick else (SIZES, TIMES)
    for size in sizes:
        count = 4 if quick else max(8, PIXELS // size**2)
        yield _run(folder, "size", size, size, 3, count)
    for orientations in ORIENTATIONS[1:] if quick else ORIENTATIONS:
        size, count = (SMALL, 4) if quick else (SIZE, 200)
        yield _run(folder, "orientations", orientations, size, orientations, count)
    for count in times:
        yield _run(folder, "times", count, SMALL, 3, count)
    size, count = (SMALL, 8) if quick else (SIZE, 400)
    for workers in (1, 2):
        yield _run(folder, "workers", workers, size, 3, count, "--workers", str(workers))
    for workers in (1, 2):
        yield _run(folder, "cluster", workers, size, 3, count, "--cluster", f"local:{workers}")


def _run(folder: Path, axis: str, value: int, size: int, orientations: int, series: int, *way: str) -> ScaleCost:
    raw, microscope = _recording(folder, size, orientations, series)
    command = [sys.executable, "-m", "benchmarks.scale", "--child", str(raw), str(microscope), *way]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    if done.returncode:
        raise RuntimeError(f"{axis} {value}: {done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return ScaleCost(axis, value, series, found["seconds"], found["settled_mb"], found["peak_mb"])


def _recording(folder: Path, size: int, orientations: int, series: int) -> tuple[Path, Path]:
    """Write a recording and its microscope file, in place of the last ones."""
    import tifffile
    import yaml

    from benchmarks.scene import microscope
    from rdl_live.specimen import SpecimenSettings, simulate

    scope = microscope()
    scope = scope.replace(pattern={**scope.pattern.model_dump(), "angles": orientations})
    path, raw = folder / "M.yaml", folder / "raw.tif"
    path.write_text(yaml.safe_dump(scope.model_dump(mode="json", exclude_defaults=True)), encoding="utf-8")
    shape = (size, size)
    made = simulate(scope, SpecimenSettings(seed=3), photons=100.0, shape=shape, time_points=min(series, DISTINCT))
    frames = [one.adu.numpy().reshape(-1, *shape) for one in made]
    with tifffile.TiffWriter(raw, bigtiff=True) as writer:
        for index in range(series):
            writer.write(frames[index % len(frames)], contiguous=True, photometric="minisblack")
    return raw, path


def _child(raw: str, microscope: str, *way: str) -> dict[str, float]:
    """Reconstruct, and return what `ScaleCost` wants."""
    import time

    from rdl_live.app.device import choose_device
    from rdl_live.app.reconstruct.run import OfflineRun, Options

    told = dict(zip(way[::2], way[1::2], strict=True))
    workers = told.get("--workers")
    options = Options(workers=None if workers is None else int(workers), cluster=told.get("--cluster"), overwrite=True)
    at: list[tuple[float, float]] = []

    def progress(what: str, done: int, total: int) -> None:
        if what == "reconstructing" and (done == 1 or done == total or done % max(1, total // 50) == 0):
            at.append((time.perf_counter(), _memory_mb()))

    with OfflineRun(Path(raw), Path(microscope), choose_device("cpu"), options) as run:
        total = len(run.recording)
        run.reconstruct(Path(raw).with_name("sr.tif"), progress=progress)
    seconds = (at[-1][0] - at[0][0]) * total / max(total - 1, 1)
    settled = at[min(len(at) - 1, len(at) // 5)][1]
    return {"seconds": seconds, "settled_mb": settled, "peak_mb": max(memory for _, memory in at)}


def _memory_mb() -> float:
    """Resident memory of this process, without what it has mapped of files; Linux only, else 0."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return sum(float(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def plot(costs: Sequence[ScaleCost], path: Path) -> None:
    """Draw milliseconds a series against frame size, orientations and time points, side by side."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    import pyqtgraph as pg

    application = pg.mkQApp()
    pg.setConfigOptions(background="w", foreground="k", antialias=True)
    view = pg.GraphicsLayoutWidget(size=(1200, 380))
    titles = {"size": "frame side [pixels], 3 x 3", "orientations": "orientations, 256 x 256", "times": "time points"}
    for axis, title in titles.items():
        points = [(one.value, one.ms) for one in costs if one.axis == axis]
        scales = axis != "orientations"
        area = view.addPlot(labels={"left": "ms a series", "bottom": title})
        area.setLogMode(scales, scales)
        area.showGrid(x=True, y=True, alpha=0.3)
        x, y = zip(*points, strict=True)
        # Labels at what was measured: those of a logarithmic axis lie over one another.
        area.getAxis("bottom").setTicks([[(math.log10(value) if scales else value, str(value)) for value in x]])
        if scales:
            area.getAxis("left").setTicks(
                [[(math.log10(ms), f"{ms:g}") for ms in (1, 2, 5, 10, 20, 50, 100, 200, 500)]]
            )
        area.getViewBox().setDefaultPadding(0.1)
        area.plot(x, y, pen=pg.mkPen("#2f6fd0", width=2), symbol="o", symbolBrush="#2f6fd0")
        if axis == "size":  # as the pixels: the slope that nothing can beat for long
            area.plot(
                x,
                [y[-1] * (side / x[-1]) ** 2 for side in x],
                pen=pg.mkPen("#808080", style=pg.QtCore.Qt.PenStyle.DashLine),
            )
        if not scales:
            area.setYRange(0, 1.1 * max(y))
        elif axis == "times":
            area.setYRange(-0.3, 1.7)
    view.show()
    application.processEvents()
    view.grab().save(str(path))


def main(arguments: Sequence[str]) -> int:
    """Be a run's process, or draw what was measured."""
    if arguments[:1] == ["--child"]:
        print(json.dumps(_child(*arguments[1:])))
        return 0
    if len(arguments) == 3 and arguments[0] == "--plot":
        found: list[dict[str, Any]] = json.loads(Path(arguments[2]).read_text(encoding="utf-8"))["scale"]
        plot([ScaleCost(**one) for one in found], Path(arguments[1]))
        return 0
    with tempfile.TemporaryDirectory() as name:
        for one in measure_scale(Path(name), quick="--quick" in arguments):
            print(one, f"{one.ms:.2f} ms a series, memory {one.growth:+.1%}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
