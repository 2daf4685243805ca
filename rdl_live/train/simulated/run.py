"""A whole training: from settings to a weight file, with previews on the way."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rdl_live._version import __version__
from rdl_live.errors import ConfigError, DataError, OutputError
from rdl_live.restore.live import quick_half
from rdl_live.train.loop.board import Board, check_board
from rdl_live.train.loop.preview import save_preview
from rdl_live.train.loop.processes import Processes
from rdl_live.train.simulated.evaluate import held_out_scores
from rdl_live.train.simulated.settings import SceneSettings, TrainSettings
from rdl_live.train.simulated.task import new_network, task_of
from rdl_live.train.simulated.trainer import Step, Trainer
from rdl_models import Card, Network, Span, find_weights, load_weights, read_card, save_weights
from rdl_models.architecture import EstimatesError, Grows
from rdl_models.card import card_name

CHECKPOINT_SUFFIX = ".checkpoint"
PREVIEW_EVERY = 100
"""Steps from one preview picture to the next."""
_SUFFIX = ".safetensors"


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
        """Some scenes as they are restored at the moment."""
        return self.weights.with_name(f"{self.weights.name.removesuffix(_SUFFIX)}-preview.png")


def check_outputs(outputs: Outputs, *, resume: bool, overwrite: bool) -> None:
    """Raise unless a training may write there.

    Raises:
        OutputError: the weights exist, a checkpoint would be lost, or there is no such folder.
        DataError: there is no checkpoint to resume from.
    """
    if outputs.weights.suffix != _SUFFIX:
        raise OutputError(f"{outputs.weights}: weights are {_SUFFIX} files; end the name of --out so")
    if not outputs.weights.parent.is_dir():
        raise OutputError(f"{outputs.weights}: there is no folder {outputs.weights.parent}; make it first")
    if outputs.weights.exists() and not overwrite:
        raise OutputError(f"{outputs.weights}: exists already; choose another --out or pass --overwrite")
    if resume and not outputs.checkpoint.is_file():
        raise DataError(f"{outputs.checkpoint}: there is no checkpoint to resume from; train without --resume")
    if not resume and outputs.checkpoint.exists() and not overwrite:
        raise OutputError(f"{outputs.checkpoint}: a training was left here; go on with --resume or pass --overwrite")


def train_denoiser(
    out: Path,
    settings: TrainSettings,
    *,
    device: torch.device | str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    name: str | None = None,
    watch: Callable[[Step], None] = lambda _: None,
    processes: Processes | None = None,
    board: Path | None = None,
) -> Card:
    """Train a network and write its weights: our fast denoiser, or what `settings.architecture` says.

    Args:
        out: weight file; checkpoint and preview are put beside it.
        settings: how.
        device: where.
        resume: go on from the checkpoint.
        overwrite: replace what is there.
        name: of the weights; by default that of the file.
        watch: told of every step.
        processes: those that train together, joined; only the first one writes.
        board: folder for TensorBoard.

    Raises:
        OutputError: something cannot be written, or is there already.
        DataError: the checkpoint to resume from is missing, damaged or of other settings; or the weights to start
            from are damaged.
        ConfigError: there are no such weights to start from, or they are of another architecture.
    """
    outputs = Outputs(out)
    processes = processes or Processes.alone()
    check_outputs(outputs, resume=resume, overwrite=overwrite)
    if board is not None:
        check_board(board)
    # No one writes before all have looked.
    processes.wait()
    half = settings.half_precision and quick_half(torch.device(device))
    trainer = Trainer(
        maker(settings),
        settings,
        device,
        checkpoint=outputs.checkpoint,
        resume=resume,
        half=half,
        processes=processes,
    )
    shown = Board(board) if board is not None and processes.leads else None
    for step in trainer.run():
        if step.number % PREVIEW_EVERY == 1 and processes.leads:
            save_preview(outputs.preview, step.judged)
            if shown is not None:
                shown.picture(outputs.preview, step.number)
        if shown is not None:
            shown.step(step)
        watch(step)
    if shown is not None:
        shown.close()
    card = make_card(name or card_name(out.name.removesuffix(_SUFFIX)), trainer)
    if processes.leads:
        save_weights(out, trainer.average, card, overwrite=overwrite or resume)
    return card


def maker(settings: TrainSettings) -> Callable[[], nn.Module]:
    """Return what makes the network: from random numbers, or from weights to go on from."""
    if settings.start is None and settings.grow:
        raise ConfigError("--grow: needs --from, the weights that get the scales of the shipped network")
    if settings.start is None and settings.error_only:
        raise ConfigError("--error-only: needs --from, the weights whose error is to be told")
    if settings.grow and settings.error_only:
        raise ConfigError("--grow --error-only: new scales change the images; leave one of the two out")
    if settings.start is None:
        new_network(settings)  # what cannot be made is told now
        return lambda: new_network(settings)
    loaded = load_weights(settings.start)
    if loaded.card.architecture != settings.architecture:
        raise ConfigError(
            f"--from {settings.start}: weights of {loaded.card.architecture!r} cannot be trained further as "
            f"{settings.architecture!r}"
        )
    network = _changed(loaded.network, settings).requires_grad_(not settings.error_only).train()
    if settings.error_only:
        _error_head(network, settings).requires_grad_(True)
    if not settings.grow:
        return lambda: network
    try:
        if not isinstance(network, Grows):
            raise ValueError(f"networks of {settings.architecture!r} do not grow")
        grown = network.grown()
    except ValueError as error:
        raise ConfigError(f"--from {settings.start} --grow: {error}") from error
    return lambda: grown


def _error_head(network: Network, settings: TrainSettings) -> nn.Module:
    """Return the head that tells the error: a new one if the settings say how large."""
    if not isinstance(network, EstimatesError):
        raise ConfigError(f"--error-only: networks of {settings.architecture!r} tell no error")
    try:
        if "spread" in settings.network:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(settings.seed)
                network.new_spread(int(settings.network["spread"]))
    except ValueError as error:
        raise ConfigError(f"--network spread: {error}") from error
    if network.spread is None:
        raise ConfigError(f"--from {settings.start} --error-only: tells no error; add --network spread=16")
    return network.spread


def _changed(network: Network, settings: TrainSettings) -> Network:
    """Return weights to go on from, on the grid that the settings want; nothing else of what makes images changes."""
    known, free = vars(network.config), {"sampling", "spread"} if settings.error_only else {"sampling"}
    unlike = [name for name, value in settings.network.items() if name not in free and known.get(name) != value]
    if unlike:
        raise ConfigError(
            f"--network {unlike[0]}: belongs to new networks; the size of --from {settings.start} is kept"
        )
    if "sampling" in settings.network:
        if "sampling" not in known:
            raise ConfigError(f"--network sampling: networks of {settings.architecture!r} have none")
        try:
            network.config = replace(network.config, sampling=float(settings.network["sampling"]))
        except ValueError as error:
            raise ConfigError(f"--network sampling: {error}") from error
    return network


def make_card(name: str, trainer: Trainer) -> Card:
    """Return the metadata of what was trained; scores it (a minute)."""
    network, architecture = trainer.average, trainer.settings.architecture
    return Card(
        name=name,
        architecture=architecture,
        config=vars(network.config),
        trained_on=_trained_on(trainer.settings),
        steps=trainer.progress.step,
        minutes=trainer.progress.seconds / 60,
        valid=valid_ranges(trainer.settings.scenes),
        scores=held_out_scores(network, trainer.settings.scenes, task_of(architecture), device=trainer.device),
        program=f"rdl-live {__version__}",
    )


def _trained_on(settings: TrainSettings) -> dict[str, Any]:
    """Return the settings, and under "before" those of the weights that the training went on from."""
    record: dict[str, Any] = settings.model_dump(mode="json")
    if settings.start is None:
        return record
    path = find_weights(settings.start)
    before = read_card(path)
    # The name alone: where a file lay is nobody's business, and says nothing elsewhere.
    record["start"] = before.name if settings.start == before.name else path.name
    return record | {"before": before.trained_on | {"steps": before.steps, "minutes": before.minutes}}


def valid_ranges(scenes: SceneSettings) -> dict[str, Span]:
    """Return what weights trained on these scenes are made for."""
    return {
        "na": scenes.na,
        "pixel_size_um": scenes.pixel_size_um,
        "emission_nm": scenes.emission_nm,
        "photons": scenes.photons,
        "angles": Span(low=min(scenes.angles), high=max(scenes.angles)),
        "phases": Span(low=min(scenes.phases), high=max(scenes.phases)),
        "harmonics": Span(low=1, high=1),
    }
