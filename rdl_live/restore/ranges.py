"""Whether weights are made for a microscope: what they were trained on against what they are to be used on."""

from rdl_live.errors import ConfigError
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.restore.suited import check_modality
from rdl_models import ARCHITECTURES, Card, Task

FAR = 1.3
"""Values that lie beyond a range by more than this factor are refused; those in between are warned of."""


def check_microscope(card: Card, scope: Microscope, channel: Channel | None = None) -> list[str]:
    """Return warnings about values a little beyond those that were trained on.

    Raises:
        ConfigError: some value is far beyond; the message says both.
    """
    check_modality(card, scope, f"microscope {scope.name!r}")
    geometry = scope.pattern
    values = {
        "na": scope.optics.na,
        "pixel_size_um": scope.optics.pixel_size_um,
        "emission_nm": (channel or scope.channels[0]).emission_nm,
    }
    architecture = ARCHITECTURES.find(card.architecture)
    # A network for one image is shown no patterns, whatever the series were like that it has learnt from.
    one = card.task == Task.SUPER_RESOLUTION and card.config.get("channels") == 1
    if not one and (architecture is None or architecture.sees_patterns):
        values |= {
            "angles": float(geometry.angles),
            "phases": float(geometry.phases),
            "harmonics": float(geometry.harmonics),
        }
    return [
        warning
        for name, value in values.items()
        for warning in _compared(card, name, value, f"the microscope {scope.name!r}")
    ]


def check_pixel(card: Card, name: str, pixel_um: float) -> list[str]:
    """Return a warning about a pixel size [um], as a file of this name has it, a little beyond what was trained on.

    Raises:
        ConfigError: it is far beyond; the message says both.
    """
    return _compared(card, "pixel_size_um", pixel_um, name)


def _compared(card: Card, name: str, value: float, whose: str) -> list[str]:
    span = card.valid.get(name)
    if span is None or span.holds(value):
        return []
    text = f"weights {card.name!r} were trained for {name} {span.low:g} to {span.high:g}, {whose} has {value:g}"
    alone = card.task == Task.SUPER_RESOLUTION
    if value > FAR * span.high or value < span.low / FAR:
        remedy = "use other weights" if alone else "use other weights, or --denoise none"
        raise ConfigError(f"{text}: that is too far beyond; {remedy}")
    return [f"{text}; compare with {'a SIM image' if alone else 'the image that is not denoised'}"]


def check_photons(card: Card, photons: float) -> list[str]:
    """Return a warning if a series' mean [photons a pixel] is not among those that were trained on."""
    span = card.valid.get("photons")
    if span is None or span.holds(photons):
        return []
    return [
        f"weights {card.name!r} were trained for {span.low:.4g} to {span.high:.4g} photons a pixel, the series has "
        f"{photons:.3g}; compare with the image that is not denoised"
    ]
