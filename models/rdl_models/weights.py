"""Weight files: safetensors with a `Card`. Nothing in them can be executed, and nothing is taken on trust."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from rdl_live.errors import ConfigError, DataError, OutputError
from rdl_models.architecture import Network
from rdl_models.card import Card
from rdl_models.registry import build, find_architecture

SUFFIX = ".safetensors"
FOLDER = Path(__file__).parent / "weights"
"""Where the weights that come with the program lie."""
LARGEST_BYTES = 512 * 2**20
"""Larger files are not opened: no network here is a hundredth of that."""
COMPACT_ABOVE_BYTES = 5_000_000
"""Networks that take more in float32 are written in float16: weights rounded to 11 digits of a binary number."""
_KEY = "card"


def shipped() -> tuple[str, ...]:
    """Return the names of the weights that come with the program."""
    return tuple(sorted(path.name.removesuffix(SUFFIX) for path in FOLDER.glob(f"*{SUFFIX}")))


def find_weights(name: str | Path) -> Path:
    """Return the file of weights that come with the program, by name, or of any others, by path.

    Raises:
        ConfigError: there are none.
    """
    if str(name) in shipped():
        return FOLDER / f"{name}{SUFFIX}"
    path = Path(name)
    if path.is_file():
        return path
    known = ", ".join(shipped()) or "none"
    raise ConfigError(f"weights {str(name)!r}: neither a file nor the name of shipped weights ({known})")


def read_card(path: Path) -> Card:
    """Return the metadata of a weight file.

    Raises:
        DataError: it is not a whole safetensors file of this program; the message names the file and the reason.
    """
    return _open(path, tensors=False)[0]


@dataclass(frozen=True)
class Weights:
    """A network in evaluation mode, and what its file says of it."""

    network: Network
    card: Card


def load_weights(name: str | Path, device: torch.device | str = "cpu") -> Weights:
    """Load a network and its metadata.

    Args:
        name: of shipped weights, or a path.
        device: where to put it.

    Raises:
        ConfigError: no such weights.
        DataError: the file is damaged, is not safetensors, has no proper metadata, or its tensors are not those of its
            architecture. Nothing is executed, whatever it holds.
    """
    path = find_weights(name)
    card, tensors = _open(path, tensors=True)
    try:
        network = build(card.architecture, card.config)
    except ConfigError as error:
        raise DataError(f"{path}: {error}; these weights are of another version of the program") from error
    _check_tensors(path, network, tensors)
    network.load_state_dict(tensors)
    find_architecture(card.architecture).prepare(network)
    return Weights(network.eval().requires_grad_(False).to(device), card)


def save_weights(path: Path, network: nn.Module, card: Card, *, overwrite: bool = False) -> None:
    """Write weights with their metadata, whole or not at all; large ones in float16 (`COMPACT_ABOVE_BYTES`).

    Raises:
        OutputError: the file exists and is not to be replaced, or cannot be written.
    """
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already; choose another name or pass --overwrite")
    tensors = _compact(
        {name: value.detach().cpu().float().contiguous() for name, value in network.state_dict().items()}
    )
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Not save_file, which makes files that only their owner may read.
        temporary.write_bytes(save(tensors, {_KEY: card.model_dump_json()}))
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        raise OutputError(f"{path}: the weights cannot be written ({error}); choose another place") from error
    finally:
        temporary.unlink(missing_ok=True)


def _compact(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors in float16 if they are large and none of them is beyond its range."""
    if sum(value.nbytes for value in tensors.values()) <= COMPACT_ABOVE_BYTES:
        return tensors
    smaller = {name: value.half() for name, value in tensors.items()}
    return smaller if all(bool(torch.isfinite(value).all()) for value in smaller.values()) else tensors


def _open(path: Path, *, tensors: bool) -> tuple[Card, dict[str, Tensor]]:
    remedy = "download the file again, or choose other weights (`rdl-live models list`)"
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise DataError(f"{path}: {size} bytes are more than the {LARGEST_BYTES} of the largest weights; {remedy}")
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(_KEY)
            names = list(file.keys()) if tensors else []
            found = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: not a whole safetensors file ({error}); {remedy}") from error
    if text is None:
        raise DataError(f"{path}: has no metadata {_KEY!r}, so it is not of this program; {remedy}")
    try:
        return Card.model_validate(json.loads(text)), found
    except (ValidationError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: its metadata {_KEY!r} do not hold ({_short(error)}); {remedy}") from error


def _short(error: Exception) -> str:
    """Return the first complaint in one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return str(error).splitlines()[0]


def _check_tensors(path: Path, network: nn.Module, found: dict[str, Tensor]) -> None:
    """Compare names, shapes and types with those of the network, and look for values that are not numbers."""
    wanted = network.state_dict()
    missing, more = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    if missing or more:
        raise DataError(
            f"{path}: its tensors are not those of its architecture: missing {', '.join(missing) or 'none'}, "
            f"unknown {', '.join(more) or 'none'}; download the file again"
        )
    for name, value in found.items():
        if value.shape != wanted[name].shape or value.dtype not in (torch.float32, torch.float16):
            raise DataError(
                f"{path}: tensor {name} is {tuple(value.shape)} {value.dtype}, its architecture needs "
                f"{tuple(wanted[name].shape)} torch.float32 (or float16); download the file again"
            )
        if not bool(torch.isfinite(value).all()):
            raise DataError(f"{path}: tensor {name} holds NaN or infinity; download the file again")
