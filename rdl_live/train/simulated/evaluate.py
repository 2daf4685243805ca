"""Scores on kinds of specimen that were not trained on."""

import torch
from torch import nn

from rdl_live.train.simulated.settings import HELD_OUT, SceneSettings
from rdl_live.train.simulated.task import SceneSource
from rdl_live.train.simulated.unkind import KIND
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
        Root of the mean square error / that of the reference, by "kind@photons", averaged over the scenes; by
        "kind@photons unkind" that of scenes in which things go wrong, if such were trained on.
    """
    scores = {}
    for kind in HELD_OUT:
        for level in levels:
            wanted = scenes.replace(kinds=(kind,), exposures=1, photons=Span(low=level, high=level))
            for name, unkind in (("", KIND), (" unkind", scenes.unkind.replace(share=1.0))):
                if name and scenes.unkind.share == 0:
                    continue
                made = wanted.replace(unkind=unkind)
                scores[f"{kind}@{level:g}{name}"] = _score(network, made, task, count, device)
    return scores


def _score(
    network: nn.Module, wanted: SceneSettings, task: SceneSource, count: int, device: torch.device | str
) -> float:
    ratios = []
    for index in range(count):
        batch = task.make_batch([(task.make_scene(_SEED, index, wanted), 0)]).to(device)
        with torch.no_grad():
            ratios.append(float(task.judge(network, batch).ratio.sqrt().mean()))
    return round(sum(ratios) / len(ratios), 4)
