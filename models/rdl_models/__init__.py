"""Networks, one a file, and their weights. They know nothing of microscopes. Names are loaded when first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdl_models.card import Card, Span
    from rdl_models.object_plane import ObjectPlane, ObjectPlaneConfig
    from rdl_models.registry import architectures, build
    from rdl_models.weights import Weights, find_weights, load_weights, read_card, save_weights, shipped

__all__ = [
    "Card",
    "ObjectPlane",
    "ObjectPlaneConfig",
    "Span",
    "Weights",
    "architectures",
    "build",
    "find_weights",
    "load_weights",
    "read_card",
    "save_weights",
    "shipped",
]

_HOME = {
    "card": ("Card", "Span"),
    "object_plane": ("ObjectPlane", "ObjectPlaneConfig"),
    "registry": ("architectures", "build"),
    "weights": ("Weights", "find_weights", "load_weights", "read_card", "save_weights", "shipped"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"rdl_models.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
