"""A training from its first step to its weights: previews and TensorBoard on the way, one card at the end."""

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from rdl_live._version import __version__
from rdl_live.errors import ConfigError
from rdl_live.train.loop.board import Board
from rdl_live.train.loop.loop import Step, Training
from rdl_live.train.loop.outputs import Outputs
from rdl_live.train.loop.preview import save_preview
from rdl_live.train.loop.processes import Processes
from rdl_models import Card, Span, Weights, load_weights

PREVIEW_EVERY = 100
"""Steps from one preview picture to the next, where nothing is held out."""


def finished(
    training: Training[Any],
    outputs: Outputs,
    watch: Callable[[Step], bool | None],
    *,
    processes: Processes | None = None,
    board: Path | None = None,
) -> bool:
    """Train to the end; return whether it came there, or the watcher ended it by returning True.

    Args:
        training: what is trained.
        outputs: where the preview goes; it is made anew at every look at what is held out.
        watch: called with every step.
        processes: those that train together; only the first one writes.
        board: folder for TensorBoard.
    """
    leads = processes is None or processes.leads
    shown = Board(board) if board is not None and leads else None
    try:
        # Closed at once also where the watcher raises, so that the checkpoint is written before anything else goes on.
        with closing(training.run()) as steps:
            for step in steps:
                held_out = step.before is not None
                if leads and (step.look is not None if held_out else step.number % PREVIEW_EVERY == 1):
                    _show(training, outputs, step, shown)
                if shown is not None:
                    shown.step(step)
                if watch(step):
                    return False
    finally:
        if shown is not None:
            shown.close()
    return True


def _show(training: Training[Any], outputs: Outputs, step: Step, board: Board | None) -> None:
    rows = training.task.pictures(training.started, training.result, step.judged)
    if rows:
        save_preview(outputs.preview, rows)
        if board is not None:
            board.picture(outputs.preview, step.number)


def trained_further(start: str, architecture: str) -> Weights:
    """Load weights to go on from.

    Args:
        start: name or file of the weights.
        architecture: that they must be of.

    Raises:
        ConfigError: there are none, or they are of another architecture.
        DataError: the file is damaged.
    """
    loaded = load_weights(start)
    if loaded.card.architecture != architecture:
        raise ConfigError(
            f"--from {start}: weights of {loaded.card.architecture!r} cannot be trained further as {architecture!r}"
        )
    return loaded


def make_card(
    name: str,
    training: Training[Any],
    architecture: str,
    *,
    trained_on: Mapping[str, Any],
    valid: Mapping[str, Span],
    scores: Mapping[str, float],
    before: Card | None = None,
) -> Card:
    """Return the metadata of what was trained.

    Args:
        name: of the weights.
        training: what has been trained.
        architecture: of the network.
        trained_on: what it has learnt from.
        valid: ranges that it is made for.
        scores: what was measured.
        before: of weights whose steps and minutes count as its own.
    """
    return Card(
        name=name,
        architecture=architecture,
        config=vars(training.result.config),
        trained_on=dict(trained_on),
        steps=training.state.step + (0 if before is None else before.steps),
        minutes=training.state.seconds / 60 + (0.0 if before is None else before.minutes),
        valid=dict(valid),
        scores=dict(scores),
        program=f"rdl-live {__version__}",
    )
