"""The rDL step: physics, a light network, physics. Names are loaded when first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdl_live.restore.frames import standardized_residual
    from rdl_live.restore.guards import ResidualCheck, check_residual
    from rdl_live.restore.live import LiveRestorer
    from rdl_live.restore.restored import Guards, Restored
    from rdl_live.restore.restorer import Restorer
    from rdl_live.restore.stage import Stage, StageKind, Unit

__all__ = [
    "Guards",
    "LiveRestorer",
    "ResidualCheck",
    "Restored",
    "Restorer",
    "Stage",
    "StageKind",
    "Unit",
    "check_residual",
    "standardized_residual",
]

_HOME = {
    "frames": ("standardized_residual",),
    "guards": ("ResidualCheck", "check_residual"),
    "live": ("LiveRestorer",),
    "restored": ("Guards", "Restored"),
    "restorer": ("Restorer",),
    "stage": ("Stage", "StageKind", "Unit"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"rdl_live.restore.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
