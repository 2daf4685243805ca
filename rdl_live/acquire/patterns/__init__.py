"""Pattern sources: what puts the patterns of a series on the sample. One file a kind; the table of the kinds is
`rdl_live.optics.pattern_roles.PATTERN_KINDS`.
"""

from collections.abc import Sequence
from importlib import import_module

from rdl_live.acquire.devices import Devices
from rdl_live.acquire.patterns.order import DisplayOrder, display_order
from rdl_live.acquire.patterns.source import PatternSource
from rdl_live.errors import ConfigError
from rdl_live.optics.microscope import Microscope
from rdl_live.optics.pattern_roles import PATTERN_KINDS

__all__ = ["DisplayOrder", "PatternSource", "display_order", "source_of"]


def source_of(devices: Devices, microscope: Microscope, channels: Sequence[str]) -> PatternSource:
    """Return the pattern source of a microscope, for the channels of a plan; nothing is set.

    Raises:
        ConfigError: its kind cannot be loaded, or it cannot make these patterns.
        DeviceError: its device does not answer.
    """
    name = devices.hardware.source.kind
    kind = PATTERN_KINDS.find(name)
    if kind is None:
        raise ConfigError(f"hardware.patterns.kind: there is no kind {name!r}; install the package that it comes from")
    module, _, attribute = kind.source.partition(":")
    try:
        make = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"pattern source {name!r}: {kind.source} cannot be loaded: {error}") from error
    source = make(devices, microscope, channels)
    if not isinstance(source, PatternSource):
        raise ConfigError(f"pattern source {name!r}: {kind.source} makes no PatternSource")
    return source
