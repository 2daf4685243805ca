"""The session of the simulated microscope, as `rdl-live demo` shows it in a window."""

import logging
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rdl_live.app.config_files import config_file
from rdl_live.app.denoiser import DEFAULT
from rdl_live.app.quiet import quiet_micro_manager
from rdl_live.app.session.goals import Requests
from rdl_live.app.session.session import LiveSession
from rdl_live.app.windows.recalled import recalled
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.session import Settings

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

_LOG = logging.getLogger(__name__)

DEMO_SIDE = 256
DEMO_CAMERA = "scmos"
"""Uneven pixels, as real cameras have."""
DEMO = Settings(
    channel="488", power_percent=5.0, exposure_ms=10.0, region=(128, 128, DEMO_SIDE, DEMO_SIDE), denoiser=DEFAULT
)


@dataclass(frozen=True)
class DemoRequests:
    """What `rdl-live demo` was asked for; None: as it was left, or as usual."""

    photons: float | None = None
    size: int | None = None
    denoise: str | None = None
    specimen: str | None = None
    seed: int | None = None
    camera: str | None = None
    modality: str | None = None
    illumination: str | None = None
    memory: bool | None = None

    def check(self) -> None:
        """Raise ConfigError for what cannot be shown, before anything is opened; loads more than the window where
        something was asked for."""
        if self != DemoRequests():
            from rdl_live.app.live_demo import DemoSettings, usual_denoiser

            asked = {name: value for name, value in asdict(self).items() if value is not None}
            asked = {"denoise": usual_denoiser(self.modality), **asked}
            DemoSettings(Path(), **asked).check()


def demo_session(wishes: DemoRequests, memory: Memory) -> LiveSession:
    """Return the session of the simulated microscope; it goes live as soon as its devices are loaded."""
    # The light of whoever was here before would puzzle the next visitor.
    settings = replace(recalled(memory, DEMO), power_percent=DEMO.power_percent, exposure_ms=DEMO.exposure_ms)
    if wishes.photons is not None:
        power = min(100.0, wishes.photons)  # 10 photons per pixel and ms at full power, 10 ms
        settings = replace(settings, power_percent=power, exposure_ms=10.0 * max(1.0, wishes.photons / 100.0))
    if wishes.size is not None:
        corner = (512 - wishes.size) // 2
        settings = replace(settings, region=(corner, corner, wishes.size, wishes.size))
    if wishes.modality is not None:
        from rdl_live.app.live_demo import usual_denoiser

        settings = replace(settings, modality=wishes.modality, denoiser=usual_denoiser(wishes.modality))
    if wishes.memory is not None:
        settings = replace(settings, memory=wishes.memory)
    if wishes.denoise is not None:
        settings = replace(settings, denoiser=wishes.denoise)
    scope, lights = "demo.yaml", {}
    if wishes.illumination is not None:
        from rdl_live.app.live_demo import DemoSettings, demo_plan
        from rdl_live.files import load_microscope

        asked = DemoSettings(Path(), photons=wishes.photons or 5.0, illumination=wishes.illumination)
        scope = asked.scope_file
        channels = demo_plan(load_microscope(config_file(scope)), asked).channels
        lights = {one.name: (one.power_percent, one.exposure_ms) for one in channels}
        first = channels[0]
        settings = replace(
            settings,
            channel=first.name,
            beside=tuple(lights),
            power_percent=first.power_percent,
            exposure_ms=first.exposure_ms,
        )

    def prepare(core: "CMMCorePlus") -> None:
        quiet_micro_manager()
        # Drawing the moving specimen is the simulation's largest cost; in this time it moves by 20 nm.
        core.setProperty("World", "Refresh_ms", 200)
        core.setProperty("Camera", "Chip", wishes.camera or DEMO_CAMERA)
        for name, value in (("Specimen_488", wishes.specimen), ("SpecimenSeed_488", wishes.seed)):
            if value is not None:
                core.setProperty("World", name, value)
        threading.Thread(target=_grow, args=(core, settings), name="rdl-specimen").start()

    session = LiveSession(config_file(scope), Requests(settings, lights=lights), prepare=prepare)
    session.live()
    return session


def _grow(core: "CMMCorePlus", settings: Settings) -> None:
    """Let the simulated specimen grow while the rest of the program is loaded; the first exposure would wait for it."""
    from rdl_devices.sim import world_of
    from rdl_devices.sim.view import Region

    world, region = world_of(core), settings.region or (0, 0, 512, 512)
    try:
        seen = Region(region[1], region[0], region[3], region[2])
        world.view.prepare(int(settings.channel.split()[0]), seen, world.stage_um, world.clock.now())
    except (ValueError, RuntimeError):  # the first exposure will say what is wrong
        _LOG.debug("the specimen was not grown beforehand", exc_info=True)
