"""Soak: runs of one to three colours for half an hour, started and stopped, with faults at random (`make soak`).

    python -m benchmarks.soak [--minutes 30] [--seed 1] [--report soak.json]

During every run the light that is shown is compared with the simulated world's. After every stop all light is read
back, every recording is verified, and memory, threads and file handles are counted. Exit code 1 where anything is
wrong. Linux only for memory and handles.
"""

import argparse
import ctypes
import gc
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.light_watch import LightWatch, shown_of
from rdl_live._names import RAW_RECORDING
from rdl_live.acquire import Plan, PlanChannel, TimePlan, hardware_of, open_core, shutdown
from rdl_live.app.config_files import config_file
from rdl_live.app.live.run import LiveRun
from rdl_live.app.live.values import LiveOptions
from rdl_live.errors import DeviceError, RdlError
from rdl_live.files import load_microscope
from rdl_live.files.recorder import verify
from rdl_live.optics.microscope import Microscope

if TYPE_CHECKING:
    from pymmcore_plus.experimental.unicore import UniMMCore

    from rdl_devices.sim import World

SIDE = 96
WARM_UP = 0.2
"""Share of the time after which memory must not grow any more."""
GROWTH = 0.02
RUNS_A_CORE = 8
"""Devices are unloaded and loaded again after so many runs."""
STALLED_S = 3.0
Fault = Callable[["Run"], None]


@dataclass
class Run:
    """One start and stop."""

    run: LiveRun
    world: "World"
    dice: random.Random


@dataclass(frozen=True)
class Sample:
    """What the process holds, after a stop."""

    at_s: float
    rss_mb: float
    threads: int
    handles: int


@dataclass
class SoakReport:
    """What was seen."""

    seconds: float = 0.0
    runs: int = 0
    recordings: int = 0
    raw_frames: int = 0
    images: int = 0
    dropped_series: int = 0
    worker_restarts: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    ended_with: Counter[str] = field(default_factory=Counter)
    dark_stops: int = 0
    light_compared: int = 0
    """How often the light that is shown was compared with the world's, and of these with light."""
    light_compared_lit: int = 0
    light_confirmed: int = 0
    """Of these, how often it was shown as read back, and how often as switched by hardware."""
    light_stepped: int = 0
    longest_change_s: float = 0.0
    """The longest time for which light was shown as being set."""
    colours: Counter[str] = field(default_factory=Counter)
    """Colours of the plans."""
    skipped_series: int = 0
    memory_growth: float | None = None
    """Of the process, from after the warm-up to the end, as a share: medians of the first and the last third."""
    samples: list[Sample] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


# Faults: each may end the run with a DeviceError, and with nothing else ------------------------------------


def _kill_worker(run: Run) -> None:
    if (pid := run.run.worker_pid) is not None:
        os.kill(pid, signal.SIGKILL)


def _freeze_worker(run: Run) -> None:
    if (pid := run.run.worker_pid) is not None:
        os.kill(pid, signal.SIGSTOP)


def _stall_camera(run: Run) -> None:
    run.world.faults.hang("Camera")
    threading.Timer(STALLED_S + 2.0, run.world.faults.clear, ("Camera",)).start()


FAULTS: dict[str, Fault] = {
    "none": lambda _: None,
    "worker killed": _kill_worker,
    "worker frozen": _freeze_worker,
    "exposure fails": lambda run: run.world.faults.fail_exposure(run.dice.randrange(1, 20)),
    "wrong pattern": lambda run: run.world.faults.replace_pattern(run.dice.randrange(9), 0),
    "camera unplugged": lambda run: run.world.faults.unplug("Camera"),
    "camera stalls": _stall_camera,
    "SLM unplugged": lambda run: run.world.faults.unplug("SLM"),
    "AOTF slow": lambda run: run.world.faults.slow("AOTF", 0.01),
}


