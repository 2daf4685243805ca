"""A simulated SIM microscope: one world, seen through lasers, AOTF, shutter, SLM, stages and camera.

Loaded by `UniMMCore` from configs/demo.cfg. The hub device comes first and makes the world; the devices that
follow share it; `world_of(core)` finds it again, for faults and for the truth in tests. Names are loaded when
first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdl_devices.sim.faults import Faults
    from rdl_devices.sim.grating import Fringe, SlmGeometry, analyse, draw, fringe
    from rdl_devices.sim.registry import world_of
    from rdl_devices.sim.settings import Dye, WorldSettings
    from rdl_devices.sim.world import Exposure, World

__all__ = [
    "Dye",
    "Exposure",
    "Faults",
    "Fringe",
    "SlmGeometry",
    "World",
    "WorldSettings",
    "analyse",
    "draw",
    "fringe",
    "world_of",
]

_HOME = {
    "faults": ("Faults",),
    "grating": ("Fringe", "SlmGeometry", "analyse", "draw", "fringe"),
    "registry": ("world_of",),
    "settings": ("Dye", "WorldSettings"),
    "world": ("Exposure", "World"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"rdl_devices.sim.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
