"""The hub: makes the world and holds what belongs to no single device (sample, clock, truth)."""

from functools import partial
from typing import Any

from pymmcore_plus.experimental.unicore import HubDevice

from rdl_devices.sim import registry
from rdl_devices.sim.device import SimDevice
from rdl_devices.sim.world import World
from rdl_live.specimen import kind_names


class SimHub(SimDevice, HubDevice):
    """Simulated SIM microscope: sample, clock and light budget."""

    def __init__(self, world: World | None = None) -> None:
        """Make a world, real time or not by its property, and let the devices loaded next join it."""
        world = world or World()
        registry.begin(world)
        super().__init__(world)
        self.add(registry.WORLD_ID, lambda: world.id)
        self.add("Realtime", lambda: int(world.clock.realtime), self._set_realtime, allowed=(0, 1))
        self.add("Replay", lambda: int(world.replay), self._set_replay, allowed=(0, 1))
        self.add("WorldTime_s", world.clock.now)
        self.add("Modulation", lambda: world.settings.modulation, self._setter("modulation"), limits=(0, 1))
        self.add("Refresh_ms", lambda: world.settings.refresh_ms, self._setter("refresh_ms"), limits=(1, 1e6))
        self.add("Seed", lambda: world.settings.seed, self._setter("seed"), limits=(0, 2**31))
        self.add(
            "BleachDose_J_cm2",
            lambda: world.settings.bleach_dose_j_cm2,
            self._setter("bleach_dose_j_cm2"),
            limits=(0, 1e9),
        )
        self.add("FullIrradiance_W_cm2", lambda: world.settings.full_irradiance)
        self.add("Dose_J_cm2", self._dose)
        for nm in world.settings.lines:
            self._add_line(nm)

    def _add_line(self, nm: int) -> None:
        """Add what belongs to the dye of one laser line."""
        world = self.world
        self.add(
            f"PhotonsPerPixelPerMs_{nm}",
            partial(world.full_photons_per_ms, nm),
            lambda value: world.change_dye(nm, photons_per_pixel_ms=value),
            limits=(1e-6, 1e6),
        )
        self.add(f"Irradiance_{nm}_W_cm2", lambda: world.irradiance(nm))
        self.add(f"Dose_{nm}_J_cm2", lambda: self._dose(nm))
        self.add(
            f"Specimen_{nm}",
            lambda: world.settings.dye(nm).specimen.kind,
            partial(self._change_specimen, nm, "kind"),
            allowed=kind_names(),
        )
        for name, field, limits in (
            ("Seed", "seed", (0, 2**31)),
            ("Density", "density", (0.01, 20)),
            ("Haze", "haze", (0, 1)),
            ("Background", "background", (0, 1)),
            ("Speed_um_s", "speed_um_s", (0, 100)),
            ("Depth_um", "depth_um", (0, 20)),
        ):
            self.add(
                f"Specimen{name}_{nm}",
                partial(self._specimen_field, nm, field),
                partial(self._change_specimen, nm, field),
                limits=limits,
            )

    def initialize(self) -> None:
        """Close the world to devices loaded later."""
        self.world.closed_to_newcomers = True

    def shutdown(self) -> None:
        """End the world: what hangs is let go, the light is off."""
        self.world.close()
        super().shutdown()

    def _setter(self, field: str) -> "partial[None]":
        return partial(self._change, field)

    def _change(self, field: str, value: Any) -> None:
        self.world.change(**{field: _whole(value)})

    def _set_realtime(self, value: int) -> None:
        self.world.clock.realtime = bool(value)

    def _set_replay(self, value: int) -> None:
        self.world.replay = bool(value)

    def _dose(self, nm: int | None = None) -> float:
        self.world.settle()
        return float(self.world.dose.of(self.world.field, nm))

    def _specimen_field(self, nm: int, field: str) -> Any:
        return getattr(self.world.settings.dye(nm).specimen, field)

    def _change_specimen(self, nm: int, field: str, value: Any) -> None:
        specimen = self.world.settings.dye(nm).specimen
        self.world.change_dye(nm, specimen=specimen.replace(**{field: _whole(value)}))


def _whole(value: Any) -> Any:
    """Return whole numbers as int: the limits of a property turn its values into floats."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
