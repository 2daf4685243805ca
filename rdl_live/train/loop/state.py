"""The state of a training from recordings: one safetensors file, written whole or not at all."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from rdl_live.errors import DataError
from rdl_live.train.loop.checkpoint import dumps, read_checkpoint, restore_state, state_tensors, write_checkpoint

FREE = frozenset({"minutes", "steps", "workers"})
"""Settings that may differ when a training is taken up again."""
_Count = Annotated[int, Field(ge=0)]


class _Record(BaseModel):
    """What stands beside the tensors."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    step: _Count
    seconds: Annotated[float, Field(ge=0)]
    best_step: _Count
    losses: list[float]
    looks: list[tuple[int, float]]
    turns: dict[str, float]
    identity: dict[str, Any]


@dataclass
class State:
    """Everything that a training is at."""

    network: nn.Module
    average: nn.Module
    best: nn.Module
    """The averaged weights that did best on what is held out."""
    optimizer: torch.optim.Adam
    step: int = 0
    seconds: float = 0.0
    best_step: int = 0
    losses: list[float] = field(default_factory=list)
    """Of every step."""
    looks: list[tuple[int, float]] = field(default_factory=list)
    """(step, error on what is held out)."""

    def modules(self) -> dict[str, nn.Module]:
        """Return the networks by name."""
        return {"network": self.network, "average": self.average, "best": self.best}


def save_state(path: Path, state: State, identity: dict[str, Any]) -> None:
    """Write a checkpoint in place of an older one.

    Raises:
        OutputError: it cannot be written.
    """
    tensors, turns = state_tensors(state.modules(), state.optimizer)
    record = {
        "step": state.step,
        "seconds": state.seconds,
        "best_step": state.best_step,
        "losses": state.losses,
        "looks": state.looks,
        "turns": turns,
        "identity": identity,
    }
    write_checkpoint(path, "recordings", record, tensors)


def load_state(path: Path, state: State, identity: dict[str, Any]) -> None:
    """Take up a training where it was left.

    Raises:
        DataError: there is no checkpoint, it is damaged, or of other recordings or settings.
    """
    text, tensors = read_checkpoint(path, "recordings")
    try:
        record = _Record.model_validate_json(text)
    except ValueError as error:
        raise DataError(f"{path}: not a whole checkpoint of this program ({error}); train without --resume") from error
    _check(path, record.identity, identity)
    restore_state(path, tensors, state.modules(), state.optimizer, record.turns)
    state.step, state.seconds, state.best_step = record.step, record.seconds, record.best_step
    state.losses, state.looks = list(record.losses), list(record.looks)


def _check(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    wanted = json.loads(dumps(wanted))
    for name in sorted(wanted.keys() - FREE):
        if found.get(name) != wanted[name]:
            raise DataError(
                f"{path}: was trained with {name} = {found.get(name)}, now {name} = {wanted[name]} is asked for; "
                "resume with the same recordings and settings, or train anew without --resume"
            )
