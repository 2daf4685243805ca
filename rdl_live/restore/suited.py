"""Which weights can do what is asked: each is for one task, which its card says."""

from collections.abc import Collection

from rdl_live.errors import ConfigError
from rdl_live.optics.microscope import Microscope
from rdl_live.optics.modality import modality_of
from rdl_models import ARCHITECTURES, Card, Task

SERIES: frozenset[str] = frozenset({Task.OBJECT_PLANE, Task.RAW_FRAMES})
"""Tasks of weights that a `Restorer` takes."""
_USE = {
    Task.STACKS: "use them with `rdl-live restore STACKS --weights`",
    Task.RESTORATION: "use them with `rdl-live restore IMAGE --weights`, or in a live run of single frames",
    Task.ISOTROPIC: "use them with `rdl-live restore STACK --weights`",
    Task.SUPER_RESOLUTION: "use them with `rdl-live restore IMAGE --weights`, or in a live run",
    Task.OBJECT_PLANE: "use them with `rdl-live reconstruct --denoise` or in the window",
    Task.RAW_FRAMES: "use them with `rdl-live reconstruct --denoise` or in the window",
}


def check_suited(card: Card, said: str, tasks: Collection[str] = SERIES, what: str = "denoise SIM series") -> None:
    """Raise unless weights are for a task that can do what is asked.

    Args:
        card: of the weights.
        said: how the user named them, option included.
        tasks: values of `Architecture.task` that can.
        what: is asked of them, for the message.

    Raises:
        ConfigError: they are for another task; the message names both.
    """
    if card.task in tasks:
        return
    known = ARCHITECTURES.find(card.architecture)
    does = "" if known is None else f". It {known.words}"
    use = next((f": {text}" for task, text in _USE.items() if task == card.task), "")
    raise ConfigError(
        f"{said}: weights of architecture {card.architecture!r}, for {card.task or 'an unknown task'}, do not {what}"
        f"{does}{use}. Here weights for {' or '.join(sorted(tasks))} are needed"
    )


def check_modality(card: Card, scope: Microscope, said: str) -> None:
    """Raise where weights are for series of stripes and the microscope records something else.

    Raises:
        ConfigError: so it is.
    """
    if card.task in SERIES and not modality_of(scope).shaped:
        raise ConfigError(
            f"{said}: weights {card.name!r} denoise SIM series, and {scope.name!r} is of modality {scope.modality}; "
            f"use weights for {Task.SUPER_RESOLUTION} (a network on single images), or --denoise none"
        )
