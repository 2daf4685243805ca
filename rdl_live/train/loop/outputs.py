"""Where a training writes."""

import functools
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from rdl_live.errors import DataError, OutputError
from rdl_live.files.recorder.lock import try_lock
from rdl_models.card import card_name

CHECKPOINT_SUFFIX = ".checkpoint"
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Outputs:
    """Where a training writes: all beside the weights."""

    weights: Path

    @property
    def checkpoint(self) -> Path:
        """State of the training."""
        return self.weights.with_name(f"{self.weights.name}{CHECKPOINT_SUFFIX}")

    @property
    def preview(self) -> Path:
        """Some images as they are restored at the moment."""
        return self.weights.with_name(f"{self.weights.name.removesuffix(SUFFIX)}-preview.png")

    @property
    def card_name(self) -> str:
        """Name of the weights where the user gives none: that of the file."""
        return card_name(self.weights.name.removesuffix(SUFFIX))

    @property
    def stopped(self) -> str:
        """What is said of a training that was stopped."""
        return f"stopped before its time: {self.checkpoint.name} is kept, go on with --resume"


def check_outputs(outputs: Outputs, *, resume: bool, overwrite: bool) -> None:
    """Raise unless a training may write there.

    Raises:
        OutputError: the weights exist, a checkpoint would be lost, or there is no such folder.
        DataError: there is no checkpoint to resume from.
    """
    if outputs.weights.suffix != SUFFIX:
        raise OutputError(f"{outputs.weights}: weights are {SUFFIX} files; end the name of --out so")
    if not outputs.weights.parent.is_dir():
        raise OutputError(f"{outputs.weights}: there is no folder {outputs.weights.parent}; make it first")
    # Who goes on with a training wants its weights replaced.
    if outputs.weights.exists() and not overwrite and not resume:
        raise OutputError(f"{outputs.weights}: exists already; choose another --out or pass --overwrite")
    if resume and not outputs.checkpoint.is_file():
        raise DataError(f"{outputs.checkpoint}: there is no checkpoint to resume from; train without --resume")
    if not resume and outputs.checkpoint.exists() and not overwrite:
        raise OutputError(f"{outputs.checkpoint}: a training was left here; go on with --resume or pass --overwrite")


@contextmanager
def locked(outputs: Outputs) -> Iterator[None]:
    """Keep other trainings from writing to the same files. The system lets go of the lock when the process dies.

    Raises:
        OutputError: another one does so now.
    """
    path = outputs.weights.with_name(f".{outputs.weights.name}.lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise OutputError(f"{outputs.weights}: the folder cannot be written to ({error.strerror})") from error
    try:
        if not try_lock(descriptor) or not _same(descriptor, path):
            raise OutputError(
                f"{outputs.weights}: another training writes there now; wait for it, or choose another --out"
            )
        try:
            yield
        finally:
            if os.name != "nt":  # there an open file cannot be removed
                path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
        if os.name == "nt":
            _removed(path)


def check_free(outputs: Outputs) -> None:
    """Raise where a training writes there now, before its checkpoint is taken for one that was left.

    Raises:
        OutputError: another one does so now.
    """
    if outputs.weights.parent.is_dir():  # what is wrong with the name is said by `check_outputs`
        with locked(outputs):
            return


def _same(descriptor: int, path: Path) -> bool:
    """Whether an open file still is the one of this name: whoever had it before may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _removed(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except PermissionError:  # another training has it open by now
        return


_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def exclusive(train: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """Lock the weights `out` of a training function while it runs; see `locked`."""
    signature = inspect.signature(train)

    @functools.wraps(train)
    def alone(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        given = signature.bind(*args, **kwargs).arguments
        processes, outputs = given.get("processes"), Outputs(given["out"])
        # What is wrong with the name is said by `check_outputs`; of several processes the first one writes.
        if not outputs.weights.parent.is_dir() or (processes is not None and not processes.leads):
            return train(*args, **kwargs)
        with locked(outputs):
            return train(*args, **kwargs)

    return alone
