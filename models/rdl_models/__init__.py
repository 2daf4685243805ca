"""Networks, one a file, and their weights. They know nothing of microscopes. Names are loaded when first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdl_models.architecture import Architecture, Network, Task
    from rdl_models.card import Card, Span
    from rdl_models.care import Care, CareConfig
    from rdl_models.dfcan import Dfcan, DfcanConfig
    from rdl_models.fnsm import Fnsm, FnsmConfig, FourierMask
    from rdl_models.object_plane import ObjectPlane, ObjectPlaneConfig
    from rdl_models.rcan3d import Rcan3d, Rcan3dConfig
    from rdl_models.rdl_sim import RdlSim, RdlSimConfig
    from rdl_models.registry import ARCHITECTURES, architectures, build, find_architecture
    from rdl_models.weights import (
        Weights,
        find_weights,
        load_weights,
        read_card,
        save_weights,
        shipped,
    )

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "Card",
    "Care",
    "CareConfig",
    "Dfcan",
    "DfcanConfig",
    "Fnsm",
    "FnsmConfig",
    "FourierMask",
    "Network",
    "ObjectPlane",
    "ObjectPlaneConfig",
    "Rcan3d",
    "Rcan3dConfig",
    "RdlSim",
    "RdlSimConfig",
    "Span",
    "Task",
    "Weights",
    "architectures",
    "build",
    "find_architecture",
    "find_weights",
    "load_weights",
    "read_card",
    "save_weights",
    "shipped",
]

_HOME = {
    "architecture": ("Architecture", "Network", "Task"),
    "card": ("Card", "Span"),
    "care": ("Care", "CareConfig"),
    "dfcan": ("Dfcan", "DfcanConfig"),
    "fnsm": ("Fnsm", "FnsmConfig", "FourierMask"),
    "object_plane": ("ObjectPlane", "ObjectPlaneConfig"),
    "rcan3d": ("Rcan3d", "Rcan3dConfig"),
    "rdl_sim": ("RdlSim", "RdlSimConfig"),
    "registry": ("ARCHITECTURES", "architectures", "build", "find_architecture"),
    "weights": ("Weights", "find_weights", "load_weights", "read_card", "save_weights", "shipped"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"rdl_models.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
