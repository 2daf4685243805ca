"""The stages of a live run, one a file. A new one is a file and a line here, or an entry point of another package."""

from rdl_live._tables import Table
from rdl_live.errors import ConfigError
from rdl_live.optics.microscope import Microscope
from rdl_live.restore.stage import Context, Stage, StageKind
from rdl_live.restore.stages import physics, restoration, series, single_image
from rdl_live.restore.suited import check_suited
from rdl_models import find_weights, load_weights, read_card, shipped

STAGES = Table(
    "rdl_live.stages",
    StageKind,
    (
        physics.KIND,
        series.OBJECT_PLANE,
        series.RAW_FRAMES,
        single_image.KIND,
        restoration.KIND,
    ),
)


def live_tasks() -> frozenset[str]:
    """Return what weights may be for that a live run can use."""
    kinds = (STAGES.find(name) for name in STAGES.names())
    return frozenset(kind.task for kind in kinds if kind is not None and kind.task is not None)


def without_weights(name: str) -> StageKind | None:
    """Return the kind of stage of this name that takes no weights; None if there is none."""
    kind = STAGES.find(name)
    return None if kind is None or kind.task is not None else kind


def check_stage(name: str) -> None:
    """Raise unless a live run can use this stage or these weights; no network is loaded.

    Raises:
        ConfigError: neither a stage without weights, nor weights of this name, nor a file; or weights for something
            else.
        DataError: the weight file is damaged.
    """
    if without_weights(name) is not None:
        return
    try:
        path = find_weights(name)
    except ConfigError as error:
        known = (*(one for one in STAGES.names() if without_weights(one)), *shipped())
        choices = ", ".join(f"--denoise {one}" for one in known)
        raise ConfigError(f"--denoise {name!r}: no such denoiser; use {choices} or a weight file") from error
    check_suited(read_card(path), f"--denoise {name}", live_tasks(), "make images in a live run")


def factor_of(name: str, scope: Microscope) -> int:
    """Return how many pixels the main image of a stage has for one of the camera's, each way; no network is loaded.

    Raises:
        ConfigError: as `check_stage`.
        DataError: the weight file is damaged.
    """
    kind = without_weights(name)
    if kind is not None:
        return kind.factor(None, scope)
    card = read_card(find_weights(name))
    kind = _kind_for(card.task)
    return scope.pattern.sr_factor if kind is None else kind.factor(card, scope)


def _kind_for(task: str) -> StageKind | None:
    return next((one for one in map(STAGES.find, STAGES.names()) if one is not None and one.task == task), None)


def load_stage(name: str, context: Context) -> Stage:
    """Return a stage by the name of its kind, or of its weights.

    Raises:
        ConfigError: as `check_stage`, or it does not fit the microscope.
        DataError: the weight file is damaged.
    """
    kind = without_weights(name)
    if kind is not None:
        return kind.make(None, context)
    check_stage(name)
    weights = load_weights(name, context.device)
    found = _kind_for(weights.card.task)
    assert found is not None  # by the check above
    return found.make(weights, context)
