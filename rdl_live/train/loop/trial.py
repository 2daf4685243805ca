"""How long a step will take, tried on a small patch before the first one is begun, so that the minutes are kept."""

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from rdl_live.train.loop.task import TrainingTask
from rdl_models import Network

SIDE = 32
"""Pixels each way of the patch that is tried; none is smaller."""
SHARE = 0.25
"""Of the time that there is: a step that takes longer is made smaller."""
_GRID = 16
"""Sides are multiples of it."""
_SET_UP_S = 2.0
"""No network takes longer to set itself up."""


@dataclass(frozen=True)
class Fit:
    """How large patches may be."""

    side: int
    """Pixels each way."""
    wanted: int
    """What was asked for."""
    minutes: float
    """From which on the wanted ones would fit; 0 where they do."""

    def words(self, architecture: str, minutes: float) -> str:
        """Return what a user reads where patches are made smaller than wanted, of a training of so many minutes."""
        least = max(self.minutes, minutes)
        enough = math.ceil(least) if least > 1 else math.ceil(10 * least) / 10
        size = f"{self.wanted} x {self.wanted}"
        return (
            f"{architecture} is slow on this computer: a step on {size} pixels would take too much of the "
            f"{minutes:g} minutes, so it learns from {self.side} x {self.side} pixels at a time; with --minutes "
            f"{enough:g} or more it would learn from {size}"
        )


def fitting(
    task: TrainingTask[Any],
    networks: Mapping[str, Network],
    patch: Callable[[int], Any],
    wanted: int,
    available: float,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Fit:
    """Return the largest side of a patch, up to the wanted one, at which a step of one patch is short enough.

    Args:
        task: judges.
        networks: are not changed.
        patch: returns a batch of one patch of so many pixels each way.
        wanted: side of the patches that are wanted [pixels].
        available: seconds that the training has.
        clock: gives seconds.
    """
    if wanted <= SIDE or _on_a_card(networks):
        return Fit(wanted, wanted, 0.0)
    tried, batch = copy.deepcopy(dict(networks)), patch(SIDE)
    area, seconds, reach = (wanted / SIDE) ** 2, 0.0, 0.0
    # The first time, a network also sets itself up; only where that seems to be too slow is it worth another look.
    for _ in range(2):
        seconds = max(_seconds(task, tried, batch, clock), 1e-9)
        reach = SIDE * (SHARE * available / seconds) ** 0.5
        if reach >= wanted or seconds > _SET_UP_S:
            break
    if reach >= wanted:
        return Fit(wanted, wanted, 0.0)
    return Fit(max(int(reach) // _GRID * _GRID, SIDE), wanted, seconds * area / SHARE / 60)


def _on_a_card(networks: Mapping[str, Network]) -> bool:
    return any(parameter.device.type != "cpu" for network in networks.values() for parameter in network.parameters())


def _seconds(task: TrainingTask[Any], networks: Mapping[str, Network], batch: Any, clock: Callable[[], float]) -> float:
    """Return how long all networks take to learn from a batch."""
    start = clock()
    with torch.random.fork_rng(devices=[]):
        for turn in task.turns(0):
            task.judge(turn, networks, batch).loss.backward()  # type: ignore[no-untyped-call]
    return clock() - start
