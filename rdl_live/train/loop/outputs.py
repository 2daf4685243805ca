"""Where a training writes."""

from dataclasses import dataclass
from pathlib import Path

from rdl_live.errors import DataError, OutputError

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
    if outputs.weights.exists() and not overwrite:
        raise OutputError(f"{outputs.weights}: exists already; choose another --out or pass --overwrite")
    if resume and not outputs.checkpoint.is_file():
        raise DataError(f"{outputs.checkpoint}: there is no checkpoint to resume from; train without --resume")
    if not resume and outputs.checkpoint.exists() and not overwrite:
        raise OutputError(f"{outputs.checkpoint}: a training was left here; go on with --resume or pass --overwrite")
