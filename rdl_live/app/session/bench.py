"""What outlives the single runs of a session: microscope, core, images, dose. Belongs to the session's thread."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rdl_live._names import NO_DENOISER
from rdl_live.acquire import hardware_of, open_core, shutdown
from rdl_live.acquire.devices import Devices
from rdl_live.acquire.plan import light_of
from rdl_live.app.disk import disk_free
from rdl_live.app.session.goals import Requests
from rdl_live.app.session.mailbox import Mailbox
from rdl_live.app.session.notices import Notices
from rdl_live.app.session.stage_mover import StageMover
from rdl_live.app.session.stage_watch import StageWatch
from rdl_live.errors import DeviceError
from rdl_live.files import load_microscope
from rdl_live.optics.microscope import Microscope
from rdl_live.specimen import kind_names
from rdl_live.view.live.session import Activity, DemoKnobs, Light, Severity, Snapshot, StagePlace
from rdl_models import shipped

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

    from rdl_live.acquire import SafeLight
    from rdl_live.optics.pattern import PatternSet

WORLD = "World"
"""Label of the simulated microscope's hub."""
_KNOBS = {"kind": "Specimen", "photons_per_ms": "PhotonsPerPixelPerMs", "speed_um_s": "SpecimenSpeed_um_s"}
CHIP = "Chip"
"""Property of the simulated camera: what its pixels are like."""


class Run(Protocol):
    """What is to be known of a run that has ended, or should have."""

    wishes: Requests
    dose_before: float
    light: "SafeLight"

    @property
    def running(self) -> bool:
        """Whether the acquisition runs."""

    @property
    def dose_j_cm2(self) -> float | None:
        """Dose of this run [J/cm2]; None where it is not known."""

    @property
    def dose_so_far(self) -> float:
        """The same, 0 where it is not known."""

    def snapshot(self, wishes: Requests) -> Snapshot:
        """Return how it is."""


