"""The real core with the simulated microscope: small camera, still specimen, as fast as the computer can."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import pytest

from rdl_live.acquire.core import hardware_of, open_core, shutdown
from rdl_live.acquire.plan import Plan, PlanChannel, TimePlan
from rdl_live.files import load_microscope
from rdl_live.files.recorder import FrameTag
from rdl_live.optics.microscope import Microscope

if TYPE_CHECKING:
    from pymmcore_plus.experimental.unicore import UniMMCore

    from rdl_devices.sim import World

Frame = npt.NDArray[Any]
collect_ignore_glob = [] if find_spec("pymmcore_plus") else ["test_*.py"]


class Keeper:
    """A sink that keeps everything in memory."""

    def __init__(self) -> None:
        self.frames: list[Frame | None] = []
        self.tags: list[FrameTag] = []

    def append(self, frame: Frame, tag: FrameTag) -> None:
        """Take a frame."""
        self.frames.append(frame)
        self.tags.append(tag)

    def mark_missing(self, tag: FrameTag) -> None:
        """Take a hole."""
        self.frames.append(None)
        self.tags.append(tag)

    def amend(self, tag: FrameTag) -> None:
        """Take a verdict on a frame that came before."""
        (number,) = (i for i, one in enumerate(self.tags) if (str(one), one.pattern_id) == (str(tag), tag.pattern_id))
        self.tags[number] = tag

    @property
    def places(self) -> list[tuple[int, ...]]:
        """Time, position, z, channel, angle, phase, pattern id of all that came."""
        return [
            (t.time, t.position, t.z, t.channel, t.angle, t.phase, -1 if t.pattern_id is None else t.pattern_id)
            for t in self.tags
        ]


def plan_of(points: int | None = 3, channels: tuple[str, ...] = ("488",), **more: Any) -> Plan:
    """Return a plan that is quick to run."""
    return Plan(
        channels=tuple(PlanChannel(name=name, power_percent=50, exposure_ms=5) for name in channels),
        time=TimePlan(points=points),
        **more,
    )


def is_dark(core: "UniMMCore", world: "World") -> bool:
    """Return whether no light reaches the sample, by the world's truth and by reading back."""
    lines = world.settings.lines
    truth = sum(world.light.share(nm, exposing=True) for nm in lines)
    powers = [float(core.getProperty("AOTF", f"Power_{nm}_pct")) for nm in lines]
    enabled = [int(core.getProperty("Lasers", f"Enable_{nm}")) for nm in lines]
    return truth == 0 and not any(powers) and not any(enabled) and not core.getShutterOpen("Shutter")


@pytest.fixture(scope="session")
def microscope(root: Path) -> Microscope:
    """The demo microscope with three colours."""
    return load_microscope(root / "configs" / "demo-multicolour.yaml")


@pytest.fixture(scope="session")
def loaded(microscope: Microscope) -> Iterator["UniMMCore"]:
    """Its core; loaded once, for loading and drawing the specimen take longest."""
    core = open_core(microscope)
    core.setProperty("World", "Realtime", 0)
    core.setProperty("World", "Refresh_ms", 1e6)
    core.setProperty("Camera", "SensorSize_px", 128)
    yield core
    shutdown(core, hardware_of(microscope))


@pytest.fixture
def world(loaded: "UniMMCore") -> Iterator["World"]:
    """Its world, without faults before and after."""
    from rdl_devices.sim import world_of

    world = world_of(loaded)
    world.faults.clear()
    world.exposures.clear()
    yield world
    world.faults.clear()
    loaded.setProperty("SLM", "StartShift", 0)


@pytest.fixture
def core(loaded: "UniMMCore", world: "World") -> "UniMMCore":
    """The core, mended, with the whole camera chip."""
    loaded.clearROI()
    assert not world.clock.realtime
    return loaded
