"""The window: how soon it is there, and what it costs (`python -m benchmarks.window`; section `window`).

The demo is started anew, as a user starts it, in a process of its own: with the window, and the same session without
any. Told are the seconds from the start of the process to the window, the first raw frame and the first
super-resolved image, and then rates and losses of both, side by side: at an exposure that the computer can hardly
follow (it computes camera, images and drawing), and at one where the camera sets the pace.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

WINDOW, ALONE = "with the window", "without"
PATIENCE_S = 120.0
SIZE = 256
HURRIED_MS, PACED_MS = 10.0, 60.0
"""Exposures: quicker than two cores can follow, and slower."""
PANES, PANE_SIDE = ("raw", "widefield", "sim"), 1024


@dataclass(frozen=True)
class WindowRates:
    """What one start gave."""

    how: str
    exposure_ms: float
    window_s: float | None
    """From the start of the process until the window was drawn."""
    raw_s: float
    """Until the first raw frame."""
    image_s: float
    """Until the first super-resolved image."""
    raw_fps: float
    image_fps: float
    missing: int
    """Raw frames that did not come."""
    dropped: int
    """Series that were not processed in time."""


@dataclass(frozen=True)
class PaneCost:
    """What it costs to draw."""

    panes: int
    side: int
    """Pixels of each image, and at least as many of each pane."""
    wanted_hz: float
    drawn_hz: float
    cores: float
    """Processor time over time."""


def measure_window(seconds: float, denoise: str = "none") -> list[WindowRates]:
    """Start the demo with and without its window, and watch each for `seconds` after its first image."""
    return [_started(how, seconds, denoise, ms) for ms in (HURRIED_MS, PACED_MS) for how in (ALONE, WINDOW)]


def measure_panes(seconds: float, rates_hz: tuple[float, ...] = (25.0, 30.0)) -> list[PaneCost]:
    """Draw images in three panes at given rates, each for `seconds`, in a process of its own."""
    return [PaneCost(**_child_of("panes", str(seconds), str(rate))) for rate in rates_hz]


def _started(how: str, seconds: float, denoise: str, exposure_ms: float) -> WindowRates:
    return WindowRates(**_child_of("demo", how, str(seconds), denoise, str(exposure_ms), repr(time.time())))


def _child_of(*arguments: str) -> dict[str, Any]:
    """Return what a process of its own found."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "RDL_LIVE_CONFIG_DIR": folder}
        if not os.environ.get("DISPLAY") and sys.platform.startswith("linux"):
            environment.setdefault("QT_QPA_PLATFORM", "offscreen")
        command = [sys.executable, "-m", "benchmarks.window", "--child", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _panes(seconds: float, rate_hz: float) -> dict[str, Any]:
    """Draw; return the fields of `PaneCost`."""
    import numpy as np

    from rdl_live.app.windows.application import qt_application

    application = qt_application()
    from rdl_live.view.panes.grid import PaneGrid
    from rdl_live.view.panes.picture import Picture

    grid = PaneGrid([(name, name) for name in PANES])
    grid.resize(len(PANES) * PANE_SIDE, PANE_SIDE + 100)
    grid.show()
    rng = np.random.default_rng(1)
    # As many as it takes to leave the processor's caches, as images from a camera do.
    stock = [Picture(rng.poisson(50, (PANE_SIDE, PANE_SIDE)).astype(np.float32), 0.065) for _ in range(12)]
    drawn, began, used = 0, time.monotonic(), time.process_time()
    while (now := time.monotonic() - began) < seconds:
        if now * rate_hz >= drawn:
            grid.show_pictures("488", {name: stock[(drawn + i) % len(stock)] for i, name in enumerate(PANES)})
            drawn += 1
        application.processEvents()
        time.sleep(0.001)
    took, used = time.monotonic() - began, time.process_time() - used
    cost = PaneCost(len(PANES), PANE_SIDE, rate_hz, drawn / took, used / took)
    return asdict(cost)


def _demo(how: str, seconds: float, denoise: str, exposure_ms: float, began: float) -> dict[str, Any]:
    """Be the demo; return the fields of `WindowRates`."""
    from rdl_live.app.windows.application import delete_windows, qt_application
    from rdl_live.app.windows.demo import DemoRequests, demo_session
    from rdl_live.view.common.memory import Memory

    memory = Memory("benchmark")
    session = demo_session(DemoRequests(size=SIZE, denoise=denoise), memory)
    window, window_s, turn = None, None, lambda: None
    if how == WINDOW:
        application = qt_application()
        from rdl_live.view.live.main_window import MainWindow
        from rdl_live.view.live.sim_widget import SimWidget

        window = MainWindow(SimWidget(session, memory, Path(tempfile.gettempdir())), "benchmark")
        window.asks = False
        window.resize(1366, 768)
        window.show()
        application.processEvents()
        window_s = time.time() - began
        turn = application.processEvents
    session.start()
    session.change(exposure_ms=exposure_ms)

    def wait(field: str) -> float:
        deadline = time.monotonic() + PATIENCE_S
        while not getattr(session.snapshot.counts, field):
            if time.monotonic() > deadline:
                raise RuntimeError(f"no {field} after {PATIENCE_S:g} s: {session.snapshot.says}")
            turn()
            time.sleep(0.005)
        return time.time() - began

    raw_s, image_s = wait("raw"), wait("images")
    before, start = session.snapshot.counts, time.monotonic()
    while time.monotonic() < start + seconds:
        turn()
        time.sleep(0.005)
    after, took = session.snapshot.counts, time.monotonic() - start
    if window is not None:
        window.close()
    session.close()
    session.join(30)
    if window is not None:
        delete_windows(window)
    return {
        "how": how,
        "exposure_ms": exposure_ms,
        "window_s": window_s,
        "raw_s": raw_s,
        "image_s": image_s,
        "raw_fps": (after.raw - before.raw) / took,
        "image_fps": (after.images - before.images) / took,
        "missing": after.missing - before.missing,
        "dropped": after.dropped - before.dropped,
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        what, *given = sys.argv[2:]
        if what == "panes":
            found = _panes(float(given[0]), float(given[1]))
        else:
            found = _demo(given[0], float(given[1]), given[2], float(given[3]), float(given[4]))
        print(json.dumps(found))
    else:
        length = float(next(iter(sys.argv[1:2]), "10"))
        for one in [*measure_window(length, *sys.argv[2:3]), *measure_panes(length)]:
            print(one)
