"""What light does: descriptions, OTF, patterns, forward model, noise, estimation, reconstruction, quality.

Pure torch, the same code on CPU and GPU. Names are loaded when first used, so that the descriptions
(which need no torch) stay cheap to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdl_live.optics.estimate import estimate_patterns
    from rdl_live.optics.forward import ForwardModel, Imaging
    from rdl_live.optics.microscope import (
        Camera,
        Channel,
        Microscope,
        Optics,
        PatternGeometry,
        PatternGuess,
        RadialOtf,
        SeriesOrder,
    )
    from rdl_live.optics.noise import CameraMaps, expose, to_photons
    from rdl_live.optics.otf import Otf, ideal_otf, radial_otf
    from rdl_live.optics.pattern import Pattern, PatternSet, evenly_spaced, illumination
    from rdl_live.optics.reconstruct import Apodization, Attenuation, Reconstructor
    from rdl_live.optics.target import extended_cutoff, sr_target

__all__ = [
    "Apodization",
    "Attenuation",
    "Camera",
    "CameraMaps",
    "Channel",
    "ForwardModel",
    "Imaging",
    "Microscope",
    "Optics",
    "Otf",
    "Pattern",
    "PatternGeometry",
    "PatternGuess",
    "PatternSet",
    "RadialOtf",
    "Reconstructor",
    "SeriesOrder",
    "estimate_patterns",
    "evenly_spaced",
    "expose",
    "extended_cutoff",
    "ideal_otf",
    "illumination",
    "radial_otf",
    "sr_target",
    "to_photons",
]

_HOME = {
    "estimate": ("estimate_patterns",),
    "noise": ("CameraMaps", "expose", "to_photons"),
    "reconstruct": ("Apodization", "Attenuation", "Reconstructor"),
    "forward": ("ForwardModel", "Imaging"),
    "microscope": (
        "Camera",
        "Channel",
        "Microscope",
        "Optics",
        "PatternGeometry",
        "PatternGuess",
        "RadialOtf",
        "SeriesOrder",
    ),
    "otf": ("Otf", "ideal_otf", "radial_otf"),
    "pattern": ("Pattern", "PatternSet", "evenly_spaced", "illumination"),
    "target": ("extended_cutoff", "sr_target"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"rdl_live.optics.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
