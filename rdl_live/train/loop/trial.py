"""How long a step will take, tried on a small patch before the first one is begun, so that the minutes are kept."""

import copy
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from rdl_live.train.loop.task import TrainingTask
from rdl_models import Network

SIDE = 32
"""Pixels each way of the patch that is tried; none is smaller."""
SHARE = 0.25
"""Of the time that is left: a step that takes longer is made smaller."""
_GRID = 16
"""Sides are multiples of it."""


def fitting_side(
    task: TrainingTask[Any],
    networks: Mapping[str, Network],
    patch: Callable[[int], Any],
    side: int,
    left: float,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """Return the largest side of a patch, up to `side` pixels, at which a step of one patch is short enough.

    Args:
        task: judges.
        networks: are not changed.
        patch: returns a batch of one patch of so many pixels each way.
        side: of the patches that are wanted.
        left: seconds until the minutes are over.
        clock: gives seconds.
    """
    if side <= SIDE or _on_a_card(networks):
        return side
    tried, batch, fits = copy.deepcopy(dict(networks)), patch(SIDE), side
    # The first time, a network also sets itself up; only where that seems to be too slow is it worth another look.
    for _ in range(2):
        seconds = max(_seconds(task, tried, batch, clock), 1e-9)
        fits = int(SIDE * (SHARE * left / seconds) ** 0.5) // _GRID * _GRID
        if fits >= side:
            break
    return min(max(fits, SIDE), side)


def _on_a_card(networks: Mapping[str, Network]) -> bool:
    return any(parameter.device.type != "cpu" for network in networks.values() for parameter in network.parameters())


def _seconds(task: TrainingTask[Any], networks: Mapping[str, Network], batch: Any, clock: Callable[[], float]) -> float:
    """Return how long all networks take to learn from a batch."""
    start = clock()
    with torch.random.fork_rng(devices=[]):
        for turn in task.turns(0):
            task.judge(turn, networks, batch).loss.backward()  # type: ignore[no-untyped-call]
    return clock() - start


def smaller_words(architecture: str, side: int, wanted: int, minutes: float) -> str:
    """Return what a user reads where patches are made smaller."""
    return (
        f"{architecture} is slow on this computer: a step on {wanted} x {wanted} pixels would take too much of the "
        f"{minutes:g} minutes, so it learns from {side} x {side} pixels at a time; with --minutes "
        f"{_rounded(minutes * (wanted / side) ** 2)} or more it would learn from {wanted} x {wanted}"
    )


def _rounded(minutes: float) -> str:
    return f"{minutes:.0f}" if minutes >= 10 else f"{minutes:.1g}" if minutes < 1 else f"{minutes:.1f}"
