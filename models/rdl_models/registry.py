"""The architectures by name. A new one is a file of its own and a line here, or an entry point of another package."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from torch import nn

from rdl_live._tables import Table
from rdl_live.errors import ConfigError
from rdl_models import care, dfcan, object_plane, rcan3d, rdl_sim
from rdl_models.architecture import Architecture
from rdl_models.sr import cmgan, densenet, dfgan, dscan, edsr, pix2pix, rcan, resnet, srcnn, unet

ARCHITECTURES = Table(
    "rdl_live.architectures",
    Architecture,
    (
        care.ARCHITECTURE,
        cmgan.ARCHITECTURE,
        densenet.PLAIN,
        densenet.FCA,
        densenet.SCA,
        dfcan.ARCHITECTURE,
        dfgan.ARCHITECTURE,
        dscan.ARCHITECTURE,
        edsr.ARCHITECTURE,
        object_plane.ARCHITECTURE,
        pix2pix.ARCHITECTURE,
        rcan.ARCHITECTURE,
        rcan3d.ARCHITECTURE,
        rdl_sim.ARCHITECTURE,
        resnet.ARCHITECTURE,
        srcnn.ARCHITECTURE,
        unet.PLAIN,
        unet.FCA,
        unet.SCA,
    ),
)


def architectures() -> tuple[str, ...]:
    """Return the names of all architectures."""
    return ARCHITECTURES.names()


def find_architecture(name: str) -> Architecture:
    """Return the architecture of this name.

    Raises:
        ConfigError: there is none.
    """
    found = ARCHITECTURES.find(name)
    if found is None:
        raise ConfigError(f"there is no architecture {name!r}; there are {', '.join(architectures())}")
    return found


def build(architecture: str, config: Mapping[str, object]) -> nn.Module:
    """Return a new network.

    Args:
        architecture: one of `architectures()`.
        config: fields of its configuration; what is left out is the default.

    Raises:
        ConfigError: no such architecture, or a configuration that it does not take.
    """
    kind = find_architecture(architecture)
    try:
        made = kind.config(**config)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"architecture {architecture!r}: {_complaint(kind.config, config, error)}") from error
    return kind.network(made)


def _complaint(kind: object, config: Mapping[str, object], error: Exception) -> str:
    """Say what is wrong with a configuration, in the user's words where a field is not known."""
    known = [one.name for one in fields(kind)] if is_dataclass(kind) else []
    unknown = [name for name in config if name not in known]
    if known and unknown:
        return f"has no {unknown[0]!r}; its fields are {', '.join(known)}"
    return str(error)
