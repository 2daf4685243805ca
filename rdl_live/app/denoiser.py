"""Which denoiser a run uses, by its name."""

from rdl_live.errors import ConfigError

NONE = "none"
DEFAULT = "rdl"
"""What the demo denoises with where nothing is said."""


def check_denoiser(name: str) -> None:
    """Raise unless there is such a denoiser.

    Raises:
        ConfigError: neither "none", nor the name of shipped weights, nor a weight file; or weights for something else.
        DataError: the weight file is damaged.
    """
    if name == NONE:
        return
    # Loads torch, which the window cannot wait for.
    from rdl_live.restore.restorer import TASKS
    from rdl_models import check_task, find_weights, read_card, shipped

    try:
        path = find_weights(name)
    except ConfigError as error:
        known = "".join(f", --denoise {one}" for one in shipped())
        raise ConfigError(
            f"--denoise {name!r}: no such denoiser; use --denoise none{known} or a weight file"
        ) from error
    check_task(read_card(path), TASKS, f"--denoise {name}", "denoise SIM series")
