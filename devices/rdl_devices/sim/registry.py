"""How devices find the world that they share.

A .cfg names a device by label, module and class, nothing else, and a device does not know its core when it is
made. So the hub's line comes first: making the hub makes a world, the devices made after it in the same thread
join that world, and initialising the hub closes it to newcomers. Two cores, loaded one after the other or in
two threads, so have two worlds.
"""

import threading
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from rdl_devices.sim.world import World
from rdl_live.errors import DeviceError

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

_open = threading.local()
_worlds: "WeakValueDictionary[str, World]" = WeakValueDictionary()
WORLD_ID = "WorldId"
"""Read-only property of the hub that names its world."""


def begin(world: World) -> None:
    """Let the devices that this thread makes next join a world."""
    _open.world = world
    _worlds[world.id] = world


def joined() -> World:
    """Return the world that a new device belongs to.

    Raises:
        DeviceError: there is none, or it is closed to newcomers.
    """
    world: World | None = getattr(_open, "world", None)
    if world is None or world.closed_to_newcomers:
        raise DeviceError(
            "a simulated device has no world to join; load the hub (rdl_devices.sim.hub,SimHub) before it, "
            "as configs/demo.cfg does, and initialise afterwards"
        )
    return world


def world_of(core: "CMMCorePlus") -> World:
    """Return the simulated world of a core: its truth, and its faults to inject.

    Raises:
        DeviceError: the core has no simulated hub.
    """
    for label in core.getLoadedDevices():
        if core.hasProperty(label, WORLD_ID):
            world = _worlds.get(str(core.getProperty(label, WORLD_ID)))
            if world is not None:
                return world
    raise DeviceError("this core holds no simulated world; load configs/demo.cfg")
