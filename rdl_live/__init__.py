"""rdl-live: live super-resolution structured-illumination microscopy in little light.

Importing this package is cheap: names are loaded when they are first used.
"""

from typing import TYPE_CHECKING, Any

from rdl_live._version import __version__

if TYPE_CHECKING:
    from rdl_live.files import load_microscope

__all__ = ["__version__", "load_microscope"]


def __getattr__(name: str) -> Any:
    if name == "load_microscope":
        from rdl_live.files import load_microscope

        return load_microscope
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
