"""Scores on kinds of specimen that were not trained on."""

import math
import time
from itertools import product

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
    seconds: float | None = None,
) -> dict[str, float]:
    """Return the error relative to that of the Wiener estimate (the task's reference); below 1 the network helps.

    Args:
        network: to be scored.
        scenes: what it was trained on; only kinds and light are changed.
        task: what the network was trained to do.
        levels: photons a pixel.
        count: scenes of each kind.
        device: where the network is.
        seconds: ends the scoring about then, with fewer scenes, fewer light levels, or fewer kinds where the network
            is very slow; something is scored in any case.

    Returns:
        Root of the mean square error / that of the reference, by "kind@photons", averaged over the scenes; by
        "kind@photons unkind" that of scenes in which things go wrong, if such were trained on.
    """
    ratios: dict[str, list[float]] = {}
    kinds = [kind for kind in HELD_OUT if kind not in scenes.chosen_kinds] or list(HELD_OUT)
    start = time.monotonic()
    limit = math.inf if seconds is None else seconds
    ways = {"": KIND}
    if scenes.unkind.share > 0:
        ways[" unkind"] = scenes.unkind.replace(share=1.0)
    for index, level, kind, way in product(range(count), levels, kinds, ways):
        # Each of the kinds is scored equally often at a level, unless a single one takes all of the time.
        first = kind == kinds[0] and way == ""
        if ratios and time.monotonic() - start > (limit if first else 2 * limit):
            break
        wanted = scenes.replace(kinds=(kind,), exposures=1, photons=Span(low=level, high=level), unkind=ways[way])
        batch = task.make_batch([(task.make_scene(_SEED, index, wanted), 0)]).to(device)
        with torch.no_grad():
            ratio = float(task.judge(network, batch).ratio.sqrt().mean())
        ratios.setdefault(f"{kind}@{level:g}{way}", []).append(ratio)
    return {name: round(sum(found) / len(found), 4) for name, found in ratios.items()}
