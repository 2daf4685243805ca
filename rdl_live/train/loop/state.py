"""What a training is at, and its checkpoint: one safetensors file, written whole or not at all."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from rdl_live.errors import DataError
from rdl_live.train.loop.checkpoint import check_tensors, dumps, part, read_checkpoint, write_checkpoint
from rdl_live.train.loop.settings import FREE
from rdl_live.train.loop.task import MAIN
from rdl_models import Network

_KEY = "training"
_MOMENTS = ("exp_avg", "exp_avg_sq")
_Count = Annotated[int, Field(ge=0, le=10**12)]


class _Record(BaseModel):
    """What stands beside the tensors."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, extra="forbid")

    step: _Count
    seconds: Annotated[float, Field(ge=0)]
    best_step: _Count
    gain: Annotated[float, Field(ge=0)] = 1.0
    looks: list[tuple[int, float]]
    turns: dict[str, dict[str, float]]
    """How often each parameter of each network has been changed."""
    identity: dict[str, Any]


@dataclass
class State:
    """Everything that a training is at."""

    networks: Mapping[str, Network]
    """Those that learn, by name."""
    optimizers: Mapping[str, torch.optim.Adam]
    """Theirs."""
    average: Network
    """Of `MAIN`, over the last steps."""
    best: Network | None = None
    """The averaged weights that did best on what is held out; None where nothing is."""
    step: int = 0
    seconds: float = 0.0
    best_step: int = 0
    gain: float = 1.0
    """`Judged.gain`, averaged over the last steps."""
    losses: list[float] = field(default_factory=list)
    """Of every step."""
    looks: list[tuple[int, float]] = field(default_factory=list)
    """(step, error on what is held out)."""

    @property
    def network(self) -> Network:
        """The one that is kept."""
        return self.networks[MAIN]

    def modules(self) -> dict[str, Network]:
        """Return everything with parameters, by name."""
        best = {} if self.best is None else {"best": self.best}
        return {**self.networks, "average": self.average, **best}


def save_state(path: Path, state: State, identity: Mapping[str, Any]) -> None:
    """Write a checkpoint in place of an older one.

    Raises:
        OutputError: it cannot be written.
    """
    tensors = _weights(state)
    tensors["losses"] = torch.tensor(state.losses, dtype=torch.float64)
    turns: dict[str, dict[str, float]] = {}
    for kind, network in state.networks.items():
        turns[kind] = {}
        for name, parameter in network.named_parameters():
            known = state.optimizers[kind].state.get(parameter)
            if known:
                turns[kind][name] = float(known["step"])
                tensors |= {f"{moment}.{kind}.{name}": known[moment] for moment in _MOMENTS}
    record = {
        "step": state.step,
        "seconds": state.seconds,
        "best_step": state.best_step,
        "gain": state.gain,
        "looks": state.looks,
        "turns": turns,
        "identity": dict(identity),
    }
    write_checkpoint(path, _KEY, record, tensors)


def load_state(path: Path, state: State, identity: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Take up a training where it was left; nothing is changed unless all of it fits.

    Args:
        path: the checkpoint.
        state: of a training that has just begun.
        identity: of this training.
        defaults: of settings that a checkpoint does not name: they are younger than it, and were the default then.

    Raises:
        DataError: there is no checkpoint, it is damaged, or of other recordings or settings.
    """
    text, tensors = read_checkpoint(path, _KEY)
    try:
        record = _Record.model_validate_json(text)
    except ValueError as error:
        raise DataError(f"{path}: not a whole checkpoint of this program ({error}); train without --resume") from error
    _check(path, _filled(defaults, record.identity), identity)
    check_tensors(path, tensors, _wanted(state, record))
    for kind, module in state.modules().items():
        module.load_state_dict(part(tensors, kind))
    for kind, network in state.networks.items():
        turns, optimizer = record.turns.get(kind, {}), state.optimizers[kind]
        moments = {moment: part(tensors, f"{moment}.{kind}") for moment in _MOMENTS}
        for name, parameter in network.named_parameters():
            if name in turns:
                optimizer.state[parameter] = {"step": torch.tensor(turns[name])} | {
                    moment: moments[moment][name].to(parameter) for moment in _MOMENTS
                }
    state.step, state.seconds, state.best_step = record.step, record.seconds, record.best_step
    state.gain = record.gain
    state.losses, state.looks = tensors["losses"].tolist(), list(record.looks)


def _weights(state: State) -> dict[str, Tensor]:
    return {
        f"{kind}.{name}": value for kind, one in state.modules().items() for name, value in one.state_dict().items()
    }


def _wanted(state: State, record: _Record) -> dict[str, Tensor]:
    """Return tensors of the names, shapes and types that the checkpoint must hold."""
    wanted = _weights(state)
    wanted["losses"] = torch.empty(record.step, dtype=torch.float64, device="meta")
    for kind, network in state.networks.items():
        turns = record.turns.get(kind, {})
        for name, value in network.named_parameters():
            if name in turns:
                wanted |= {f"{moment}.{kind}.{name}": value for moment in _MOMENTS}
    return wanted


def _filled(defaults: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint says, with the defaults of what it does not name, at every depth."""
    both = {
        name: _filled(known, found[name])
        for name, known in defaults.items()
        if isinstance(known, Mapping) and isinstance(found.get(name), Mapping)
    }
    return {**defaults, **found, **both}


def _check(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    wanted = json.loads(dumps(dict(wanted)))
    for name in sorted(wanted.keys() - FREE):
        if found.get(name) != wanted[name]:
            raise DataError(
                f"{path}: was trained with {name} = {found.get(name)}, now {name} = {wanted[name]} is asked for; "
                "resume with the same recordings and settings, or train from the start without --resume"
            )