class MicroscopeContext:
    """The microscope that a session sits at."""

    def __init__(
        self,
        source: Microscope | Path | str,
        core: "CMMCorePlus | None",
        prepare: "Callable[[CMMCorePlus], None] | None",
        notices: Notices,
    ) -> None:
        """Only take what is needed; see `LiveSession`."""
        self._source, self._given_core, self._prepare, self.notices = source, core, prepare, notices
        self.mailbox = Mailbox()
        self.core: CMMCorePlus | None = None
        self.microscope: Microscope | None = None
        self.broken = False
        """Whether a device has failed for good."""
        self.light = Light.OFF
        self._stuck: Run | None = None
        """A run that did not end when it was stopped."""
        self._dose: float | None = 0.0
        self._turned: dict[str, object] = {}
        self._simulated = False
        self._at_first: dict[str, dict[str, str]] = {}
        self._depths: dict[str, float] = {}
        """Of the simulated specimen of each channel [um]."""
        self._last = Snapshot()
        self._stage: StageWatch | None = None
        self.mover: StageMover | None = None
        """Moves stage and focus; None where the microscope has neither."""
        self._field: tuple[str, object] | None = None
        self.known: dict[object, PatternSet] = {}
        """Patterns found last, by channel and camera region: with them a single series gives an image."""

    # From the file to the dark --------------------------------------------------------------------------

    def open(self) -> None:
        """Read the file, and load the devices.

        Raises:
            RdlError: the file is wrong, or a device cannot be loaded.
        """
        scope = self._source if isinstance(self._source, Microscope) else load_microscope(self._source)
        hardware = hardware_of(scope)
        core = self._given_core
        if core is None:
            core = open_core(scope)
        else:
            Devices(core, hardware).check_present()
        self.core, self.microscope = core, scope
        if self._prepare is not None:
            self._prepare(core)
        # Last: nobody would end its thread if anything above had failed.
        if hardware.stage is not None or hardware.focus is not None:
            self._stage = StageWatch(core, hardware.stage, hardware.focus)
            self.mover = StageMover(core, hardware, self._stage, self.notices)

    def close(self) -> None:
        """Go dark and unload the devices of its own core.

        Raises:
            DeviceError: something is not dark.
        """
        core, self.core = self.core, None
        if self.mover is not None:
            self.mover.close()
        if self._stage is not None:
            self._stage.close()
        if core is not None and self._given_core is None and self.microscope is not None:
            shutdown(core, self.microscope.hardware)

    def complete(self, wishes: Requests) -> Requests:
        """Return the wishes with what only the devices know filled in."""
        core, scope = self.loaded()
        settings = wishes.settings
        names = [one.channel for one in hardware_of(scope).light]
        if settings.channel not in names:
            settings = replace(settings, channel=next(c.name for c in scope.channels if c.name in names))
        self._read_knobs(names)
        camera = hardware_of(scope).camera.device
        before = tuple(core.getROI(camera))
        devices = Devices(core, hardware_of(scope))
        devices.roi(None)
        height, width = devices.frame_shape
        devices.roi((before[0], before[1], before[2], before[3]))
        region = settings.region
        if region is None or region[0] + region[2] > width or region[1] + region[3] > height:
            region = (before[0], before[1], before[2], before[3])
        self._last = Snapshot(
            channels=tuple(names),
            illuminations=tuple(lit.words if (lit := scope.incidence(scope.channel(n))) else "" for n in names),
            powers_w_cm2=tuple(light_of(scope, name).full_irradiance_w_cm2 for name in names),
            denoisers=(NO_DENOISER, *shipped()),
            chip=(width, height),
        )
        return replace(wishes, settings=replace(settings, region=region))

    # Runs -----------------------------------------------------------------------------------------------

    def prepare(self, wishes: Requests) -> None:
        """Make ready for a run.

        Raises:
            RdlError: it cannot be done.
        """
        self.turn(wishes.knobs)
        settings = wishes.settings
        if (field := (settings.channel, settings.region)) != self._field:
            moved = self._field is None or field[1] != self._field[1]
            self._field = field
            self.mailbox.clear(beside=moved)

    def after(self, run: Run) -> None:
        """Keep what a run leaves behind, and see that it is dark."""
        self._last = run.snapshot(run.wishes)
        self._dose = self._total(run.dose_j_cm2)
        self.broken = run.running
        self._stuck = run if run.running else None
        self._see_dark(run)

    def recover(self) -> None:
        """If what hung has ended after all (a slow device, a busy computer), go on without loading devices anew."""
        run = self._stuck
        if run is None or run.running:
            return
        self._stuck, self.broken = None, False
        self._see_dark(run)
        self.notices.add(Severity.INFO, "the device that did not answer is responding again")

    def _see_dark(self, run: Run) -> None:
        try:
            run.light.make_safe()
        except DeviceError as error:
            self.light = Light.UNKNOWN
            self.notices.add(Severity.ERROR, str(error))
        else:
            self.light = Light.OFF

    def reset_dose(self, run: Run | None) -> None:
        """Count the dose from 0."""
        self._dose = 0.0
        if run is not None:
            run.dose_before = run.dose_so_far
        self._last = replace(self._last, dose_j_cm2=0.0)

    def dose(self, of_run: float | None) -> float | None:
        """Return the dose of all runs so far, with that of the current one [J/cm2]; None where it is not known."""
        return self._total(of_run)

    def _total(self, of_run: float | None) -> float | None:
        return None if self._dose is None or of_run is None else self._dose + of_run

    # Between runs ---------------------------------------------------------------------------------------

    def idle(self, wishes: Requests) -> Snapshot:
        """Return how it is while nothing runs."""
        last = self._last
        readings = replace(last.readings, raw_fps=0.0, image_fps=0.0, latency_ms=None)
        recording = last.recording and replace(last.recording, running=False)
        return replace(
            last,
            activity=Activity.BROKEN if self.broken else Activity.IDLE,
            says="a device does not answer" if self.broken else "ready",
            stalled_s=0.0,
            light=self.light,
            lamps=(),
            plan="",
            readings=readings,
            recording=recording,
            disk_free_bytes=disk_free(wishes.folder),
            demo=self.knobs(wishes),
            stage=self.stage,
        )

    @property
    def stage(self) -> StagePlace:
        """Where stage and focus are."""
        if self._stage is None or self.mover is None:
            return StagePlace()
        return StagePlace(self._stage.position_um, self._stage.focus_um, moving=self.mover.moving)

    def base(self) -> Snapshot:
        """Return what all snapshots share."""
        return self._last

    def turn(self, knobs: Mapping[str, object]) -> None:
        """Turn what was turned on the simulated microscope.

        Raises:
            DeviceError: a value that it does not take.
        """
        fresh = {name: value for name, value in knobs.items() if self._turned.get(name) != value}
        if not fresh or self.core is None or not self._simulated:
            return
        self._turned.update(fresh)
        if (camera := fresh.pop("camera", None)) is not None:
            self._turn(self._camera, CHIP, camera)
        for name, value in fresh.items():
            for line in dict.fromkeys(map(self._line, self._last.channels)):
                self._turn(WORLD, f"{_KNOBS[name]}_{line}", value)
        self.mailbox.forget_brightness()

    def _lit(self, channel: str) -> float:
        """Return the share of a simulated specimen's light that a channel sees."""
        from rdl_devices.sim.penetration import share_of

        scope, depth_um = self.microscope, self._depths.get(channel, 0.0)
        return share_of(scope.incidence(scope.channel(channel)), depth_um) if scope and depth_um else 1.0

    def _line(self, channel: str) -> str:
        """Return the laser line of a channel, as the simulated microscope names it."""
        return f"{self.loaded()[1].channel(channel).excitation_nm:g}"

    def _turn(self, device: str, name: str, value: object) -> None:
        core, _ = self.loaded()
        if not core.hasProperty(device, name):
            return
        try:
            core.setProperty(device, name, value)  # type: ignore[arg-type]
        except (RuntimeError, ValueError) as error:
            raise DeviceError(f"{device}: {name} = {value}: {error}") from error

    @property
    def _camera(self) -> str:
        return hardware_of(self.loaded()[1]).camera.device

    @property
    def simulated(self) -> bool:
        """Whether the microscope is the simulated one, whose specimen is known."""
        return self._simulated

    def knobs(self, wishes: Requests) -> DemoKnobs | None:
        """Return the knobs of the simulated microscope as they are; None for a real one."""
        if not self._simulated:
            return None
        found = {**self._at_first.get(wishes.settings.channel, {}), **self._turned}
        return DemoKnobs(
            kinds=tuple(kind_names()),
            kind=str(found["kind"]),
            photons_per_ms=float(str(found["photons_per_ms"])),
            speed_um_s=float(str(found["speed_um_s"])),
            lit=self._lit(wishes.settings.channel),
            camera=str(found.get("camera", "")),
        )

    def _read_knobs(self, channels: list[str]) -> None:
        """Read the knobs once: what is shown must not ask devices again and again."""
        core, _ = self.loaded()
        self._simulated = WORLD in core.getLoadedDevices()
        self._at_first = {
            channel: {field: core.getProperty(WORLD, f"{name}_{self._line(channel)}") for field, name in _KNOBS.items()}
            for channel in channels
            if self._simulated and core.hasProperty(WORLD, f"{_KNOBS['kind']}_{self._line(channel)}")
        }
        self._simulated = self._simulated and set(self._at_first) == set(channels)
        if self._simulated:
            depth = "SpecimenDepth_um_"
            self._depths = {name: float(core.getProperty(WORLD, f"{depth}{self._line(name)}")) for name in channels}
        if self._simulated and core.hasProperty(self._camera, CHIP):
            for found in self._at_first.values():
                found["camera"] = core.getProperty(self._camera, CHIP)

    def loaded(self) -> "tuple[CMMCorePlus, Microscope]":
        if self.core is None or self.microscope is None:
            raise DeviceError("the devices are not loaded; choose Reconnect")
        return self.core, self.microscope
