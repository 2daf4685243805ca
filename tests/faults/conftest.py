"""Whole live runs with the recorder, on the real core with the simulated microscope; small, and as fast as it goes."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rdl_live._names import RAW_RECORDING, SR_RECORDING
from rdl_live.acquire import Plan, PlanChannel, TimePlan, hardware_of, open_core, shutdown
from rdl_live.app.live.run import LiveRun
from rdl_live.app.live.values import LiveOptions, LiveOutcome
from rdl_live.files import load_microscope
from rdl_live.files.recorder import Recording, open_recording, verify
from rdl_live.optics import Microscope, PatternSet, evenly_spaced

if TYPE_CHECKING:
    from pymmcore_plus.experimental.unicore import UniMMCore

    from rdl_devices.sim import World

collect_ignore_glob = [] if find_spec("pymmcore_plus") else ["test_*.py"]
SIDE = 64
PATIENCE_S = 240.0


@dataclass
class Bench:
    """An open microscope, and what a run on it left."""

    core: "UniMMCore"
    world: "World"
    scope: Microscope
    out: Path
    told: list[str] = field(default_factory=list)

    def run(self, points: int | None = 4, *, processing: str = "thread", **more: Any) -> LiveRun:
        """Return a run of the first colour that records."""
        options = {"processing": processing, "patterns": known_patterns(), "queue_series": 20}
        options |= {key: more.pop(key) for key in list(more) if key in LiveOptions.__dataclass_fields__}
        plan = Plan(
            channels=(PlanChannel(name="488", power_percent=80, exposure_ms=more.pop("exposure_ms", 5)),),
            time=TimePlan(points=points),
            **more.pop("plan", {}),
        )
        return LiveRun(
            more.pop("scope", self.scope),
            plan,
            self.out,
            LiveOptions(**options),
            core=self.core,
            on_warning=self.told.append,
            **more,
        )

    def done(self, run: LiveRun) -> LiveOutcome:
        """Run to the end."""
        with run:
            run.start()
            return run.finish()

    @property
    def raw(self) -> Recording:
        """What is on the disk."""
        return open_recording(self.out / RAW_RECORDING)

    @property
    def sr(self) -> Recording:
        """Likewise."""
        return open_recording(self.out / SR_RECORDING)

    def verified(self) -> int:
        """Compare every raw frame with its checksum; return how many there are."""
        report = verify(self.out / RAW_RECORDING)
        assert report.intact, report.problems
        assert not any("was not closed" in note for note in self.raw.notes)
        return report.verified

    @property
    def dark(self) -> bool:
        """Whether no light reaches the sample: by reading back, and by the world's truth."""
        hardware = hardware_of(self.scope)
        for setting in hardware.safe_state:
            found = self.core.getProperty(*setting.place)
            if str(found) != str(setting.value) and float(str(found)) != float(str(setting.value)):
                return False
        lit = any(self.world.light.share(nm, exposing=True) for nm in self.world.light.lines)
        return not lit and not self.core.getShutterOpen(str(hardware.shutter))


def known_patterns() -> tuple[PatternSet, ...]:
    """Some patterns, so that there is an image of each series."""
    return (evenly_spaced(0.195, first_angle_deg=8, modulation=(0.9,)),)


def until(fact: Callable[[], bool], patience_s: float = PATIENCE_S) -> float:
    """Wait for a fact; return how long it took [s]."""
    began = time.perf_counter()
    while not fact():
        assert time.perf_counter() - began < patience_s, "it never came"
        time.sleep(0.005)
    return time.perf_counter() - began


@pytest.fixture(scope="session")
def demo(root: Path) -> Microscope:
    """The demo microscope, with an impatient camera."""
    described = load_microscope(root / "configs" / "demo.yaml").model_dump()
    described["hardware"]["camera"]["timeout_s"] = 1.0
    return Microscope.model_validate(described)


@pytest.fixture
def bench(demo: Microscope, tmp_path: Path) -> Iterator[Bench]:
    """A microscope of its own for each test."""
    from rdl_devices.sim import world_of

    core = open_core(demo)
    core.setProperty("World", "Refresh_ms", 1e6)
    core.setProperty("World", "Realtime", 0)
    core.setProperty("Camera", "SensorSize_px", SIDE)
    yield Bench(core, world_of(core), demo, tmp_path)
    world_of(core).faults.clear()
    shutdown(core, hardware_of(demo))