class Soak:
    """The soak."""

    def __init__(
        self,
        seconds: float,
        seed: int,
        folder: Path,
        say: Callable[[str], None] = lambda _: None,
        most_runs: int | None = None,
    ) -> None:
        """Take how long, or how many runs, and where recordings go; they are deleted one by one."""
        self._most_runs = most_runs
        self._seconds, self._dice, self._folder, self._say = seconds, random.Random(seed), folder, say
        scope = load_microscope(config_file("demo-multicolour.yaml")).model_dump()
        scope["hardware"]["camera"]["timeout_s"] = STALLED_S
        self._scope = Microscope.model_validate(scope)
        self.report = SoakReport()
        self._names = [channel.name for channel in self._scope.channels]
        self._world: World | None = None
        self._watch = LightWatch(lambda: self._world)
        self._began_s = time.monotonic()

    def __call__(self) -> SoakReport:
        """Run until the time is over."""
        self._soak()
        report, watch = self.report, self._watch
        report.light_compared, report.light_compared_lit = watch.compared, watch.lit
        report.light_confirmed, report.light_stepped = watch.confirmed, watch.stepped
        report.longest_change_s = watch.changing_s
        report.problems += [f"shown light: {text}" for text in self._watch.differences]
        report.seconds = self._elapsed_s
        self._judge()
        return report

    def _soak(self) -> None:
        while self._goes_on:
            core = open_core(self._scope)
            try:
                core.setProperty("World", "Refresh_ms", 1e6)
                core.setProperty("Camera", "SensorSize_px", SIDE)
                for _ in range(RUNS_A_CORE):
                    if self._goes_on:
                        self._run(core)
            finally:
                shutdown(core, self._scope.hardware)
            self._sample()

    @property
    def _goes_on(self) -> bool:
        full = self._most_runs is not None and self.report.runs >= self._most_runs
        return not full and self._elapsed_s < self._seconds

    @property
    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    def _run(self, core: "UniMMCore") -> None:
        from rdl_devices.sim import world_of

        report, dice, world = self.report, self._dice, world_of(core)
        name = dice.choice(list(FAULTS))
        out = self._folder / f"run-{report.runs}" if dice.random() < 0.6 else None
        plan = self._plan()
        if world is not self._world:
            self._world = world
            self._watch.forget()
        if out is not None:
            out.mkdir()
        report.runs += 1
        report.faults[name] += 1
        told: list[str] = []
        ended = "well"
        run = LiveRun(
            self._scope,
            plan,
            out,
            LiveOptions(hang_s=2.0, processing="process" if dice.random() < 0.85 else "thread"),
            core=core,
            on_warning=told.append,
        )
        try:
            with run:
                run.start()
                self._let_run(run, dice.uniform(0.0, 2.0))
                FAULTS[name](Run(run, world, dice))
                self._let_run(run, dice.uniform(0.0, 3.0))
                run.stop()
                run.end()
        except RdlError as error:
            ended = type(error).__name__
            if not isinstance(error, DeviceError) or name in ("none", "worker killed", "worker frozen", "AOTF slow"):
                report.problems.append(f"run {report.runs} ({name}) ended with {error}")
        world.faults.clear()
        report.ended_with[ended] += 1
        self._count(run, out)
        self._check_dark(core, world, name)
        self._say(f"{self._elapsed_s:.0f} s: run {report.runs}, {name}, ended {ended}; {len(report.problems)} problems")

    def _plan(self) -> Plan:
        """Draw colours, powers, and how long; some plans wait between time points, some skip what fails."""
        dice = self._dice
        names = sorted(dice.sample(self._names, dice.choice((1, 1, 2, 3))), key=self._names.index)
        self.report.colours["+".join(names)] += 1
        return Plan(
            channels=tuple(PlanChannel(name=n, power_percent=dice.uniform(5, 100), exposure_ms=5) for n in names),
            time=TimePlan(
                points=None if dice.random() < 0.7 else dice.randrange(1, 30), interval_s=dice.choice((0.0, 0.0, 0.5))
            ),
            on_error="skip" if dice.random() < 0.3 else "stop",
        )

    def _let_run(self, run: LiveRun, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while run.running and time.monotonic() < deadline:
            self._watch.compare(lambda: shown_of(run.light.lamps))
            time.sleep(0.02)

    def _count(self, run: LiveRun, out: Path | None) -> None:
        report = self.report
        if run.opened:
            status = run.status
            report.raw_frames += status.raw_frames
            report.images += status.sr_frames
            report.dropped_series += status.dropped
            report.worker_restarts += run.restarts
            report.skipped_series += len(run.progress.skipped) if run.progress is not None else 0
        if out is None or not (out / RAW_RECORDING).exists():
            return
        report.recordings += 1
        read = verify(out / RAW_RECORDING)
        if not read.intact:
            report.problems.append(f"run {report.runs}: the recording does not verify: {read.problems[:3]}")
        if run.opened and read.verified != run.status.raw_frames:
            report.problems.append(
                f"run {report.runs}: {run.status.raw_frames} frames were delivered and {read.verified} are on the disk"
            )
        _delete(out)

    def _check_dark(self, core: "UniMMCore", world: "World", name: str) -> None:
        """Read back from the devices, and look at the truth of the world."""
        hardware = hardware_of(self._scope)
        lit = [str(s) for s in hardware.safe_state if not _is(core.getProperty(*s.place), s.value)]
        if hardware.shutter is not None and core.getShutterOpen(hardware.shutter):
            lit.append("shutter open")
        if any(world.light.share(nm, exposing=True) for nm in world.light.lines):
            lit.append("light on the sample")
        if lit:
            self.report.problems.append(f"run {self.report.runs} ({name}): not dark: {', '.join(lit)}")
        else:
            self.report.dark_stops += 1

    def _sample(self) -> None:
        gc.collect()
        _trim()
        sample = Sample(round(self._elapsed_s, 1), round(_rss_mb(), 1), _settled_threads(), _handles())
        self.report.samples.append(sample)
        self._say(f"{sample.at_s:.0f} s: {sample.rss_mb:g} MB, {sample.threads} threads, {sample.handles} handles")

    def _judge(self) -> None:
        report = self.report
        warm = [one for one in report.samples if one.at_s >= WARM_UP * self._seconds]
        third = len(warm) // 3
        if third < 1:
            return
        first, last = warm[:third], warm[-third:]
        before, after = (statistics.median(one.rss_mb for one in part) for part in (first, last))
        report.memory_growth = after / before - 1 if before else None
        if third >= 3 and report.memory_growth is not None and report.memory_growth > GROWTH:
            report.problems.append(f"memory grew by {100 * report.memory_growth:.1f} %, {before:.0f} to {after:.0f} MB")
        for what in ("threads", "handles"):
            early, late = (min(getattr(one, what) for one in part) for part in (first, last))
            if late > early:
                report.problems.append(f"{what} grew from {early} to {late}")


def _is(found: str, wanted: object) -> bool:
    try:
        return float(found) == float(str(wanted))
    except ValueError:
        return str(found) == str(wanted)


def _delete(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)


def _trim() -> None:
    """Let glibc give back what it holds in reserve, so that what is counted is what the program holds."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _rss_mb() -> float:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return float(status.split("VmRSS:")[1].split()[0]) / 1024


def _settled_threads() -> int:
    """Return the threads, when those that are just ending have."""
    deadline = time.monotonic() + 3.0
    fewest = threading.active_count()
    while time.monotonic() < deadline and any(t.name.startswith(("rdl-", "safe-")) for t in threading.enumerate()):
        time.sleep(0.05)
        fewest = min(fewest, threading.active_count())
    return min(fewest, threading.active_count())


def _handles() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, default=Path("soak.json"))
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        report = Soak(60 * options.minutes, options.seed, Path(folder), lambda text: print(text, flush=True))()
    content: dict[str, Any] = {**vars(report), "samples": [asdict(one) for one in report.samples], "ok": report.ok}
    options.report.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    shown = {key: value for key, value in content.items() if key != "samples"}
    print(json.dumps(shown, indent=2))
    for one in (report.samples[:1], report.samples[-1:]):
        print(*one)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
