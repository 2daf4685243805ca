"""Which weights denoise SIM series: not all networks do, and each of the others is for something else."""

from rdl_live.errors import ConfigError
from rdl_models import Card

OBJECT_PLANE = "object-plane"
DENOISERS = (OBJECT_PLANE, "rdl-sim")
"""Architectures that a `Restorer` takes."""
_PURPOSE = {
    "rcan3d": "denoise z-stacks: use them with `rdl-live restore STACKS --denoise`",
    "dfcan": "super-resolve one image in one step: they are for comparison, and no verb uses them yet",
    "rdl-sim": "denoise raw frames: use them with `rdl-live reconstruct --denoise` or in the window",
}


def check_suited(card: Card, said: str, wanted: tuple[str, ...] = DENOISERS, what: str = "SIM series") -> None:
    """Raise unless weights are of an architecture that can do what is asked.

    Args:
        card: of the weights.
        said: how the user named them, option included.
        wanted: architectures that can.
        what: is to be denoised, for the message.

    Raises:
        ConfigError: they are of another architecture; the message says what these weights are for.
    """
    if card.architecture in wanted:
        return
    purpose = _PURPOSE.get(card.architecture, "are for something else")
    raise ConfigError(
        f"{said}: weights of architecture {card.architecture!r} cannot be used for {what}. They {purpose}. "
        f"Here weights of {' or '.join(map(repr, wanted))} are needed, such as 'rdl'"
    )
