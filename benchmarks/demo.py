"""The live demo as it is: everything on one computer, at the pace of the simulated camera."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from rdl_live.app.live_demo import Demo, DemoSettings

DEMO = "demo"
POLL_S = 0.1


@dataclass(frozen=True)
class DemoRates:
    """What the demo reports of itself."""

    size: int
    seconds: float
    raw_fps: float
    sr_fps: float
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    raw_frames_dropped: int
    sr_dropped: int
    warnings: tuple[str, ...]


def measure_demo(size: int, seconds: float, folder: Path) -> DemoRates:
    """Run the demo with raw frames of `size` x `size` in `folder`, and delete what it leaves."""
    out = folder / DEMO
    demo = Demo(DemoSettings(out, seconds=seconds, size=size), lambda _: None)
    try:
        with demo.run:
            demo.run.start()
            while demo.run.running:
                demo.stop_if_overdue()
                time.sleep(POLL_S)
            report = demo.finish()
    finally:
        shutil.rmtree(out, ignore_errors=True)
    latency = report["latency_ms"]
    return DemoRates(
        size=size,
        seconds=report["seconds"],
        raw_fps=report["raw_fps"],
        sr_fps=report["sr_fps"],
        latency_p50_ms=latency["p50"],
        latency_p95_ms=latency["p95"],
        raw_frames_dropped=report["raw_frames_dropped"],
        sr_dropped=report["sr_dropped"],
        warnings=tuple(report["warnings"]),
    )
