"""Scores on kinds of specimen that were not trained on."""

import torch
from torch import nn

from rdl_live.train.simulated.settings import HELD_OUT, SceneSettings
from rdl_live.train.simulated.task import SceneSource
from rdl_models import Span

LEVELS = (2.0, 5.0, 20.0, 100.0, 1000.0)
"""Photons a pixel."""
SCENES = 6
"""Of each kind; the microscope, too, is another each time."""
_SEED = 0x5C0BE5


def held_out_scores(
    network: nn.Module,
    scenes: SceneSettings,
    task: SceneSource,
    *,
    levels: tuple[float, ...] = LEVELS,
    count: int = SCENES,
    device: torch.device | str = "cpu",
) -> dict[str, float]:
    """Return the error relative to that of the Wiener estimate (the task's reference); below 1 the network helps.

    Args:
        network: to be scored.
        scenes: what it was trained on; only kinds and light are changed.
        task: what the network was trained to do.
        levels: photons a pixel.
        count: scenes of each kind.
        device: where the network is.

    Returns:
        Root of the mean square error / that of the reference, by "kind@photons", averaged over the scenes.
    """
    scores = {}
    for kind in HELD_OUT:
        for level in levels:
            wanted = scenes.replace(kinds=(kind,), exposures=1, photons=Span(low=level, high=level))
            ratios = []
            for index in range(count):
                batch = task.make_batch([(task.make_scene(_SEED, index, wanted), 0)]).to(device)
                with torch.no_grad():
                    ratios.append(float(task.judge(network, batch).ratio.sqrt().mean()))
            scores[f"{kind}@{level:g}"] = round(sum(ratios) / len(ratios), 4)
    return scores
