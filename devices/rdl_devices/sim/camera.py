"""The sCMOS camera: exposures of the world, into the core's buffer."""

import itertools
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import DTypeLike
from pymmcore_plus.experimental.unicore import CameraDevice

from rdl_devices.sim.device import SEQUENCE_MAX, SimDevice
from rdl_devices.sim.sequencer import Sequencer
from rdl_devices.sim.settings import CHIPS
from rdl_devices.sim.threads import compute_alone
from rdl_devices.sim.view import Region
from rdl_devices.sim.world import Exposure, World
from rdl_live.errors import DeviceError

log = logging.getLogger(__name__)

BINNINGS = (1, 2, 4)
SHORTEST_MS, LONGEST_MS = 0.01, 10_000.0
SMALLEST_PX = 16
"""Least side of a region of interest."""
GetBuffer = Callable[[Sequence[int], DTypeLike], np.ndarray]


class SimCamera(SimDevice, CameraDevice):
    """sCMOS camera of the simulated microscope.

    Its exposure-out line triggers the SLM, the sequenced properties and the AOTF's blanking. The chip is read
    after each exposure, so that all rows see the same pattern: a frame takes exposure + readout time.
    """

    def __init__(self, world: World | None = None) -> None:
        self._exposure_ms = 10.0
        self._binning = 1
        self._interval_ms = 0.0
        self._roi: tuple[int, int, int, int] | None = None
        self._last_error = ""
        self._sequence = 0
        self._exposures: Sequencer[float] = Sequencer(self._expose_for)
        super().__init__(world)
        settings = self.world.settings
        self.set_property_sequence_max_length("Exposure", SEQUENCE_MAX)
        self.set_property_limits("Exposure", (SHORTEST_MS, LONGEST_MS))
        self.set_property_allowed_values("Binning", BINNINGS)
        self.add("FrameInterval_ms", lambda: self._interval_ms, self._set_interval, limits=(0, 1e5))
        self.add("ReadoutTime_ms", lambda: self._readout_ms)
        self.add("PixelSize_um", lambda: settings.optics.pixel_size_um)
        self.add("Offset_adu", lambda: settings.camera.offset_adu)
        self.add("Gain_e_per_adu", lambda: settings.camera.gain_e_per_adu)
        self.add("ReadNoise_e", lambda: settings.camera.read_noise_e)
        self.add("FullWell_e", lambda: settings.full_well_e)
        self.add("SensorSize_px", lambda: self.world.settings.sensor_px, self._set_sensor_size, limits=(32, 2048))
        self.add("PixelMaps", lambda: int(self.world.settings.pixel_maps), self._set_maps, allowed=(0, 1))
        self.add(
            "HotPixels",
            lambda: self.world.settings.hot_pixels,
            lambda share: self.world.change(hot_pixels=share),
            limits=(0, 1),
        )
        self.add("Chip", lambda: self.world.settings.chip, lambda name: self.world.change(chip=name), allowed=CHIPS)
        self.add("LastError", lambda: self._last_error)

    def faults(self) -> dict[str, Callable[[], None]]:
        """Return what can go wrong: the next exposure fails."""
        return {**super().faults(), "ExposureFails": self.world.faults.fail_exposure}

    # What the core asks ---------------------------------------------------------------------------------

    def get_exposure(self) -> float:
        """Return the exposure time [ms]."""
        return self._exposure_ms

    def set_exposure(self, exposure: float) -> None:
        """Take an exposure time [ms]; raises DeviceError out of range or where refused."""
        self.check()
        self.world.faults.check_value(self.get_label(), "Exposure", exposure)
        if not SHORTEST_MS <= exposure <= LONGEST_MS:
            raise DeviceError(
                f"{self.get_label()}: cannot set Exposure = {exposure:g} ms; "
                f"it goes from {SHORTEST_MS:g} to {LONGEST_MS:g} ms"
            )
        self._expose_for(exposure)

    def load_exposure_sequence(self, sequence: Sequence[float]) -> None:
        """Take the exposure times [ms] that the frames step through."""
        self._exposures.load(sequence)

    def start_exposure_sequence(self) -> None:
        """Begin with the first of them at the next frame."""
        self._exposures.start()

    def stop_exposure_sequence(self) -> None:
        """Keep the exposure time of now."""
        self._exposures.stop()

    def get_binning(self) -> int:
        """Return how many pixels are summed along each axis."""
        return self._binning

    def set_binning(self, value: int) -> None:
        """Sum blocks of 1, 2 or 4 pixels a side."""
        self._binning = int(value)

    def get_actual_interval_ms(self) -> float:
        """Return the time from frame to frame in a sequence [ms]."""
        return max(self._interval_ms, self._exposure_ms + self._readout_ms)

    def shape(self) -> tuple[int, int]:
        """Return (height, width) of a frame."""
        _, _, width, height = self.get_roi()
        return height, width

    def dtype(self) -> DTypeLike:
        """Return 16 bit."""
        return np.uint16

    def get_roi(self) -> tuple[int, int, int, int]:
        """Return x, y, width, height in binned pixels."""
        region, binning = self._region, self._binning
        return region.left // binning, region.top // binning, region.width // binning, region.height // binning

    def set_roi(self, x: int, y: int, width: int, height: int) -> None:
        """Take a region of interest in binned pixels.

        Raises:
            DeviceError: it is too small, or reaches beyond the chip.
        """
        self.check()
        self.world.faults.check_value(self.get_label(), "ROI", (x, y, width, height))
        side = self.world.settings.sensor_px
        left, top, across, down = (self._binning * n for n in (x, y, width, height))
        fits = min(left, top) >= 0 and left + across <= side and top + down <= side
        if not fits or min(across, down) < SMALLEST_PX:
            raise DeviceError(
                f"{self.get_label()}: cannot set ROI = ({x}, {y}, {width}, {height}); the chip has "
                f"{side // self._binning} x {side // self._binning} pixels, the least side is {SMALLEST_PX}"
            )
        self._roi = (left, top, across, down)

    def clear_roi(self) -> None:
        """Read the whole chip."""
        self._roi = None

    def start_sequence(self, n: int | None, get_buffer: GetBuffer) -> Iterator[Mapping[str, str]]:
        """Return the frames of a snap (n = 1, taken in the caller's thread) or of a sequence.

        Raises:
            DeviceError: the camera is unplugged, at once and not in the core's thread.
        """
        self.check()
        self.world.prepare(self._region)
        self._sequence += 1
        return self._frames(n, get_buffer, caller=threading.get_ident(), sequence=self._sequence)

    # How frames come about ------------------------------------------------------------------------------

    def _frames(self, n: int | None, get_buffer: GetBuffer, caller: int, sequence: int) -> Iterator[Mapping[str, str]]:
        """Expose and deliver, until another sequence begins.

        The core waits two seconds for a thread that it stops; on a busy computer that one may still be computing a
        frame when the next sequence has begun, whose first frame it would become.

        A failing exposure raises in a snap. In a sequence there is nobody to raise to: a failed exposure leaves
        a gap in the frames' FrameIndex, an unplugged camera delivers no more; LastError says why.
        """
        if threading.get_ident() != caller:
            compute_alone()
        clock, start_s = self.world.clock, self.world.clock.now()
        for index in itertools.count() if n is None else range(n):
            clock.sleep_until(start_s)
            try:
                self.check()
                frame, truth = self._expose(start_s)
            except DeviceError as error:
                if threading.get_ident() == caller:
                    raise
                if self.world.closed:
                    return
                self._last_error = str(error)
                log.warning("%s", error)
                if not isinstance(error, ExposureError):
                    return
            else:
                clock.sleep_until(start_s + 1e-3 * (truth.exposure_ms + self._readout_ms))
                if sequence != self._sequence:
                    return
                get_buffer(frame.shape, frame.dtype)[:] = frame
                yield _tags(index, truth)
                if n != 1 and self.world.faults.frame_repeats():
                    get_buffer(frame.shape, frame.dtype)[:] = frame
                    yield _tags(index, truth)
            start_s += 1e-3 * self.get_actual_interval_ms()

    def _expose(self, start_s: float) -> tuple[np.ndarray, Exposure]:
        self._exposures.trigger()
        frame, truth = self.world.expose(self._region, self._exposure_ms, self._binning, start_s=start_s)
        if self.world.faults.exposure_fails():
            raise ExposureError(
                f"{self.get_label()}: exposure {truth.exposure_ms:g} ms at {truth.start_s:.3f} s failed"
            )
        return frame, truth

    @property
    def _region(self) -> Region:
        """What is read, in unbinned pixels, whole blocks of binning."""
        side = self.world.settings.sensor_px
        left, top, width, height = self._roi or (0, 0, side, side)
        return Region(top, left, height - height % self._binning, width - width % self._binning)

    @property
    def _readout_ms(self) -> float:
        return self.world.readout_ms(self._region.height)

    def _expose_for(self, exposure: float) -> None:
        self._exposure_ms = float(exposure)

    def _set_interval(self, value: float) -> None:
        self._interval_ms = value

    def _set_sensor_size(self, value: float) -> None:
        self._roi = None
        self.world.change(sensor_px=int(value))

    def _set_maps(self, value: int) -> None:
        self.world.change(pixel_maps=bool(value))


class ExposureError(DeviceError):
    """One exposure failed; the next may succeed."""


def _tags(index: int, truth: Exposure) -> dict[str, str]:
    """Return a frame's metadata: what a camera knows, and what only a simulated one does (Sim...)."""
    return {
        "FrameIndex": str(index),
        "ExposureStart_s": f"{truth.start_s:.6f}",
        "Exposure_ms": f"{truth.exposure_ms:g}",
        "SimPatternIndex": str(truth.pattern_index),
        "SimPhotonsPerPixel": f"{truth.photons_per_pixel:.6g}",
    }
