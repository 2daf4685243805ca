"""Denoised SIM, between two steps of physics: by a network in the object plane, or by one on raw frames."""

from rdl_live.errors import ConfigError
from rdl_live.restore.live import LiveRestorer
from rdl_live.restore.stage import Context, StageKind
from rdl_models import Task, Weights


def _make(weights: Weights | None, context: Context) -> LiveRestorer:
    if weights is None:
        raise ConfigError("denoising SIM series needs weights")
    stage = LiveRestorer(
        context.scope, context.shape, weights, context.device, warn=context.warn, memory=context.memory
    )
    stage.check(context.channels)
    return stage


OBJECT_PLANE = StageKind("object-plane", _make, Task.OBJECT_PLANE)
RAW_FRAMES = StageKind("raw-frames", _make, Task.RAW_FRAMES)
