"""A whole training on z-stack time-lapses: is the scheme right, training, verdict, weights only if they help."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rdl_live.errors import ConfigError
from rdl_live.restore.suited import check_suited
from rdl_live.train.loop.held_out import CERTAIN, WORTH, valid_near
from rdl_live.train.loop.loop import Look, Step, Training, held_out
from rdl_live.train.loop.outputs import Outputs, check_outputs, exclusive
from rdl_live.train.loop.run import finished, make_card
from rdl_live.train.stacks.change import MOST, Change, measure_change
from rdl_live.train.stacks.settings import VolumeScheme, VolumeSettings
from rdl_live.train.stacks.stacks import Stacks, VolumeFilm
from rdl_live.train.stacks.trainer import ARCHITECTURE, VolumeTask, new_network
from rdl_models import Card, Task, Weights, load_weights, save_weights


@dataclass(frozen=True)
class VolumeResult:
    """How a training ended."""

    card: Card | None
    """Of the weights that were written; None where nothing was."""
    scheme: VolumeScheme
    change: Change
    error: float | None
    """Mean square error on held-out photons, relative to that of the noisy stacks; None where nothing was trained."""
    words: tuple[str, ...]
    """What was found and done, for the user."""


@exclusive
def train_on_volumes(
    films: Sequence[VolumeFilm],
    out: Path,
    settings: VolumeSettings,
    *,
    auto: bool = False,
    force: bool = False,
    device: torch.device | str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    watch: Callable[[Step], bool | None] = lambda _: None,
    notify: Callable[[str], None] = lambda _: None,
) -> VolumeResult:
    """Train a denoiser of z-stacks on noisy recordings alone.

    Args:
        films: recordings of one microscope.
        out: weight file; the checkpoint is put beside it.
        settings: how.
        auto: take the scheme whose looks are more alike.
        force: train even where the looks differ too much; weights that do not help are still not written.
        device: where.
        resume: go on from the checkpoint.
        overwrite: replace what is there.
        watch: called with every step; ends the training by returning True (the checkpoint is kept).
        notify: called with what is found on the way, in sentences.

    Raises:
        OutputError: something cannot be written, or is there already.
        DataError: too few time points or planes, or a checkpoint that does not fit.
        ConfigError: weights to start from that are not there, or not of this architecture.
    """
    outputs = Outputs(out)
    check_outputs(outputs, resume=resume, overwrite=overwrite)
    change = _most([measure_change(film) for film in films])
    if auto:
        settings = settings.replace(scheme=change.scheme)
    notify(change.words)
    if change.of(settings.scheme) > MOST and not force:
        what = "time points" if settings.scheme is VolumeScheme.TIS else "planes"
        other = VolumeScheme.SIS if settings.scheme is VolumeScheme.TIS else VolumeScheme.TIS
        text = f"nothing was trained: neighbouring {what} differ by more than {MOST:.0%} of the contrast"
        if change.of(other) <= MOST:
            text += f"; use `rdl-live train {other} --volume`"
        return VolumeResult(None, settings.scheme, change, None, (text,))
    started = None if settings.start is None else _started(settings.start)
    stacks = Stacks(films, settings)
    task = VolumeTask(new_network(settings) if started is None else started.network, stacks, device)
    training = Training(task, device, checkpoint=outputs.checkpoint, resume=resume)
    ended = finished(training, outputs, watch)
    before, after = held_out(training)
    if not ended:
        return VolumeResult(None, settings.scheme, change, after.error, (outputs.stopped,))
    outputs.checkpoint.unlink(missing_ok=True)
    helped, text = _verdict(before, after)
    if not helped:
        return VolumeResult(None, settings.scheme, change, after.error, (text,))
    architecture = ARCHITECTURE if started is None else started.card.architecture
    card = _card(outputs.card_name, architecture, training, stacks, change, after)
    save_weights(out, training.result, card, overwrite=overwrite or resume)
    return VolumeResult(card, settings.scheme, change, after.error, (text,))


def _most(changes: Sequence[Change]) -> Change:
    """Return what the most changeable recording says, in time and in depth."""

    def most(values: list[float | None]) -> float | None:
        return max((one for one in values if one is not None), default=None)

    return Change(most([one.in_time for one in changes]), most([one.in_depth for one in changes]))


def _started(name: str) -> Weights:
    loaded = load_weights(name)
    check_suited(loaded.card, f"--from {name}", {Task.STACKS}, "denoise z-stacks")
    if not loaded.network.config.relative:
        raise ConfigError(f"--from {name}: their cut-off is not relative to that of the OTF; leave --from out")
    return loaded


def _verdict(start: Look, end: Look) -> tuple[bool, str]:
    """Return whether it helps, certainly and worth it, and the words."""
    errors = end.errors
    error, spread = float(errors.mean()), float(errors.std(correction=1)) / math.sqrt(len(errors))
    gain_db = -10 * math.log10(max(error, 1e-4))
    # What was started from is the standard, and the noisy stacks themselves (1) where that is worse.
    before = min(1.0, start.error)
    found = (
        f"on held-out photons the mean square error is {error:.3f} of that of the noisy stacks ({gain_db:.1f} dB less; "
        f"{before:.3f} before the training)"
    )
    if error < WORTH**2 * before and before - error > CERTAIN * spread:
        return True, f"training helped: {found}"
    return False, f"training did not help: {found}; nothing is written"


def _card(name: str, architecture: str, training: Training[Any], stacks: Stacks, change: Change, after: Look) -> Card:
    """Return the metadata of what was trained."""
    films, settings = stacks.films, stacks.settings
    recordings = [
        {
            "name": film.name,
            "fingerprint": film.fingerprint,
            "time_points": len(film),
            "planes": film.frames.shape[1],
            "held_out": sorted(stacks.held[id(film)]),
            "microscope": film.scope.name,
            "photons": round(film.means[0], 3),
        }
        for film in films
    ]
    return make_card(
        name,
        training,
        architecture,
        trained_on={
            "scheme": str(settings.scheme),
            "settings": settings.model_dump(mode="json"),
            "recordings": recordings,
            "change": {"in_time": change.in_time, "in_depth": change.in_depth},
            "best_step": training.state.best_step,
            "from": settings.start,
        },
        valid=valid_near(films[0].scope, films[0].channel, [film.means[0] for film in films]),
        scores={"held_out_error": round(after.error, 4)},
    )
