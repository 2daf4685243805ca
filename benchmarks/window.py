"""The window: how soon it is there, and what it costs (`python -m benchmarks.window`; section `window`).

The demo is started anew, as a user starts it, in a process of its own: with the window, and the same session without
any. Told are the seconds from the start of the process to the window, the first raw frame and the first
super-resolved image, and then rates and losses of both, side by side.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WINDOW, ALONE = "with the window", "without"
PATIENCE_S = 120.0
SIZE = 256


@dataclass(frozen=True)
class WindowRates:
    """What one start gave."""

    how: str
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


def measure_window(seconds: float, denoise: str = "none") -> list[WindowRates]:
    """Start the demo with and without its window, and watch each for `seconds` after its first image."""
    return [_started(how, seconds, denoise) for how in (ALONE, WINDOW)]


def _started(how: str, seconds: float, denoise: str) -> WindowRates:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "RDL_LIVE_CONFIG_DIR": folder}
        if not os.environ.get("DISPLAY") and sys.platform.startswith("linux"):
            environment.setdefault("QT_QPA_PLATFORM", "offscreen")
        arguments = [
            sys.executable,
            "-m",
            "benchmarks.window",
            "--child",
            how,
            str(seconds),
            denoise,
            repr(time.time()),
        ]
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise RuntimeError(f"the demo {how} failed: {done.stderr[-2000:]}")
    return WindowRates(**json.loads(done.stdout.splitlines()[-1]))


def _child(how: str, seconds: float, denoise: str, began: float) -> dict[str, Any]:
    """Be the demo; return the fields of `WindowRates`."""
    from rdl_live.app.window import DemoWishes, demo_session, qt_application
    from rdl_live.view.memory import Memory

    memory = Memory("benchmark")
    session = demo_session(DemoWishes(size=SIZE, denoise=denoise), memory)
    window, window_s, turn = None, None, lambda: None
    if how == WINDOW:
        application = qt_application()
        from rdl_live.view.main_window import MainWindow
        from rdl_live.view.sim_widget import SimWidget

        window = MainWindow(SimWidget(session, memory, Path(tempfile.gettempdir())), "benchmark")
        window.asks = False
        window.resize(1366, 768)
        window.show()
        application.processEvents()
        window_s = time.time() - began
        turn = application.processEvents
    session.start()

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
    return {
        "how": how,
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
        print(json.dumps(_child(sys.argv[2], float(sys.argv[3]), sys.argv[4], float(sys.argv[5]))))
    else:
        for one in measure_window(*(float(text) for text in sys.argv[1:2] or ["10"]), *sys.argv[2:3]):
            print(one)
