"""A whole training: from settings to a weight file, with previews on the way."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rdl_live.errors import ConfigError
from rdl_live.restore.live import quick_half
from rdl_live.train.loop.board import check_board
from rdl_live.train.loop.loop import Step, Training
from rdl_live.train.loop.outputs import Outputs, check_outputs, exclusive
from rdl_live.train.loop.processes import Processes
from rdl_live.train.loop.run import finished, make_card, trained_further
from rdl_live.train.simulated.evaluate import held_out_scores
from rdl_live.train.simulated.settings import SceneSettings, TrainSettings
from rdl_live.train.simulated.task import new_network, source_of
from rdl_live.train.simulated.trainer import SimulatedTask, scene_training
from rdl_models import Card, Network, Span, find_architecture, find_weights, read_card, save_weights
from rdl_models.architecture import EstimatesError, Grows, Image, Scenes

_SCORING_S = 60.0
"""Seconds in which weights are scored at the end of a training; fewer where that was short itself."""
_SCORING_SHARE, _SCORING_LEAST_S = 0.25, 5.0
"""Of a short training's time."""


@exclusive
def train_denoiser(
    out: Path,
    settings: TrainSettings,
    *,
    device: torch.device | str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    name: str | None = None,
    watch: Callable[[Step], bool | None] = lambda _: None,
    processes: Processes | None = None,
    board: Path | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Card:
    """Train a network and write its weights: our fast denoiser, or what `settings.architecture` says.

    Args:
        out: weight file; checkpoint and preview are put beside it.
        settings: how.
        device: where.
        resume: go on from the checkpoint.
        overwrite: replace what is there.
        name: of the weights; by default that of the file.
        watch: called with every step.
        processes: those that train together, joined; only the first one writes.
        board: folder for TensorBoard.
        notify: called with a sentence where the minutes ask for smaller scenes than the settings say.

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
    training = scene_training(
        maker(settings),
        settings,
        device,
        checkpoint=outputs.checkpoint,
        resume=resume,
        half=half,
        processes=processes,
        notify=notify,
    )
    finished(training, outputs, watch, processes=processes, board=board)
    card = _card(name or outputs.card_name, training, _kept(training, settings))
    if processes.leads:
        save_weights(out, training.result, card, overwrite=overwrite or resume)
    return card


def maker(settings: TrainSettings) -> Callable[[], nn.Module]:
    """Return what makes the network: from random numbers, or from weights to go on from."""
    if settings.start is None and settings.grow:
        raise ConfigError("--grow: needs --from, the weights that get the scales of the shipped network")
    if settings.start is None and settings.error_only:
        raise ConfigError("--error-only: needs --from, the weights whose error is to be learnt")
    if settings.grow and settings.error_only:
        raise ConfigError("--grow --error-only: new scales change the images; leave one of the two out")
    if settings.start is None:
        new_network(settings)  # what cannot be made is refused now
        return lambda: new_network(settings)
    loaded = trained_further(settings.start, settings.architecture)
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
    """Return the head that estimates the error: a new one if the settings say how large."""
    if not isinstance(network, EstimatesError):
        raise ConfigError(f"--error-only: networks of {settings.architecture!r} estimate no error")
    try:
        if "spread" in settings.network:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(settings.seed)
                network.new_spread(int(settings.network["spread"]))
    except ValueError as error:
        raise ConfigError(f"--network spread: {error}") from error
    if network.spread is None:
        raise ConfigError(
            f"--from {settings.start} --error-only: the network estimates no error; add --network spread=16"
        )
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


def _kept(training: Training[Any], settings: TrainSettings) -> TrainSettings:
    """Return the settings with the scenes that were learnt from: smaller ones, where the minutes asked for them."""
    task = training.task
    return settings.replace(scenes=task.scenes) if isinstance(task, SimulatedTask) else settings


def _card(name: str, training: Training[Any], settings: TrainSettings) -> Card:
    """Return the metadata of what was trained; scores it (a minute, a tenth of the training's time if that is longer,
    a quarter of it if that is shorter)."""
    # By steps, the result is the same every time; by minutes, a slow network must not take many more of them.
    trained = training.state.seconds
    shortest = max(_SCORING_LEAST_S, _SCORING_SHARE * trained)
    seconds = None if settings.steps is not None else min(shortest, max(_SCORING_S, 0.1 * trained))
    source = source_of(settings.architecture)
    scores = held_out_scores(training.result, settings.scenes, source, device=training.device, seconds=seconds)
    return make_card(
        name,
        training,
        settings.architecture,
        trained_on=_trained_on(settings),
        valid=_valid(settings, training.result),
        scores=scores,
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


def _valid(settings: TrainSettings, network: Network) -> dict[str, Span]:
    """Return what weights are made for; light is that of what is shown, a sum where frames are averaged."""
    valid, scenes = valid_ranges(settings.scenes), settings.scenes
    if find_architecture(settings.architecture).takes is Image.ONE and network.config.channels == 1:
        frames, light = Scenes(scenes.angles, scenes.phases).frames, valid["photons"]
        valid["photons"] = Span(low=light.low * min(frames), high=light.high * max(frames))
    return valid


def valid_ranges(scenes: SceneSettings) -> dict[str, Span]:
    """Return what weights trained on these scenes are made for."""
    harsh = scenes.unkind
    usual = {"na": scenes.na, "pixel_size_um": scenes.pixel_size_um, "photons": scenes.photons}
    harmonics = 1
    if harsh.share > 0:
        further = {"na": harsh.na, "pixel_size_um": harsh.pixel_um}
        for name, drawn in further.items():
            usual[name] = Span(low=min(usual[name].low, drawn.low), high=max(usual[name].high, drawn.high))
        usual["photons"] = Span(low=scenes.photons.low * harsh.dimmer, high=scenes.photons.high)
        harmonics = 2 if harsh.nonlinear > 0 and 5 in scenes.phases else 1
    harmonics = max(harmonics, scenes.harmonics)
    return {
        **usual,
        "emission_nm": scenes.emission_nm,
        "angles": Span(low=min(scenes.angles), high=max(scenes.angles)),
        "phases": Span(low=min(scenes.phases), high=max(scenes.phases)),
        "harmonics": Span(low=1, high=harmonics),
    }
