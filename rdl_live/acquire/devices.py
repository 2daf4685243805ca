"""Devices that are asked strictly: what was set is read back, and what differs is an error before any exposure."""

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from rdl_live.acquire.faults import asking
from rdl_live.acquire.light_gate import LightGate, RunStopped
from rdl_live.errors import ConfigError, DeviceError
from rdl_live.optics.hardware import ChannelLight, Hardware, PowerControl, Setting, Value

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

EXPOSURE_SHARE = 0.02
"""Cameras round exposures to whole rows; more than this is another exposure."""
POSITION_UM = 0.5
"""How far from its target an XY stage may rest [um]."""
FOCUS_UM = 0.1
SHOWN = 20
"""So many values of a property are listed in a message."""


class Devices:
    """The devices of one microscope, by role. Belongs to one thread at a time."""

    def __init__(self, core: "CMMCorePlus", hardware: Hardware) -> None:
        """Only look: nothing is set."""
        self.core, self.hardware = core, hardware
        self._known: dict[tuple[str, str], Value] = {}
        self.gate: LightGate | None = None
        """Of the run that these devices are set for; without one nobody else turns the light off meanwhile."""

    def gated(self, device: str) -> AbstractContextManager[None]:
        """Return the block in which a run may set a device of the light; see `LightGate.lighting`."""
        return nullcontext() if self.gate is None else self.gate.lighting(device)

    def forget(self) -> None:
        """Take nothing for set any more: somebody else has turned the knobs."""
        self._known.clear()

    def forget_place(self, place: tuple[str, str]) -> None:
        """Take one property for set no more."""
        self._known.pop(place, None)

    # Properties -----------------------------------------------------------------------------------------

    def set(self, setting: Setting, *, always: bool = False) -> None:
        """Set a property and read it back; nothing is done where it is known to be set.

        Raises:
            DeviceError: refused, or reads back otherwise.
            RunStopped: it is light, and the run was stopped.
        """
        if not always and self._known.get(setting.place) == setting.value:
            return
        self._known.pop(setting.place, None)
        device, name = setting.place
        lights = self.gate is not None and self.gate.lights(setting.place, setting.value)
        with self.gated(device) if lights else nullcontext():
            with asking(device, f"{name} = {setting.value}"):
                self.core.setProperty(device, name, setting.value)
                self.core.waitForDevice(device)
            self.verify(setting)
        self._known[setting.place] = setting.value

    def verify(self, setting: Setting) -> str:
        """Return what a property reads.

        Raises:
            DeviceError: it is not as it was set.
            RunStopped: it is dark, as the stop of the run has made it.
        """
        device, name = setting.place
        with asking(device, f"reading {name}"):
            found = self.core.getProperty(device, name)
        if not same(found, setting.value):
            if self.gate is not None and self.gate.is_dark(setting.place, found, same):
                raise RunStopped
            raise DeviceError(
                f"{device}: {name} was set to {setting.value} but reads back {found}; check the device, or take a "
                "value that it can reach"
            )
        return str(found)

    def light(self, light: ChannelLight, percent: float) -> float:
        """Light one channel and no other; return its power as read back [percent].

        Raises:
            DeviceError: refused, or reads back otherwise.
            RunStopped: the run was stopped.
        """
        found = ""
        for setting in self.lighting(light, percent):
            self.set(setting)
            found = self.verify(setting)
        return float(found) / light.power.per_percent

    def lighting(self, light: ChannelLight, percent: float) -> list[Setting]:
        """Return what lights one channel and no other, its power last."""
        others = [self.hardware.off(one.power) for one in self.hardware.light if one is not light]
        return [*others, *light.settings, powered(light.power, percent)]

    # Light and camera -----------------------------------------------------------------------------------

    def shutter(self, is_open: bool) -> None:
        """Open or close the shutter, where there is one, and read it back.

        Raises:
            DeviceError: refused, or reads back otherwise.
            RunStopped: it was to be opened, and the run was stopped.
        """
        label = self.hardware.shutter
        if label is None:
            return
        word = "open" if is_open else "closed"
        with self.gated(label) if is_open else nullcontext():
            with asking(label, f"shutter {word}"):
                self.core.setShutterOpen(label, is_open)
                self.core.waitForDevice(label)
                found = bool(self.core.getShutterOpen(label))
            if is_open and not found and self.gate is not None:
                self.gate.check()  # the stop closed it
            if found != is_open:
                raise DeviceError(
                    f"{label}: shutter was set {word} but reads back {'open' if found else 'closed'}; it is stuck: "
                    "check it before light is turned on again"
                )

    def close(self) -> None:
        """Keep light from the sample: by the shutter, or, where there is none, by the safe state.

        Raises:
            DeviceError: refused, or reads back otherwise.
        """
        self.shutter(False)
        if self.hardware.shutter is None:
            for setting in self.hardware.safe_state:
                self.set(setting)

    def exposure(self, exposure_ms: float) -> float:
        """Set the camera's exposure and return what it makes of it [ms].

        Raises:
            DeviceError: refused, or further off than a camera's rounding.
        """
        label = self.hardware.camera.device
        with asking(label, f"Exposure = {exposure_ms:g} ms"):
            self.core.setExposure(label, exposure_ms)
            found = float(self.core.getExposure(label))
        if not math.isclose(found, exposure_ms, rel_tol=EXPOSURE_SHARE, abs_tol=0.05):
            raise DeviceError(
                f"{label}: Exposure was set to {exposure_ms:g} ms but reads back {found:g} ms; plan one that the "
                "camera can do"
            )
        return found

    def roi(self, roi: tuple[int, int, int, int] | None) -> None:
        """Set the camera's region (x, y, width, height) [pixels], or all of the chip, and read it back."""
        label = self.hardware.camera.device
        with asking(label, f"ROI = {roi or 'full'}", "choose a region within the chip"):
            self.core.clearROI()
            if roi is not None:
                self.core.setROI(label, *roi)
            found = tuple(self.core.getROI(label))
        if roi is not None and found != roi:
            raise DeviceError(f"{label}: ROI was set to {roi} but reads back {found}; plan that region")

    @property
    def frame_shape(self) -> tuple[int, int]:
        """(y, x) of a frame as the camera is set [pixels]."""
        return self.core.getImageHeight(), self.core.getImageWidth()

    # Stages ---------------------------------------------------------------------------------------------

    def move_xy(self, x_um: float, y_um: float) -> None:
        """Move the stage, wait, and check where it rests."""
        label = self._role("stage", self.hardware.stage)
        self._check_travel(label, x_um=x_um, y_um=y_um)
        with asking(label, f"position ({x_um:g}, {y_um:g}) um"):
            self.core.setXYPosition(label, x_um, y_um)
            self.core.waitForDevice(label)
            found = self.core.getXYPosition(label)
        if math.dist(found, (x_um, y_um)) > POSITION_UM:
            raise DeviceError(f"{label}: was sent to ({x_um:g}, {y_um:g}) um but is at ({found[0]:g}, {found[1]:g}) um")

    def move_z(self, z_um: float) -> None:
        """Move the focus, wait, and check where it rests."""
        label = self._role("focus", self.hardware.focus)
        self._check_travel(label, z_um=z_um)
        with asking(label, f"position {z_um:g} um"):
            self.core.setPosition(label, z_um)
            self.core.waitForDevice(label)
            found = self.core.getPosition(label)
        if abs(found - z_um) > FOCUS_UM:
            raise DeviceError(f"{label}: was sent to {z_um:g} um but is at {found:g} um")

    def _check_travel(self, label: str, **places_um: float) -> None:
        if beyond := self.hardware.travel.beyond(**places_um):
            raise DeviceError(f"{label}: {beyond}; choose a place inside, or change the limits in the microscope file")

    def focus_um(self) -> float:
        """Return where the focus is [um]."""
        label = self._role("focus", self.hardware.focus)
        with asking(label, "reading its position"):
            return float(self.core.getPosition(label))

    # Checks before a run --------------------------------------------------------------------------------

    def check_present(self) -> None:
        """Check every role and property that the microscope file names, in the dark.

        Raises:
            ConfigError: devices or properties that the core does not have; lists them all.
        """
        loaded = set(self.core.getLoadedDevices())
        problems = [
            f"{role}: there is no device {label!r}"
            for role, label in self.hardware.labels.items()
            if label not in loaded
        ]
        settings = [*self.hardware.all_settings, *(powered(one.power, 0) for one in self.hardware.light)]
        for device, name in dict.fromkeys(setting.place for setting in settings):
            if device not in loaded:
                problems.append(f"there is no device {device!r} (for its property {name!r})")
            elif not self.core.hasProperty(device, name):
                known = ", ".join(self.core.getDevicePropertyNames(device))
                problems.append(f"{device} has no property {name!r}; it has {known}")
        if problems:
            text = "\n  - ".join(dict.fromkeys(problems))
            raise ConfigError(f"hardware of the microscope file and {self.hardware.config} differ:\n  - {text}")

    def check_limits(self, settings: Iterable[Setting]) -> None:
        """Raise DeviceError where a value is out of its property's limits; nothing is set."""
        for setting in settings:
            device, name = setting.place
            if isinstance(setting.value, str) or not self.core.hasPropertyLimits(device, name):
                continue
            low, high = self.core.getPropertyLowerLimit(device, name), self.core.getPropertyUpperLimit(device, name)
            if not low <= setting.value <= high:
                raise DeviceError(f"{setting} is out of its limits, {low:g} to {high:g}; change the plan")

    def check_takes(self, settings: Iterable[Setting]) -> None:
        """Raise DeviceError where a property is read-only, or a value out of its limits or none of its values."""
        settings = tuple(settings)
        self.check_limits(settings)
        for setting in settings:
            if self.core.isPropertyReadOnly(*setting.place):
                raise DeviceError(f"{setting} cannot be set: it is read-only; name another property")
            allowed = self.core.getAllowedPropertyValues(*setting.place)
            if allowed and not any(same(one, setting.value) for one in allowed):
                known = ", ".join(allowed[:SHOWN]) + (" ..." if len(allowed) > SHOWN else "")
                raise DeviceError(f"{setting} is none of its values, {known}; correct the microscope file")

    def _role(self, role: str, label: str | None) -> str:
        if label is None:
            raise ConfigError(f"hardware.{role}: is missing, and the plan moves it; name the device, or do not move")
        return label


def powered(power: PowerControl, percent: float) -> Setting:
    """Return the setting for a power in percent of full."""
    return Setting(device=power.device, property=power.property, value=percent * power.per_percent)


def same(found: object, wanted: Value) -> bool:
    """Return whether a property's value is the one wanted: numbers within 1 % (hardware rounds), the rest as text."""
    try:
        return math.isclose(_number(found), _number(wanted), rel_tol=0.01, abs_tol=1e-6)
    except ValueError:
        return str(found) == str(wanted)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float(str(value))
