"""A simulated microscope in a real core, small and as fast as possible."""

import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pymmcore_plus")

import pymmcore
from pymmcore_plus.experimental.unicore import UniMMCore

from rdl_devices.sim import SlmGeometry, World, draw, world_of

CONFIG = Path(__file__).parents[2] / "configs" / "demo.cfg"
SIZE = 128
PERIOD_UM = 0.19


@cache
def drawn(period_um: float, geometry: SlmGeometry) -> list[np.ndarray]:
    """Return 3 x 3 gratings, orientation-major."""
    return [
        draw(np.cos(angle) / period_um, np.sin(angle) / period_um, phase, geometry)
        for angle in 0.1 + np.pi * np.arange(3) / 3
        for phase in 2 * np.pi * np.arange(3) / 3
    ]


class Rig:
    """A core with the demo microscope, and what the tests do with it all the time."""

    def __init__(self) -> None:
        self.core = UniMMCore()
        self.core.loadSystemConfiguration(CONFIG)
        self.core.setProperty("World", "Realtime", 0)
        self.core.setProperty("Camera", "SensorSize_px", SIZE)
        self.world: World = world_of(self.core)

    def close(self) -> None:
        """End the core so that the process can end, too."""
        self.core.reset()
        pymmcore.CMMCore.registerCallback(self.core, None)

    def light(self, percent: float = 100.0, nm: int = 488) -> None:
        """Switch one line on."""
        self.core.setProperty("Lasers", f"Enable_{nm}", 1)
        self.core.setProperty("AOTF", f"Power_{nm}_pct", percent)
        self.core.setShutterOpen(True)

    def patterns(self, period_um: float = PERIOD_UM) -> list[np.ndarray]:
        """Return 3 x 3 gratings, orientation-major."""
        return drawn(period_um, self.world.geometry)

    def show(self, picture: np.ndarray) -> None:
        """Display one picture."""
        self.core.setSLMImage("SLM", picture)
        self.core.displaySLMImage("SLM")

    def snap(self) -> np.ndarray:
        """Take one frame."""
        self.core.snapImage()
        return self.core.getImage()

    def run(self, frames: int) -> tuple[list[np.ndarray], list[dict[str, str]]]:
        """Take a sequence and return frames and tags."""
        self.core.startSequenceAcquisition(frames, 0, True)
        while self.core.isSequenceRunning():
            time.sleep(0.002)
        images, tags = [], []
        while self.core.getRemainingImageCount():
            metadata = pymmcore.Metadata()
            images.append(self.core.popNextImageMD(metadata))
            keys: Any = metadata.GetKeys()
            tags.append({key: metadata.GetSingleTag(key).GetValue() for key in keys})
        return images, tags


@pytest.fixture
def rig() -> Iterator[Rig]:
    """The demo microscope in a core of its own, dark."""
    rig = Rig()
    yield rig
    rig.close()
