"""Which denoiser a run uses, by its name."""

from typing import TYPE_CHECKING

from rdl_live._names import NO_DENOISER
from rdl_live.errors import ConfigError

if TYPE_CHECKING:
    from rdl_live.optics import Microscope

DEFAULT = "rdl"
"""What the demo denoises with where nothing is said."""


def check_denoiser(name: str, scope: "Microscope | None" = None, *, live: bool = False) -> None:
    """Raise unless there is such a denoiser, and it takes units of the microscope's modality.

    Args:
        name: "none", the name of shipped weights, or a weight file.
        scope: the microscope that it is to be used on, where that is known already.
        live: it is for a live run, which can also use other stages (`rdl_live.restore.stages`), without weights or
            with weights for something else, and uses all colours.

    Raises:
        ConfigError: neither "none", nor the name of shipped weights, nor a weight file; or weights for something else.
        DataError: the weight file is damaged.
    """
    if name == NO_DENOISER:
        return
    # Loads torch, which the window cannot wait for.
    from rdl_live.restore.ranges import check_microscope
    from rdl_live.restore.stages import check_stage, without_weights
    from rdl_live.restore.suited import check_modality, check_suited
    from rdl_models import find_weights, read_card, shipped

    by_stage = live or (scope is not None and made_by_stages(scope))
    if by_stage:
        check_stage(name)
        if without_weights(name) is not None:
            return
    try:
        path = find_weights(name)
    except ConfigError as error:
        known = "".join(f", --denoise {one}" for one in shipped())
        raise ConfigError(
            f"--denoise {name!r}: no such denoiser; use --denoise none{known} or a weight file"
        ) from error
    card = read_card(path)
    if not by_stage:
        check_suited(card, f"--denoise {name}")
    if scope is not None:
        check_modality(card, scope, f"--denoise {name}")
    if scope is not None and live:
        for channel in scope.channels:
            check_microscope(card, scope, channel)


def made_by_stages(scope: "Microscope") -> bool:
    """Whether denoised images of recordings are made by stages, as live; those of stripes are made by a `Restorer`."""
    from rdl_live.optics.modality import modality_of

    return not modality_of(scope).shaped
