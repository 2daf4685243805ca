"""The state of a training from recordings: one safetensors file, written whole or not at all."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from rdl_live.errors import DataError, OutputError
from rdl_live.train.checkpoint import dumps

_MOMENTS = ("exp_avg", "exp_avg_sq")
FREE = frozenset({"minutes", "steps", "workers"})
"""Settings that may differ when a training is taken up again."""


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
    tensors: dict[str, Tensor] = {}
    for kind, module in state.modules().items():
        tensors |= {f"{kind}.{name}": value for name, value in module.state_dict().items()}
    turns = {}
    for name, parameter in state.network.named_parameters():
        known = state.optimizer.state.get(parameter)
        if known:
            turns[name] = float(known["step"])
            tensors |= {f"{moment}.{name}": known[moment] for moment in _MOMENTS}
    record = {
        "step": state.step,
        "seconds": state.seconds,
        "best_step": state.best_step,
        "losses": state.losses,
        "looks": state.looks,
        "turns": turns,
        "identity": identity,
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        temporary.write_bytes(save(whole, {"recordings": dumps(record)}))
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: the checkpoint cannot be written ({error}); choose another --out") from error
    finally:
        temporary.unlink(missing_ok=True)


def load_state(path: Path, state: State, identity: dict[str, Any]) -> None:
    """Take up a training where it was left.

    Raises:
        DataError: there is no checkpoint, it is damaged, or of other recordings or settings.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no checkpoint to resume from; train without --resume")
    try:
        with safe_open(path, "pt") as file:
            record: dict[str, Any] = json.loads((file.metadata() or {})["recordings"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        _check(path, record["identity"], identity)
        for kind, module in state.modules().items():
            module.load_state_dict(_part(tensors, kind))
        moments = {moment: _part(tensors, moment) for moment in _MOMENTS}
        for name, parameter in state.network.named_parameters():
            if name in record["turns"]:
                state.optimizer.state[parameter] = {"step": torch.tensor(record["turns"][name])} | {
                    moment: moments[moment][name].to(parameter) for moment in _MOMENTS
                }
        state.step, state.seconds = int(record["step"]), float(record["seconds"])
        state.best_step, state.losses = int(record["best_step"]), [float(one) for one in record["losses"]]
        state.looks = [(int(step), float(error)) for step, error in record["looks"]]
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise DataError(f"{path}: not a whole checkpoint of this program ({error}); train without --resume") from error


def _check(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    wanted = json.loads(dumps(wanted))
    for name in sorted(wanted.keys() - FREE):
        if found.get(name) != wanted[name]:
            raise DataError(
                f"{path}: was trained with {name} = {found.get(name)}, now {name} = {wanted[name]} is asked for; "
                "resume with the same recordings and settings, or train anew without --resume"
            )


def _part(tensors: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    prefix = f"{kind}."
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
