"""What is compared: conventional SIM, rDL-SIM, and networks that super-resolve in one step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from rdl_live.app.assess.sample import Sample
from rdl_live.errors import ConfigError
from rdl_live.optics.modality import modality_of
from rdl_live.restore import Restorer
from rdl_live.restore.live import quick_half
from rdl_live.restore.stages.single_image import super_resolved
from rdl_live.restore.suited import check_suited
from rdl_models import Task, Weights, load_weights

SIM, RDL_SIM = "SIM", "rDL-SIM"
_DENOISER = "rdl"


@dataclass(frozen=True)
class Method:
    """Makes an image of a sample, (factor y, factor x) photons a raw pixel area."""

    name: str
    make: Callable[[Sample], Tensor]


def methods(models: Sequence[str]) -> list[Method]:
    """Return conventional SIM, rDL-SIM by the shipped weights, and the models.

    Raises:
        ConfigError: weights that do not super-resolve, or that do so on another grid than SIM.
        DataError: a weight file is damaged.
    """
    denoiser = load_weights(_DENOISER)
    half = quick_half(next(denoiser.network.parameters()).device)

    def sim(sample: Sample) -> Tensor:
        rows, columns = sample.series.shape[-2:]
        make = modality_of(sample.scope).reconstruction(sample.scope, sample.patterns, (rows, columns))
        return make(sample.series)

    def rdl_sim(sample: Sample) -> Tensor:
        shape = tuple(sample.series.shape[-2:])
        return Restorer(sample.scope, sample.patterns, shape, denoiser, half=half).restore(sample.series).sr

    return [Method(SIM, sim), Method(RDL_SIM, rdl_sim), *(_network(name) for name in models)]


def _network(name: str) -> Method:
    weights: Weights = load_weights(name)
    check_suited(weights.card, f"--models {name}", {Task.SUPER_RESOLUTION}, "super-resolve in one step")
    network, config = weights.network, weights.network.config
    if config.scale != 2:
        raise ConfigError(
            f"--models {name}: makes images {config.scale} times as fine as the camera's, the SIM images that it is "
            "compared with are 2 times as fine; assess weights of --factor 2"
        )

    def make(sample: Sample) -> Tensor:
        frames = sample.series.flatten(0, 1)
        if config.channels not in (1, len(frames)):
            raise ConfigError(
                f"--models {name}: takes {config.channels} frames, series of {sample.scope.name!r} have {len(frames)}"
            )
        shown = frames.mean(dim=0, keepdim=True) if config.channels == 1 else frames
        return super_resolved(network, shown)

    return Method(weights.card.name, make)
