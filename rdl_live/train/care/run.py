"""A whole training of CARE: from pairs to a weight file, with previews on the way and its certainty at the end."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from rdl_live.errors import ConfigError
from rdl_live.train.care.certainty import measured
from rdl_live.train.care.settings import CareSettings
from rdl_live.train.care.source import PairSource
from rdl_live.train.care.task import CareTask
from rdl_live.train.loop.board import check_board
from rdl_live.train.loop.loop import Step, Training, held_out
from rdl_live.train.loop.outputs import Outputs, check_outputs, exclusive
from rdl_live.train.loop.run import finished, make_card
from rdl_models import Card, Care, Network, Span, build, find_architecture, save_weights
from rdl_models.architecture import Scenes

ARCHITECTURE = "care"


@dataclass(frozen=True)
class CareResult:
    """How a training ended."""

    card: Card
    ratio: float
    """Root mean square error on what is held out, relative to that of what was shown; below 1 is a gain."""
    words: tuple[str, ...]
    """What was found, for the user."""


@exclusive
def train_care(
    source: PairSource,
    out: Path,
    settings: CareSettings,
    *,
    trained_on: Mapping[str, Any],
    valid: Mapping[str, Span] | None = None,
    task: str | None = None,
    device: torch.device | str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    watch: Callable[[Step], bool | None] = lambda _: None,
    board: Path | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> CareResult | None:
    """Train CARE on pairs and write its weights; None where the watcher ended it: then the checkpoint is kept.

    Args:
        source: of the pairs.
        out: weight file; checkpoint and preview are put beside it.
        settings: how.
        trained_on: what the pairs are, for the card.
        valid: ranges that the weights are made for.
        task: what they are for, where not the restoration of such images.
        device: where.
        resume: go on from the checkpoint.
        overwrite: replace what is there.
        watch: called with every step; ends the training by returning True.
        board: folder for TensorBoard.
        clock: see `Training`.

    Raises:
        OutputError: something cannot be written, or is there already.
        DataError: a checkpoint of other pairs.
        ConfigError: a size that the network does not take.
    """
    outputs = Outputs(out)
    check_outputs(outputs, resume=resume, overwrite=overwrite)
    if board is not None:
        check_board(board)
    if settings.members > 1 and not settings.probabilistic:
        raise ConfigError("--ensemble: the disagreement of networks is one of probabilities; add --probabilistic")
    fields = config_of(source, settings)
    build(ARCHITECTURE, fields)  # what cannot be made is said now
    job = CareTask(lambda: _made(fields), source, settings)
    training = Training(job, device, checkpoint=outputs.checkpoint, resume=resume, clock=clock)
    if not finished(training, outputs, watch, board=board):
        return None
    network: Care = training.result
    certain: dict[str, float] = {}
    if settings.probabilistic:
        found = measured(job.held_out(network))
        network.config = replace(network.config, sigma_factor=found.factor)
        certain = found.scores
    ratio = float(job.ratios(network).sqrt().mean())
    before, after = held_out(training)
    card = make_card(
        outputs.card_name,
        training,
        ARCHITECTURE,
        trained_on={
            **trained_on,
            "settings": settings.model_dump(mode="json"),
            **source.record(),
            "best_step": training.state.best_step,
        },
        valid=valid or {},
        scores={
            "held_out_error": round(ratio, 4),
            "held_out_loss": round(after.error, 5),
            "held_out_loss_before": round(before.error, 5),
            **certain,
        },
    )
    card = card if task is None else card.model_copy(update={"task": task})
    save_weights(out, network, card, overwrite=overwrite or resume)
    outputs.checkpoint.unlink(missing_ok=True)
    return CareResult(card, ratio, tuple(_words(ratio, settings)))


def config_of(source: PairSource, settings: CareSettings) -> dict[str, Any]:
    """Return the fields of the networks' configuration."""
    wanted = {
        **settings.network,
        "dims": settings.dims,
        "probabilistic": settings.probabilistic,
        "members": settings.members,
        **asdict(source.normalisation),
    }
    return find_architecture(ARCHITECTURE).fields(wanted, Scenes((), ()))


def _made(fields: Mapping[str, Any]) -> Network:
    return build(ARCHITECTURE, fields)


def _words(ratio: float, settings: CareSettings) -> list[str]:
    found = f"on held-out patches the error is {ratio:.3f} of that of the noisy images"
    words = [f"{found}" if ratio < 1 else f"{found}: these weights do not help yet; train longer, or on more pairs"]
    if not settings.loss.keeps_photons:
        words.append(
            f"loss {settings.loss}: the median of what is likely, which is no photon count; do not measure intensities "
            "in restored images, or train with --loss mse"
        )
    return words
