"""What is computed, checked and set before a run, in the dark."""

from typing import TYPE_CHECKING

from rdl_live.acquire.core import hardware_of
from rdl_live.acquire.devices import Devices, powered
from rdl_live.acquire.estimate import Estimate, estimate_plan
from rdl_live.acquire.pattern_check import PatternCheck
from rdl_live.acquire.patterns import source_of
from rdl_live.acquire.plan import SINGLE_FRAME, Plan, light_of
from rdl_live.errors import ConfigError, DeviceError
from rdl_live.optics.microscope import Microscope
from rdl_live.optics.pattern import PatternSet

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus


class Preparation:
    """A plan, made ready for one core."""

    def __init__(self, core: "CMMCorePlus", microscope: Microscope, plan: Plan) -> None:
        """Check plan, microscope and core against each other, compute the patterns, set the camera's region.

        Raises:
            ConfigError: they do not fit, or a limit of the plan is exceeded.
            DeviceError: a value that a device cannot take.
        """
        plan.check(microscope)
        if plan.modality == SINGLE_FRAME and microscope.pattern.frames > 1:
            raise ConfigError(
                f"modality: {SINGLE_FRAME} takes series of patterns as a check, which are compared with what a network "
                "makes of single frames: run this plan in the window (`rdl-live live --denoise W.safetensors`), or "
                f"leave the modality out and give a microscope file of modality widefield"
            )
        self.core, self.microscope, self.plan = core, microscope, plan
        self.hardware = hardware_of(microscope)
        self.devices = Devices(core, self.hardware)
        self.devices.check_present()
        self.devices.check_limits(powered(light_of(microscope, c.name).power, c.power_percent) for c in plan.channels)
        self.source = source_of(self.devices, microscope, [channel.name for channel in plan.channels])
        """What makes the patterns."""
        self.stepped = self._is_stepped()
        """Whether software steps the patterns."""
        self.source.check(self.stepped)
        self._set_camera()
        self.frame_shape = self.devices.frame_shape
        pixel_um = microscope.optics.pixel_size_um * self.binning
        self.field_um = (self.frame_shape[0] * pixel_um, self.frame_shape[1] * pixel_um)
        """(y, x) of the field of view [um]."""
        self.focus_um = self.devices.focus_um() if self.hardware.focus else None
        self.estimate: Estimate = estimate_plan(plan, microscope, self.frame_shape, core.getBytesPerPixel())

    @property
    def corner(self) -> tuple[int, int] | None:
        """(y, x) of the region's first pixel on the chip; None where pixels are binned."""
        x, y, _, _ = self.core.getROI(self.hardware.camera.device)
        return (y, x) if self.binning == 1 else None

    def nominal(self, channel: str) -> PatternSet | None:
        """Return the stripes to be expected in the images of a channel, for the region in use; None where unknown."""
        pixel = self.microscope.optics.pixel_size_um
        x, y, _, _ = self.core.getROI(self.hardware.camera.device)
        corner = (y * self.binning * pixel, x * self.binning * pixel)
        chip = (self._chip_px[0] * pixel, self._chip_px[1] * pixel)
        return self.source.nominal(channel, chip, corner)

    def checks(self) -> dict[int, PatternCheck]:
        """Return the pattern checks by channel index, of those channels whose stripes are known."""
        camera, pixel = self.microscope.camera, self.microscope.optics.pixel_size_um * self.binning
        known = {index: self.nominal(channel.name) for index, channel in enumerate(self.plan.channels)}
        return {
            index: PatternCheck(
                nominal,
                self.frame_shape,
                pixel,
                camera.offset_adu,
                camera.gain_e_per_adu,
                camera.read_noise_e,
            )
            for index, nominal in known.items()
            if nominal is not None
        }

    def focus_back(self) -> list[BaseException]:
        """Leave the focus where it was, if the plan moved it; return what went wrong."""
        if self.focus_um is None:
            return []
        try:
            if abs(self.devices.focus_um() - self.focus_um) > 1e-3:
                self.devices.move_z(self.focus_um)
        except DeviceError as error:
            return [error]
        return []

    def _is_stepped(self) -> bool:
        if self.plan.sequence == "software":
            return True
        pieces = (ids for name in self.source.patterns for ids in self.source.pieces(name))
        lacks = next((why for ids in pieces if (why := self.source.lacks(ids))), None)
        if lacks is not None and self.plan.sequence == "hardware":
            raise DeviceError(f"{lacks}; use sequence: software")
        return lacks is not None

    def _set_camera(self) -> None:
        """Set the region now: recorder and processing must know the frame's size before the start."""
        label, roi = self.hardware.camera.device, self.plan.roi
        self.core.setCameraDevice(label)
        before = self.core.getROI(label)
        self.devices.roi(None)
        height, width = self.devices.frame_shape
        self.binning = int(self.core.getProperty(label, "Binning"))
        self._chip_px = (height * self.binning, width * self.binning)
        if roi is not None:
            self.devices.roi((roi.x, roi.y, roi.width, roi.height))
        elif tuple(before) != (0, 0, width, height):
            self.devices.roi((before[0], before[1], before[2], before[3]))
