"""Checkpoints: one safetensors file, written whole or not at all. Nothing in them can be executed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from rdl_live.errors import DataError, OutputError
from rdl_live.train.simulated.settings import TrainSettings

LARGEST_BYTES = 2**31
"""Four times the largest weights, with their average and two moments."""
_MOMENTS = ("exp_avg", "exp_avg_sq")


class _Record(BaseModel):
    """What stands beside the tensors."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    step: Annotated[int, Field(ge=0)]
    seconds: Annotated[float, Field(ge=0)]
    settings: dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """How far a training has come."""

    step: int
    """Steps done."""
    seconds: float
    """Time that they took."""


def save_checkpoint(
    path: Path,
    settings: TrainSettings,
    progress: Progress,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Adam,
) -> None:
    """Write a checkpoint in place of an older one.

    Raises:
        OutputError: it cannot be written.
    """
    tensors, _ = state_tensors({"network": network, "average": average}, optimizer)
    record = {"step": progress.step, "seconds": progress.seconds, "settings": settings.model_dump(mode="json")}
    write_checkpoint(path, "training", record, tensors)


def load_checkpoint(
    path: Path, settings: TrainSettings, network: nn.Module, average: nn.Module, optimizer: torch.optim.Adam
) -> Progress:
    """Take up a training where it was left.

    Raises:
        DataError: there is no checkpoint, it is damaged, or other settings were trained with.
    """
    text, tensors = read_checkpoint(path, "training")
    try:
        record = _Record.model_validate_json(text)
    except ValueError as error:
        raise DataError(f"{path}: not a whole checkpoint of this program ({error}); train without --resume") from error
    _check_settings(path, record.settings, settings)
    # What is not taught has no moments.
    turns = {name: float(record.step) for name, value in network.named_parameters() if value.requires_grad}
    restore_state(path, tensors, {"network": network, "average": average}, optimizer, turns)
    return Progress(record.step, record.seconds)


def state_tensors(
    modules: Mapping[str, nn.Module], optimizer: torch.optim.Adam
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Return what a checkpoint holds of a training, and how often each parameter has been changed.

    Args:
        modules: by name; "network" is the one that is trained.
        optimizer: of that one.
    """
    tensors = {f"{kind}.{name}": value for kind, one in modules.items() for name, value in one.state_dict().items()}
    turns = {}
    for name, parameter in modules["network"].named_parameters():
        known = optimizer.state.get(parameter)
        if known:
            turns[name] = float(known["step"])
            tensors |= {f"{moment}.{name}": known[moment] for moment in _MOMENTS}
    return tensors, turns


def restore_state(
    path: Path,
    tensors: Mapping[str, Tensor],
    modules: Mapping[str, nn.Module],
    optimizer: torch.optim.Adam,
    turns: Mapping[str, float],
) -> None:
    """Undo `state_tensors`; nothing is changed unless all of it fits.

    Raises:
        DataError: the tensors are not those of these modules, or hold values that are not numbers.
    """
    parameters = dict(modules["network"].named_parameters())
    wanted = {f"{kind}.{name}": value for kind, one in modules.items() for name, value in one.state_dict().items()}
    wanted |= {f"{m}.{name}": value for m in _MOMENTS for name, value in parameters.items() if name in turns}
    check_tensors(path, tensors, wanted)
    for kind, module in modules.items():
        module.load_state_dict(part(tensors, kind))
    moments = {moment: part(tensors, moment) for moment in _MOMENTS}
    for name, parameter in parameters.items():
        if name in turns:
            optimizer.state[parameter] = {"step": torch.tensor(turns[name])} | {
                moment: moments[moment][name].to(parameter) for moment in _MOMENTS
            }


def dumps(record: dict[str, Any]) -> str:
    """Return JSON without NaN."""
    return json.dumps(record, allow_nan=False, sort_keys=True)


def _check_settings(path: Path, found: dict[str, Any], settings: TrainSettings) -> None:
    """Only the length of the training and the number of processes may differ."""
    wanted = settings.model_dump(mode="json")
    try:
        # What a checkpoint does not name is younger than it, and was the default then.
        found = TrainSettings.model_validate(found).model_dump(mode="json")
    except ValidationError as error:
        raise DataError(f"{path}: its settings are not those of this version; train without --resume") from error
    free = {"minutes", "steps", "workers"}
    for name in sorted(wanted.keys() - free):
        if found.get(name) != wanted[name]:
            raise DataError(
                f"{path}: was trained with {name} = {found.get(name)}, now {name} = {wanted[name]} is asked for; "
                "resume with the same settings, or train anew without --resume"
            )


def write_checkpoint(path: Path, key: str, record: dict[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write tensors, and a record under `key`, in place of an older checkpoint: whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    # Always the same name: what a killed training leaves behind is written over by the next one.
    temporary = path.with_name(f".{path.name}.part")
    try:
        whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        temporary.write_bytes(save(whole, {key: dumps(record)}))
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: the checkpoint cannot be written ({error}); choose another --out") from error
    finally:
        temporary.unlink(missing_ok=True)


def read_checkpoint(path: Path, key: str) -> tuple[str, dict[str, Tensor]]:
    """Return the record that stands under `key`, as text, and the tensors.

    Raises:
        DataError: there is no checkpoint, or it is damaged or too large.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no checkpoint to resume from; train without --resume")
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise ValueError(f"{size} bytes, more than the {LARGEST_BYTES} of the largest")
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
            return (file.metadata() or {})[key], tensors
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"{path}: not a whole checkpoint of this program ({error}); train without --resume") from error


def check_tensors(path: Path, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Compare names, shapes and types with those that training has now.

    Raises:
        DataError: they differ, or hold values that are not numbers.
    """
    if wrong := sorted(wanted.keys() ^ tensors.keys()):
        raise DataError(
            f"{path}: its tensors are not those of this network ({', '.join(wrong)[:200]}); train without --resume"
        )
    for name, value in tensors.items():
        if value.shape != wanted[name].shape or value.dtype != wanted[name].dtype:
            raise DataError(
                f"{path}: tensor {name} is {tuple(value.shape)} {value.dtype}, the network needs "
                f"{tuple(wanted[name].shape)} {wanted[name].dtype}; train without --resume"
            )
        if not bool(torch.isfinite(value).all()):
            raise DataError(f"{path}: tensor {name} holds NaN or infinity; train without --resume")


def part(tensors: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `kind.`, without that."""
    prefix = f"{kind}."
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
