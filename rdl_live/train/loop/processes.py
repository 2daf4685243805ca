"""Several processes, each with a GPU or some CPU cores, that train one network: gradients are averaged at every step.

Started by `torchrun --nproc-per-node N -m rdl_live.cli train ...`, which gives each process its number in the
environment. A training by N processes gives the losses of one with N times the batch.
"""

import os
from collections.abc import Iterable
from datetime import timedelta
from types import TracebackType
from typing import Self

import torch
from torch import Tensor, distributed, nn

from rdl_live.errors import ConfigError

_PATIENCE = timedelta(minutes=30)
"""One process scores and writes while the others wait."""


class Processes:
    """The processes of a training; a context manager. Alone it does nothing."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        """Read from the environment who takes part.

        Raises:
            ConfigError: the environment is half of torchrun's, or this build of torch cannot do it.
        """
        self.world = _number("WORLD_SIZE", 1)
        self.rank = _number("RANK", 0)
        self.device = torch.device(device)
        if self.world > 1 and not distributed.is_available():
            raise ConfigError(f"WORLD_SIZE is {self.world}, but this torch cannot train in several processes")
        if self.world > 1 and self.device.type == "cuda":
            self.device = torch.device("cuda", _number("LOCAL_RANK", 0))

    @classmethod
    def alone(cls) -> Self:
        """Return this process by itself, whatever the environment says."""
        made = cls.__new__(cls)
        made.world, made.rank, made.device = 1, 0, torch.device("cpu")
        return made

    def __enter__(self) -> Self:
        """Join the others."""
        if self.world > 1:
            if self.device.type == "cuda":
                torch.cuda.set_device(self.device)
            try:
                distributed.init_process_group("nccl" if self.device.type == "cuda" else "gloo", timeout=_PATIENCE)
            except ValueError as error:  # what torchrun would have said is not there
                raise ConfigError(
                    f"WORLD_SIZE is {self.world}, but the other processes cannot be found ({error}); start with "
                    "torchrun, or unset WORLD_SIZE"
                ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave; after an error without waiting for the others, who notice the broken connection."""
        if self.world > 1:
            if error is None:
                distributed.barrier()
            distributed.destroy_process_group()

    @property
    def leads(self) -> bool:
        """Whether this one writes and speaks."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all have come this far."""
        if self.world > 1:
            distributed.barrier()

    def average_gradients(self, network: nn.Module) -> None:
        """Give every process the mean of all gradients."""
        if self.world > 1:
            self._average(one.grad for one in network.parameters() if one.grad is not None)

    def mean(self, value: float) -> float:
        """Return the mean of a number over the processes."""
        if self.world == 1:
            return value
        number = torch.tensor([value], dtype=torch.float64, device=self.device)
        self._average([number])
        return float(number)

    def leaders(self, value: float) -> float:
        """Return the first process's value, so that all take the same decisions."""
        if self.world == 1:
            return value
        number = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(number, 0)
        return float(number)

    def _average(self, tensors: Iterable[Tensor]) -> None:
        kept = list(tensors)
        # One message for all of them.
        flat = torch.cat([one.flatten() for one in kept])
        distributed.all_reduce(flat)
        flat /= self.world
        for one, part in zip(kept, torch.split(flat, [one.numel() for one in kept]), strict=True):
            one.copy_(part.reshape(one.shape))


def check_alone() -> None:
    """Raise unless this process trains by itself.

    Raises:
        ConfigError: torchrun has started several, for a training that only one can do.
    """
    if (world := _number("WORLD_SIZE", 1)) > 1:
        raise ConfigError(
            f"WORLD_SIZE is {world}: training on recordings runs in one process; start it without torchrun. Only "
            "`train denoise` and `train sr` use several"
        )


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdigit():
        raise ConfigError(f"environment variable {name} is {text!r}, not a number; start with torchrun, or unset it")
    return int(text)
