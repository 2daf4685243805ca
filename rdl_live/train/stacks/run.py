"""A whole training on z-stack time-lapses: is the scheme right, training, verdict, weights only if they help."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from rdl_live._version import __version__
from rdl_live.errors import ConfigError
from rdl_live.restore.suited import check_suited
from rdl_live.train.recordings.verdict import CERTAIN, WORTH
from rdl_live.train.simulated.run import Outputs, check_outputs
from rdl_live.train.stacks.change import MOST, Change, measure_change
from rdl_live.train.stacks.settings import VolumeScheme, VolumeSettings
from rdl_live.train.stacks.stacks import Stacks, VolumeFilm
from rdl_live.train.stacks.trainer import VolumeStep, VolumeTrainer, new_network
from rdl_models import Card, Span, Task, Weights, load_weights, save_weights
from rdl_models.card import card_name

_NEAR = 0.05
"""Weights are valid for optics that differ by so much from those of the recordings."""
_LIGHT = 3.0
"""... and for light that differs by this factor."""


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
    watch: Callable[[VolumeStep], bool | None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
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
        watch: told of every step; ends the training by returning True (the checkpoint is kept).
        tell: told what is found on the way, in sentences.

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
    tell(change.words)
    if change.of(settings.scheme) > MOST and not force:
        what = "time points" if settings.scheme is VolumeScheme.TIS else "planes"
        other = VolumeScheme.SIS if settings.scheme is VolumeScheme.TIS else VolumeScheme.TIS
        text = f"nothing was trained: neighbouring {what} differ by more than {MOST:.0%} of the contrast"
        if change.of(other) <= MOST:
            text += f"; use `rdl-live train {other} --volume`"
        return VolumeResult(None, settings.scheme, change, None, (text,))
    network = new_network(settings) if settings.start is None else _started(settings.start).network
    trainer = VolumeTrainer(network, Stacks(films, settings), device, checkpoint=outputs.checkpoint, resume=resume)
    for step in trainer.run():
        if watch(step):
            words = (f"stopped before its time: {outputs.checkpoint.name} is kept, go on with --resume",)
            return VolumeResult(None, settings.scheme, change, trainer.after.error, words)
    outputs.checkpoint.unlink(missing_ok=True)
    helped, text = _verdict(trainer)
    if not helped:
        return VolumeResult(None, settings.scheme, change, trainer.after.error, (text,))
    card = _card(card_name(out.name.removesuffix(".safetensors")), trainer, films, change)
    save_weights(out, trainer.best, card, overwrite=overwrite)
    return VolumeResult(card, settings.scheme, change, trainer.after.error, (text,))


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


def _verdict(trainer: VolumeTrainer) -> tuple[bool, str]:
    """Return whether it helps, certainly and worth it, and the words."""
    errors = trainer.after.errors
    error, spread = float(errors.mean()), float(errors.std(correction=1)) / math.sqrt(len(errors))
    gain_db = -10 * math.log10(max(error, 1e-4))
    # What was started from is the standard, and the noisy stacks themselves (1) where that is worse.
    before = min(1.0, trainer.before.error)
    found = (
        f"on held-out photons the mean square error is {error:.3f} of that of the noisy stacks ({gain_db:.1f} dB less; "
        f"{before:.3f} before the training)"
    )
    if error < WORTH**2 * before and before - error > CERTAIN * spread:
        return True, f"training helped: {found}"
    return False, f"training did not help: {found}; nothing is written"


def _card(name: str, trainer: VolumeTrainer, films: Sequence[VolumeFilm], change: Change) -> Card:
    """Return the metadata of what was trained."""
    scope, channel = films[0].scope, films[0].channel
    centre = {
        "na": scope.optics.na,
        "pixel_size_um": scope.optics.pixel_size_um,
        "emission_nm": channel.emission_nm,
    }
    valid = {key: Span(low=(1 - _NEAR) * value, high=(1 + _NEAR) * value) for key, value in centre.items()}
    light = [film.means[0] for film in films]
    valid["photons"] = Span(low=min(light) / _LIGHT, high=max(light) * _LIGHT)
    recordings = [
        {
            "name": film.name,
            "fingerprint": film.fingerprint,
            "time_points": len(film),
            "planes": film.frames.shape[1],
            "held_out": sorted(trainer.stacks.held[id(film)]),
            "microscope": scope.name,
            "photons": round(film.means[0], 3),
        }
        for film in films
    ]
    return Card(
        name=name,
        architecture="rcan3d",
        config=vars(trainer.best.config),
        trained_on={
            "scheme": str(trainer.settings.scheme),
            "settings": trainer.settings.model_dump(mode="json"),
            "recordings": recordings,
            "change": {"in_time": change.in_time, "in_depth": change.in_depth},
            "best_step": trainer.state.best_step,
            "from": trainer.settings.start,
        },
        steps=trainer.state.step,
        minutes=trainer.state.seconds / 60,
        valid=valid,
        scores={"held_out_error": round(trainer.after.error, 4)},
        program=f"rdl-live {__version__}",
    )
