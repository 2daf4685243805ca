"""What cells look like: procedural specimens that move and bleach, and how a microscope records them.

Names are loaded when first used, so that importing the package stays cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdl_live.optics.nominal import nominal_patterns
    from rdl_live.specimen.cloud import Cloud, Motion
    from rdl_live.specimen.domain import Domain
    from rdl_live.specimen.registry import kind, kind_names
    from rdl_live.specimen.settings import SpecimenSettings
    from rdl_live.specimen.simulation import (
        SimulatedSeries,
        Simulation,
        SimulationSettings,
        simulate,
    )
    from rdl_live.specimen.specimen import Specimen
    from rdl_live.specimen.volume import SimulatedVolume, VolumeSettings, VolumeSimulation, simulate_volume

__all__ = [
    "Cloud",
    "Domain",
    "Motion",
    "SimulatedSeries",
    "SimulatedVolume",
    "Simulation",
    "SimulationSettings",
    "Specimen",
    "SpecimenSettings",
    "VolumeSettings",
    "VolumeSimulation",
    "kind",
    "kind_names",
    "nominal_patterns",
    "simulate",
    "simulate_volume",
]

_HOME = {
    "cloud": ("Cloud", "Motion"),
    "domain": ("Domain",),
    "rdl_live.optics.nominal": ("nominal_patterns",),
    "registry": ("kind", "kind_names"),
    "settings": ("SpecimenSettings",),
    "simulation": ("SimulatedSeries", "Simulation", "SimulationSettings", "simulate"),
    "specimen": ("Specimen",),
    "volume": ("SimulatedVolume", "VolumeSettings", "VolumeSimulation", "simulate_volume"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        module = _MODULE_OF[name]
        return getattr(import_module(module if "." in module else f"rdl_live.specimen.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
