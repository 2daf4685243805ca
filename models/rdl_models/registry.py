"""The architectures by name. A new one is a file of its own and a line here."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from rdl_live.errors import ConfigError
from rdl_models.dfcan import Dfcan, DfcanConfig
from rdl_models.object_plane import ObjectPlane, ObjectPlaneConfig
from rdl_models.rcan3d import Rcan3d, Rcan3dConfig
from rdl_models.rdl_sim import RdlSim, RdlSimConfig

_ARCHITECTURES: dict[str, tuple[Callable[..., Any], Callable[[Any], nn.Module]]] = {
    "dfcan": (DfcanConfig, Dfcan),
    "object-plane": (ObjectPlaneConfig, ObjectPlane),
    "rcan3d": (Rcan3dConfig, Rcan3d),
    "rdl-sim": (RdlSimConfig, RdlSim),
}


def architectures() -> tuple[str, ...]:
    """Return the names of all architectures."""
    return tuple(sorted(_ARCHITECTURES))


def build(architecture: str, config: Mapping[str, object]) -> nn.Module:
    """Return a new network.

    Args:
        architecture: one of `architectures()`.
        config: fields of its configuration; what is left out is the default.

    Raises:
        ConfigError: no such architecture, or a configuration that it does not take.
    """
    if architecture not in _ARCHITECTURES:
        raise ConfigError(f"there is no architecture {architecture!r}; there are {', '.join(architectures())}")
    make_config, make = _ARCHITECTURES[architecture]
    try:
        made = make_config(**config)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"architecture {architecture!r} does not take the configuration {dict(config)}: {error}"
        ) from error
    return make(made)
