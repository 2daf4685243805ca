"""The file of a checkpoint: tensors and a record, written whole or not at all. Nothing in it can be executed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rdl_live.errors import DataError, OutputError

LARGEST_BYTES = 2**31
"""Four times the largest weights, with their average and two moments."""


def dumps(record: dict[str, Any]) -> str:
    """Return JSON without NaN."""
    return json.dumps(record, allow_nan=False, sort_keys=True)


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
