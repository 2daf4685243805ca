"""Every way out x every program that turns light on: what the simulated world reads one second later.

Each runs a process of its own (`observed.py`), whose world is written down until the process ends. With
WAYS_OUT_TABLE=FILE a line of JSON for each is added to a file: which, when it was dark, what the world read, exit code.
"""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rdl_live._names import RAW_RECORDING, SR_RECORDING
from rdl_live.files.recorder import open_recording, verify
from tests.busy import BUSY
from tests.faults.conftest import until

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="signals and /proc as Linux has them")
PROGRAMS = ("acquire", "live", "demo", "docked")
DARK_S = 1.0 * BUSY
PATIENCE_S = 240.0


@dataclass
class Program:
    """A running program with the light on."""

    process: "subprocess.Popen[bytes]"
    log: Path
    raw: Path
    said: Path

    @property
    def truths(self) -> list[dict[str, Any]]:
        """What the world said, from its beginning; a line that is just being written is left out."""
        if not self.log.exists():
            return []
        lines = self.log.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def order(self, text: str) -> None:
        """Tell it to do something wrong."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n".encode())
        self.process.stdin.flush()

    @property
    def messages(self) -> str:
        """What it has written to its terminal."""
        return self.said.read_text(encoding="utf-8", errors="replace") if self.said.exists() else ""

    def dark_after(self, way_out: Callable[[], object], *, ends: bool = True) -> float:
        """Take a way out; return after how long the world was dark for good [s]."""
        began = time.time()
        way_out()
        if ends:
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                pytest.fail(f"it does not end; it said: {self.messages}")
        else:
            until(lambda: time.time() > began + 2 * DARK_S and not self.truths[-1]["lit"], PATIENCE_S)
        after = [one for one in self.truths if one["at"] >= began]
        lit = [one["at"] for one in after if one["lit"] or one["shutter"]]
        last = self.truths[-1]
        last_lit = max((one["at"] for one in self.truths if one["lit"]), default=0.0)
        dark_from = min(one["at"] for one in self.truths if one["at"] > last_lit)
        self.note(last, max(lit, default=began) - began, dark_from - began)
        assert (last["lit"], last["shutter"], last["enabled"], last["percent"]) == (False, False, False, 0), last
        return max(lit, default=began) - began

    def note(self, last: dict[str, Any], lit_s: float | None = None, dark_s: float | None = None) -> None:
        """Add a line to the table, where one is wanted: when it was last seen lit, and first seen dark for good."""
        if not (table := os.environ.get("WAYS_OUT_TABLE")):
            return
        read = {key: last[key] for key in ("lit", "shutter", "enabled", "percent")}
        row = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[2].partition(" ")[0]
        line = {"row": row, "last_lit_s": lit_s, "first_dark_s": dark_s, **read, "exit": self.process.poll()}
        with Path(table).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def recorded(self) -> int:
        """Compare every frame of the recording with its checksum, and see that it was closed."""
        report = verify(self.raw)
        assert report.ok, report.problems
        assert not any("was not closed" in note for note in open_recording(self.raw).notes)
        return report.verified


def microscope(root: Path, folder: Path, *, watchdog: bool = False) -> Path:
    """Write a demo microscope with a small camera and a still specimen, and with a hardware watchdog if wanted."""
    cfg = (root / "configs" / "demo.cfg").read_text(encoding="utf-8")
    lasers = "#py pyDevice,Lasers,rdl_devices.sim.lasers,SimLasers\n"
    if watchdog:
        cfg = cfg.replace(lasers, f"{lasers}#py pyDevice,Interlock,rdl_devices.sim.watchdog,SimWatchdog\n")
    extra = "#py Property,Camera,SensorSize_px,64\n#py Property,World,Refresh_ms,1000000\n"
    (folder / "demo.cfg").write_text(cfg + extra, encoding="utf-8")
    text = (root / "configs" / "demo.yaml").read_text(encoding="utf-8")
    if watchdog:
        role = "  watchdog: {device: Interlock, property: Heartbeat, every_s: 0.2}\n  setup:\n"
        text = text.replace("  setup:\n", role)
    (folder / "demo.yaml").write_text(text, encoding="utf-8")
    return folder / "demo.yaml"


@contextmanager
def running(
    program: str,
    root: Path,
    folder: Path,
    terminal: int | None = None,
    *,
    watchdog: bool = False,
    screen: dict[str, str] | None = None,
) -> Iterator[Program]:
    """Start a program that records, and wait until there is light and a recording.

    Args:
        program: of `PROGRAMS`.
        root: of the repository.
        folder: for everything that is written.
        terminal: what it takes for its terminal; by default a file.
        watchdog: whether its microscope has a hardware watchdog.
        screen: environment of its screen; by default Qt's own without pictures.
    """
    scope, out, log, said = (
        microscope(root, folder, watchdog=watchdog),
        folder / "out",
        folder / "world.jsonl",
        folder / "said.txt",
    )
    plan = folder / "plan.yaml"
    plan.write_text('{"channels": [{"name": "488", "power_percent": 50, "exposure_ms": 5}], "time": {"points": null}}')
    arguments = {
        "acquire": [str(plan), "--microscope", str(scope), "--out", str(out / "raw.ome.zarr")],
        "live": ["--microscope", str(scope), "--folder", str(folder)],
        "demo": ["--headless", "--seconds", "300", "--size", "64", "--out", str(out)],
        "docked": [str(scope)],
    }[program]
    out.mkdir()
    records = folder / "window"
    path = os.pathsep.join(str(root / part) for part in (".", "devices", "models"))
    settings = {"PYTHONPATH": path, "OBSERVED_RECORDS": str(records), "RDL_LIVE_CONFIG_DIR": str(folder / "settings")}
    with said.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.observed", str(log), program, *arguments],
            cwd=root,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(screen or {"QT_QPA_PLATFORM": "offscreen"}), **settings},
            stdin=subprocess.PIPE,
            stdout=file if terminal is None else terminal,
            stderr=file if terminal is None else terminal,
            start_new_session=True,
        )
        raw = (out if program in ("acquire", "demo") else records) / RAW_RECORDING
        # A demo that has made no image ends with an error, whatever ends it.
        wanted = [raw, *([out / SR_RECORDING] if program == "demo" else [])]
        made = Program(process, log, raw, said)
        try:
            try:
                until(
                    lambda: process.poll() is not None or (all(map(_holds_images, wanted)) and _lit(made)), PATIENCE_S
                )
            except AssertionError:
                there = [one.name for one in wanted if _holds_images(one)]
                pytest.fail(f"no light or no images: lit {_lit(made)}, images in {there}; it said: {made.messages}")
            assert process.poll() is None, made.messages
            yield made
        finally:
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()


def _holds_images(recording: Path) -> bool:
    return recording.is_dir() and any(recording.rglob("c/*/*"))


def _lit(made: Program) -> bool:
    truths = made.truths
    return bool(truths) and truths[-1]["lit"]


FAST = {("live", "SIGHUP"), ("live", "close"), ("acquire", "raise-engine"), ("acquire", "SLM"), ("acquire", "kill")}
"""Run always, one for each kind of ending; the whole table takes a quarter of an hour."""


def table(rows: list[str], programs: tuple[str, ...] = PROGRAMS) -> list[Any]:
    """Return all pairs of program and row; all but a few are slow."""
    return [
        pytest.param(program, row, marks=[] if (program, row) in FAST else pytest.mark.slow, id=f"{program}-{row}")
        for program in programs
        for row in rows
    ]


@pytest.mark.parametrize(
    ("program", "name"), table(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGUSR1", "SIGXCPU"])
)
def test_a_signal(root: Path, tmp_path: Path, program: str, name: str) -> None:
    with running(program, root, tmp_path) as one:
        if program == "docked" and name == "SIGTSTP":
            # A process without a terminal is not suspended (POSIX: its group is orphaned); it goes on, in the dark.
            assert one.dark_after(lambda: one.process.send_signal(signal.SIGTSTP), ends=False) < DARK_S
            return
        assert one.dark_after(lambda: one.process.send_signal(getattr(signal, name))) < DARK_S
        assert one.recorded() > 0
        if program != "docked":  # a host's process ends as the host wants it to
            assert one.process.returncode == (130 if name == "SIGINT" else 0), one.messages
            assert "Traceback" not in one.messages


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_terminal_is_closed(root: Path, tmp_path: Path, program: str) -> None:
    """As when SSH is lost: the other side of the terminal is gone, every write fails, and SIGHUP comes twice."""
    master, slave = pty.openpty()
    with running(program, root, tmp_path, slave) as one:
        os.close(slave)

        def lose() -> None:
            os.close(master)
            for _ in range(2):
                os.killpg(one.process.pid, signal.SIGHUP)
                time.sleep(0.05)

        assert one.dark_after(lose) < DARK_S
        assert one.recorded() > 0
        if program != "docked":
            assert one.process.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("program", ["acquire", "demo"])
def test_nobody_reads_what_it_says(root: Path, tmp_path: Path, program: str) -> None:
    """A pipe whose reader has ended is no reason to end a recording; and no reason to end it badly."""
    reading, writing = os.pipe()
    with running(program, root, tmp_path, writing) as one:
        os.close(writing)
        os.close(reading)
        time.sleep(1.5)
        assert one.process.poll() is None
        assert one.truths[-1]["lit"]
        assert one.dark_after(one.process.terminate) < DARK_S
        assert one.recorded() > 0
        assert one.process.returncode == 0


@pytest.mark.parametrize(("program", "order"), table(["close"], ("live", "docked")))
def test_the_window_is_closed(root: Path, tmp_path: Path, program: str, order: str) -> None:
    with running(program, root, tmp_path) as one:
        if program == "live":  # it asks, since a recording runs
            one.order("answer-yes")
        assert one.dark_after(lambda: one.order(order)) < DARK_S
        assert one.recorded() > 0
        assert one.process.returncode == 0, one.messages


@pytest.mark.slow
@pytest.mark.parametrize("program", ["live", "docked"])
def test_an_exception_in_the_view(root: Path, tmp_path: Path, program: str) -> None:
    """PyQt would end the process at once, with the light on. The window stays."""
    with running(program, root, tmp_path) as one:
        assert one.dark_after(lambda: one.order("raise"), ends=False) < DARK_S
        assert one.process.poll() is None
        assert "ZeroDivisionError" in one.messages
        until(lambda: open_recording(one.raw).notes == () or one.recorded() > 0)


@pytest.mark.parametrize(("program", "where"), table(["raise-engine", "raise-recorder"]))
def test_an_exception_behind_the_view(root: Path, tmp_path: Path, program: str, where: str) -> None:
    """A window stays, and says so; without one the program ends with an error."""
    with running(program, root, tmp_path) as one:
        ends = program in ("acquire", "demo")
        assert one.dark_after(lambda: one.order(where), ends=ends) < DARK_S
        assert ends == (one.process.poll() is not None)
        assert one.process.returncode or not ends
        until(lambda: verify(one.raw).ok)


@pytest.mark.parametrize(("program", "device"), table(["SLM", "Camera"]))
def test_a_device_hangs_and_it_is_ended(root: Path, tmp_path: Path, program: str, device: str) -> None:
    """Whatever holds the run, the stop turns the light off; the program ends, if need be with an error."""
    with running(program, root, tmp_path) as one:
        one.order(f"hang {device}")
        time.sleep(0.5)
        assert one.dark_after(one.process.terminate) < DARK_S


@pytest.mark.parametrize(("program", "order"), table(["kill"], ("acquire", "live", "docked")))
def test_killed_by_force(root: Path, tmp_path: Path, program: str, order: str) -> None:
    """No software can help: the light stays on. The next start makes it dark before anything else."""
    with running(program, root, tmp_path) as one:
        getattr(one.process, order)()
        one.process.wait()
        one.note(one.truths[-1])
        assert one.truths[-1]["lit"]
    again = tmp_path / "again"
    again.mkdir()
    scope = microscope(root, again)
    left_on = (
        "#py Property,Shutter,State,1\n#py Property,Lasers,Enable_488,1\n#py Property,AOTF,Power_488_pct,50\n"
        "#py Property,AOTF,Blanking,Open\n"
    )
    with (again / "demo.cfg").open("a", encoding="utf-8") as file:
        file.write(left_on)
    plan = tmp_path / "plan.yaml"
    arguments = {
        "acquire": ["acquire", str(plan), "--microscope", str(scope), "--out", str(again / "x.zarr"), "--dry-run"],
        "live": ["live", "--microscope", str(scope), "--folder", str(again)],
        "docked": ["docked", str(scope)],
    }[program]
    log = again / "world.jsonl"
    path = os.pathsep.join(str(root / part) for part in (".", "devices", "models"))
    settings = {"PYTHONPATH": path, "OBSERVED_IDLE": "1", "RDL_LIVE_CONFIG_DIR": str(tmp_path / "settings")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.observed", str(log), *arguments],
        cwd=root,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1", **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    made = Program(process, log, again, again / "said.txt")
    try:
        until(lambda: any(t["opened"] for t in made.truths) or process.poll() is not None, PATIENCE_S)
        until(lambda: not made.truths[-1]["enabled"] or process.poll() is not None, PATIENCE_S)
        time.sleep(0.5)
        last = made.truths[-1]
        made.note(last)
        assert last["opened"], "it was left on"
        assert (last["lit"], last["shutter"], last["enabled"], last["percent"]) == (False, False, False, 0)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS[:2] + PROGRAMS[3:])
def test_the_hardware_watchdog_after_a_kill(root: Path, tmp_path: Path, program: str) -> None:
    """The watchdog is a box of its own, outside of the process: here a second world, which gets the program's beats.

    Its shutter is open and its laser on, as the killed program has left them; it goes dark when the beats stop.
    """
    from rdl_devices.sim import registry
    from rdl_devices.sim.watchdog import SimWatchdog
    from rdl_devices.sim.world import World

    box = World(realtime=True)
    registry.begin(box)
    watchdog = SimWatchdog()
    watchdog.set_property_value("Timeout_s", 1.0)
    box.light.shutter_open = True
    box.light.lines[488].enabled, box.light.lines[488].aotf_percent = True, 50.0

    def wired(one: Program) -> bool:
        """Pass the newest beat on, as a wire does; return whether the box lets light through."""
        truths = one.truths
        if truths and truths[-1]["beat"] is not None:
            watchdog.set_property_value("Heartbeat", truths[-1]["beat"])
        return box.light.share(488, exposing=True) > 0

    with running(program, root, tmp_path, watchdog=True) as one:
        until(lambda: wired(one))
        began = time.monotonic()
        while time.monotonic() < began + 3.0:
            assert wired(one), "the beats come while it runs"
            time.sleep(0.02)
        one.process.kill()
        one.process.wait()
        assert one.truths[-1]["lit"]
        assert until(lambda: not wired(one)) < 1.5


@pytest.mark.slow
@pytest.mark.parametrize("program", ["live", "docked"])
@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="no Xvfb")
def test_the_screen_is_lost(root: Path, tmp_path: Path, program: str) -> None:
    """As when `ssh -X` is lost: Qt ends the process at once when its X server is gone."""
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
        pass_fds=(writing,),
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            screen = {"QT_QPA_PLATFORM": "xcb", "DISPLAY": f":{pipe.readline().strip()}"}
        with running(program, root, tmp_path, screen=screen) as one:
            assert one.dark_after(server.kill) < DARK_S
            assert one.recorded() > 0
    finally:
        server.kill()
        server.wait()
