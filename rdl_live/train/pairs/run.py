"""A whole training on pairs: from fields to a weight file, with previews on the way."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from rdl_live.errors import ConfigError
from rdl_live.restore.live import quick_half
from rdl_live.train.loop.board import check_board
from rdl_live.train.loop.loop import Step, Training, held_out
from rdl_live.train.loop.outputs import Outputs, check_outputs, exclusive
from rdl_live.train.loop.run import finished, make_card, trained_further
from rdl_live.train.pairs.field import PairField, divided
from rdl_live.train.pairs.settings import PairSettings
from rdl_live.train.pairs.task import PairTask
from rdl_models import Architecture, Card, Network, Span, Task, build, find_architecture, save_weights
from rdl_models.architecture import Scenes

_LIGHT = 3.0
"""Weights are valid for light that differs by this factor from that of the pairs."""


@exclusive
def train_on_pairs(
    fields: Sequence[PairField],
    out: Path,
    settings: PairSettings,
    *,
    source: str,
    valid: Mapping[str, Span],
    start: str | None = None,
    device: torch.device | str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    watch: Callable[[Step], bool | None] = lambda _: None,
    board: Path | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Card:
    """Train a network that super-resolves on pairs, and write its weights.

    Args:
        fields: of view; some are held out and judge.
        out: weight file; checkpoint and preview are put beside it.
        settings: how.
        source: what the pairs are, for the card.
        valid: ranges that the weights are made for, without the light's.
        start: weights to go on from; random numbers where left out.
        device: where.
        resume: go on from the checkpoint.
        overwrite: replace what is there.
        watch: called with every step.
        board: folder for TensorBoard.
        notify: called with a sentence where the minutes ask for smaller patches than the settings say.

    Raises:
        OutputError: something cannot be written, or is there already.
        DataError: no pairs, or a checkpoint of others.
        ConfigError: an architecture that does not super-resolve, or a size that it does not take.
    """
    outputs = Outputs(out)
    check_outputs(outputs, resume=resume, overwrite=overwrite)
    if board is not None:
        check_board(board)
    architecture = find_architecture(settings.architecture)
    make = _maker(architecture, settings, start)
    learnt, held = divided(fields)
    half = settings.half_precision and quick_half(torch.device(device))
    task = PairTask(make, architecture, learnt, held, settings, half=half, notify=notify)
    training = Training(task, device, checkpoint=outputs.checkpoint, resume=resume)
    finished(training, outputs, watch, board=board)
    card = _card(outputs.card_name, training, settings.replace(patch=task.side), source, valid, learnt, held)
    save_weights(out, training.result, card, overwrite=overwrite or resume)
    return card


def _maker(architecture: Architecture, settings: PairSettings, start: str | None) -> Callable[[], Network]:
    if architecture.task != Task.SUPER_RESOLUTION:
        raise ConfigError(f"--architecture {architecture.name}: {architecture.words}, and does not super-resolve")
    if start is None:
        fields = architecture.fields(settings.network, Scenes((), ()))
        build(architecture.name, fields)  # what cannot be made is said now
        return lambda: build(architecture.name, fields)
    network = trained_further(start, architecture.name).network.requires_grad_(True).train()
    return lambda: network


def _card(
    name: str,
    training: Training[Any],
    settings: PairSettings,
    source: str,
    valid: Mapping[str, Span],
    learnt: Sequence[PairField],
    held: Sequence[PairField],
) -> Card:
    photons = [value for field in (*learnt, *held) for value in field.photons if value > 0]
    before, after = held_out(training)
    # What a check against SIM compares with (`rdl_live.restore.agreement`).
    spread = float(after.errors.std()) if len(after.errors) > 1 else 0.0
    return make_card(
        name,
        training,
        settings.architecture,
        trained_on={
            "scheme": "pairs",
            "source": source,
            "settings": settings.model_dump(mode="json"),
            "fields": [_record(one) for one in learnt],
            "held_out": [_record(one) for one in held],
            "best_step": training.state.best_step,
        },
        valid={**valid, "photons": Span(low=min(photons) / _LIGHT, high=max(photons) * _LIGHT)},
        scores={
            "held_out": round(after.error, 4),
            "held_out_before": round(before.error, 4),
            "held_out_sd": round(spread, 4),
            "held_out_patches": len(after.errors),
        },
    )


def _record(field: PairField) -> dict[str, Any]:
    return {
        "name": field.name,
        "fingerprint": field.fingerprint,
        "photons": [round(value, 3) for value in field.photons],
        "columns": list(field.columns),
    }
