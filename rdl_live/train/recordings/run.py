"""A whole training from recordings: choice of scheme, training, verdict, weights only if they are better."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rdl_live.restore.live import quick_half
from rdl_live.restore.ranges import check_microscope
from rdl_live.restore.suited import check_suited
from rdl_live.train.loop.held_out import valid_near
from rdl_live.train.loop.loop import Step, Training
from rdl_live.train.loop.outputs import Outputs, check_outputs, exclusive
from rdl_live.train.loop.run import finished, make_card
from rdl_live.train.loop.task import TrainingTask
from rdl_live.train.recordings.blend import best_blend
from rdl_live.train.recordings.film import Film
from rdl_live.train.recordings.moments import Moments
from rdl_live.train.recordings.motion import Motion, longest, measure_motion
from rdl_live.train.recordings.settings import Scheme, SelfSupSettings
from rdl_live.train.recordings.trainer import PairTask
from rdl_live.train.recordings.verdict import BRIGHT, NOTHING, Gain, gain, noise_share
from rdl_models import Card, Task, Weights, load_weights, save_weights

ENOUGH = 100
"""Steps after which a recording has usually shown whether it has anything to teach."""
_PACED = 8
"""Steps whose time says how many there will be."""


@dataclass(frozen=True)
class Result:
    """How a training ended."""

    card: Card | None
    """Of the weights that were written; None where nothing was."""
    scheme: Scheme
    motion: Motion | None
    gain: Gain | None
    """None where it was refused before anything was trained."""
    words: tuple[str, ...]
    """What was found and done, for the user."""


@exclusive
def learn(
    films: Sequence[Film],
    out: Path,
    settings: SelfSupSettings,
    *,
    auto: bool = False,
    force: bool = False,
    device: torch.device | str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    name: str | None = None,
    watch: Callable[[Step], bool | None] = lambda _: None,
    notify: Callable[[str], None] = lambda _: None,
    rehearse: Callable[[PairTask], TrainingTask[Any]] | None = None,
) -> Result:
    """Go on training the denoiser on noisy recordings alone.

    Args:
        films: recordings of one microscope.
        out: weight file; checkpoint and preview are put beside it.
        settings: how.
        auto: take the scheme that the measured motion asks for.
        force: train even where it does not promise anything; weights that are no better are still not written.
        device: where.
        resume: go on from the checkpoint.
        overwrite: replace what is there.
        name: of the weights; by default that of the file.
        watch: called with every step; ends the training by returning True (the checkpoint is kept).
        notify: called with what is found on the way, in sentences.
        rehearse: mixes what was learnt before into the task, against forgetting; `rdl_live.train.train_on_films` does.

    Raises:
        OutputError: something cannot be written, or is there already.
        DataError: too few time points, or a checkpoint that does not fit.
        ConfigError: weights to start from that are not there, or not made for this microscope.
    """
    outputs = Outputs(out)
    check_outputs(outputs, resume=resume, overwrite=overwrite)
    start = starting_weights(settings.start, films[0])
    motion = longest([one for one in map(measure_motion, films) if one is not None])
    words: list[str] = []
    if motion is not None:
        if auto:
            settings = settings.replace(scheme=motion.scheme)
        settings = settings.replace(reach=motion.reach)
        notify(motion.words)
    if settings.scheme is Scheme.TIS and motion is not None and motion.scheme is Scheme.SPLIT and not force:
        words.append("nothing was trained: use `rdl-live train split` (or `train auto`) on this recording")
        return Result(None, settings.scheme, motion, None, tuple(words))
    half = quick_half(torch.device(device))
    moments = Moments(films, settings)
    task = PairTask(start.network, moments, device, half=half)
    training = Training(
        task if rehearse is None else rehearse(task), device, checkpoint=outputs.checkpoint, resume=resume
    )
    share = noise_share(task.held)
    if share < BRIGHT and not force:
        words.append(
            f"bright data: the noise is {share:.1%} of the image's contrast, so that there is next to nothing to "
            "denoise; nothing was trained, keep the weights that you have"
        )
        return Result(None, settings.scheme, motion, None, tuple(words))
    if not finished(training, outputs, _Pace(training, watch, notify)):
        words.append(outputs.stopped)
        return Result(None, settings.scheme, motion, None, tuple(words))
    blend = best_blend(task, training.started, training.learnt)
    found = gain(moments, training.started, blend.network) if blend.share else NOTHING
    words.append(found.words)
    outputs.checkpoint.unlink(missing_ok=True)
    if not found.helped:
        outputs.preview.unlink(missing_ok=True)
        return Result(None, settings.scheme, motion, found, tuple(words))
    called = name or outputs.card_name
    card = _card(called, start.card, training, moments, films, found, motion, blend.share)
    save_weights(out, blend.network, card, overwrite=overwrite or resume)
    return Result(card, settings.scheme, motion, found, tuple(words))


class _Pace:
    """Says after some steps whether the minutes are enough, as it watches them."""

    def __init__(
        self, training: Training[Any], watch: Callable[[Step], bool | None], notify: Callable[[str], None]
    ) -> None:
        self._training, self._watch, self._notify = training, watch, notify
        self._first = training.state.step

    def __call__(self, step: Step) -> bool | None:
        settings, state = self._training.settings, self._training.state
        if settings.steps is None and step.number == self._first + _PACED:
            expected = state.step * 60 * settings.minutes / max(state.seconds, 1e-9)
            if expected < ENOUGH:
                minutes = math.ceil(ENOUGH * state.seconds / state.step / 60)
                self._notify(
                    f"{settings.minutes:g} minutes are about {expected:.0f} steps on this computer; {ENOUGH} usually "
                    f"decide whether anything is gained: --minutes {minutes}"
                )
        return self._watch(step)


def starting_weights(name: str, film: Film) -> Weights:
    """Load the weights to go on from and check that they suit.

    Raises:
        ConfigError: not there, of another architecture, or not made for this microscope.
    """
    loaded = load_weights(name)
    check_suited(loaded.card, f"--from {name}", {Task.OBJECT_PLANE}, "learn from noisy SIM series")
    check_microscope(loaded.card, film.scope, film.channel)
    return loaded


def _card(
    name: str,
    start: Card,
    training: Training[Any],
    moments: Moments,
    films: Sequence[Film],
    found: Gain,
    motion: Motion | None,
    share: float,
) -> Card:
    """Return the metadata of weights that were trained on recordings."""
    recordings = [
        {
            "name": film.name,
            "fingerprint": film.fingerprint,
            "time_points": len(film),
            "first": film.first,
            "held_out": [film.first + moment.time for moment in moments.judging(film)],
            "held_out_place": None if (place := moments.places[id(film)]) is None else place.record(),
            "microscope": film.scope.name,
            "photons": round(float(film.photons(0).mean()), 3),
        }
        for film in films
    ]
    near = valid_near(films[0].scope, films[0].channel, [float(film.photons(0).mean()) for film in films])
    return make_card(
        name,
        training,
        start.architecture,
        trained_on={
            "scheme": str(moments.settings.scheme),
            "settings": moments.settings.model_dump(mode="json"),
            "recordings": recordings,
            "motion_nm": None if motion is None else round(min(motion.per_point_nm, 1e6), 1),
            "best_step": training.state.best_step,
            "share_of_change": share,
            "from": start.name,
            "before": start.trained_on,
        },
        valid={**start.valid, **near},
        scores={"held_out_to_start": round(found.ratio, 4)},
        before=start,
    )
