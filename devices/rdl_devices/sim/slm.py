"""The SLM: takes pictures; what it shows decides the light on the sample."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import DTypeLike
from pymmcore_plus.experimental.unicore import SLMDevice

from rdl_devices.sim.device import SimDevice
from rdl_devices.sim.display import Trigger
from rdl_devices.sim.grating import Image
from rdl_devices.sim.world import World
from rdl_live.errors import DeviceError

MEMORY = 2048
"""Pictures that the SLM can hold."""


class SimSLM(SimDevice, SLMDevice):
    """SLM of the simulated microscope, 8 bit. A sequence is stepped by the camera (TriggerMode External)."""

    def __init__(self, world: World | None = None) -> None:
        super().__init__(world)
        display, geometry = self.world.display, self.world.geometry
        self._image: Image = np.zeros(geometry.shape, np.uint8)
        self.add("PixelSize_um", lambda: self.world.geometry.pixel_um)
        self.add("CornerX_px", lambda: self.world.geometry.corner_px[1])
        self.add("CornerY_px", lambda: self.world.geometry.corner_px[0])
        self.add(
            "TriggerMode",
            lambda: display.trigger_mode.value,
            self._set_trigger_mode,
            allowed=tuple(mode.value for mode in Trigger),
        )
        self.add("Interval_ms", lambda: display.interval_ms, self._set_interval, limits=(0.01, 1e5))
        self.add("StartShift", lambda: display.start_shift, self._set_start_shift, limits=(-MEMORY, MEMORY))
        self.add("Mirror", lambda: int(display.mirrored), self._set_mirror, allowed=(0, 1))
        self.add("Running", lambda: int(display.running))
        self.add("PatternIndex", lambda: display.shown().index)

    def faults(self) -> dict[str, Callable[[], None]]:
        """Return what can go wrong."""
        faults, label = self.world.faults, self.get_label
        return {
            **super().faults(),
            "UploadFails": lambda: faults.fail_upload(label()),
        }

    def shape(self) -> tuple[int, ...]:
        """Return (y, x) pixels."""
        return self.world.geometry.shape

    def dtype(self) -> DTypeLike:
        """Return 8 bit."""
        return np.uint8

    def set_image(self, pixels: np.ndarray) -> None:
        """Take a picture; it is shown at `display_image`."""
        self.check()
        self.world.faults.check_upload(self.get_label(), "a picture")
        self._image = np.array(pixels, np.uint8)

    def get_image(self) -> np.ndarray:
        """Return the picture taken last."""
        self.check()
        return self._image.copy()

    def display_image(self) -> None:
        """Show the picture taken last."""
        self.check()
        self.world.settle()
        self.world.display.show(self._image)

    def set_exposure(self, interval_ms: float) -> None:
        """Take the time that a picture is shown [ms]; 0 leaves it on."""
        self.check()
        if not 0 <= interval_ms < 1e6:
            raise DeviceError(f"{self.get_label()}: an exposure of {interval_ms:g} ms is out of range")
        self.world.display.exposure_ms = float(interval_ms)

    def get_exposure(self) -> float:
        """Return the time that a picture is shown [ms]."""
        self.check()
        return self.world.display.exposure_ms

    def get_sequence_max_length(self) -> int:
        """Return how many pictures the SLM holds."""
        return MEMORY

    def send_sequence(self, sequence: Sequence[np.ndarray]) -> None:
        """Take a sequence of pictures; it is shown from `start_sequence` on."""
        self.check()
        self.world.faults.check_upload(self.get_label(), f"{len(sequence)} pictures")
        self.world.settle()
        self.world.display.load(sequence)

    def start_sequence(self) -> None:
        """Show the first picture and wait for the trigger."""
        self.check()
        self.world.settle()
        self.world.display.start()

    def stop_sequence(self) -> None:
        """Go on showing the picture of now."""
        self.check()
        self.world.settle()
        self.world.display.stop()

    def _set_trigger_mode(self, value: str) -> None:
        self.world.display.trigger_mode = Trigger(value)

    def _set_mirror(self, value: int) -> None:
        self.world.settle()
        self.world.display.mirrored = bool(value)

    def _set_interval(self, value: float) -> None:
        self.world.display.interval_ms = value

    def _set_start_shift(self, value: float) -> None:
        self.world.display.start_shift = int(value)
