"""One's own SIM recordings as pairs: what a single frame would have shown, and the SIM image of the other photons.

The photons of a series are divided at random: a part is the input (its mean over the frames is the widefield image),
the classical SIM image of the rest is the target. So both are of the same moment and place, and their noise is
independent: a target that shared the input's noise would teach a network to keep it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rdl_live.app.reconstruct.images import images_of_recording
from rdl_live.app.reconstruct.report import calibration_warnings
from rdl_live.app.reconstruct.run import OfflineRun, Options
from rdl_live.errors import ConfigError, DataError
from rdl_live.files import RawRequest, load_microscope
from rdl_live.optics import PatternSet, to_photons
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.modality import modality_of
from rdl_live.optics.quality.frc import thin
from rdl_live.train.loop.held_out import valid_near
from rdl_live.train.pairs.field import PairField, matched
from rdl_models import Span

SHARES = (0.1, 0.3)
"""Of the photons of a series that are shown. A tenth of nine frames is about the light of one."""
MOST_BYTES = 512 * 2**20
"""Raw frames of an image that are kept in memory."""


@dataclass(frozen=True)
class OwnPairs:
    """What recordings give to learn from."""

    fields: list[PairField]
    """In the order of the files; those of the last place, or the right of a single field, are to be held out."""
    valid: Mapping[str, Span]
    """What weights that learn from them are made for, without light."""
    notes: tuple[str, ...]
    """What was left out, and why."""


def own_pairs(
    raws: Sequence[Path],
    microscope: Path,
    frames: int,
    scale: int,
    *,
    channel: str | None = None,
    reading: RawRequest | None = None,
    device: torch.device | None = None,
) -> OwnPairs:
    """Open SIM recordings of one microscope; series that do not fit the patterns are left out.

    Args:
        raws: recordings.
        microscope: microscope file.
        frames: that the network takes: 1 (the widefield image) or as many as a series has.
        scale: pixels of a target for one of a raw frame, each way.
        channel: colour; the first where left out.
        reading: which position, and how the frames follow one another, where the user says so.
        device: where to estimate.

    Raises:
        ConfigError: series of another number of frames, or an SR image on another grid.
        DataError: a file cannot be used, or no series fits the patterns.
    """
    scope = load_microscope(microscope)
    if not modality_of(scope).shaped:
        raise ConfigError(
            f"{microscope}: is of modality {scope.modality}, which has no SIM images to learn from; give the "
            "microscope file of SIM recordings"
        )
    if frames not in (1, scope.pattern.frames):
        raise ConfigError(
            f"--frames {frames}: series of {microscope} have {scope.pattern.frames} frames; use --frames 1 (their "
            f"widefield image) or --frames {scope.pattern.frames}"
        )
    if scale != scope.pattern.sr_factor:
        raise ConfigError(
            f"--factor {scale}: SIM images of {microscope} are {scope.pattern.sr_factor} times as fine as the "
            f"camera's; use --factor {scope.pattern.sr_factor}"
        )
    fields: list[PairField] = []
    notes: list[str] = []
    colour = scope.channel(channel)
    options = Options(channel=channel, reading=reading or RawRequest())
    for raw in raws:
        for image in images_of_recording(raw, microscope, device or torch.device("cpu"), options):
            found, left_out = _series(image.run, f"{raw.name}{image.suffix}", frames)
            fields += found
            notes += left_out
            colour = image.run.channel
    if not fields:
        raise DataError(
            f"no series of the recordings fits its patterns, so that there is nothing to learn from: {notes[0]}; see "
            "`rdl-live estimate`"
        )
    return OwnPairs(fields, optics_of(scope, colour), tuple(notes))


def optics_of(scope: Microscope, colour: Channel) -> Mapping[str, Span]:
    """Return the ranges of optics that weights are made for which learn from one microscope."""
    return {name: span for name, span in valid_near(scope, colour, [1.0]).items() if name != "photons"}


def _series(run: OfflineRun, name: str, frames: int) -> tuple[list[PairField], list[str]]:
    """Return the series of one image that fit its patterns, and what is to be said of the others."""
    patterns, warnings = run.estimate()
    if not patterns.trusted:
        return [], [f"{name}: its patterns were not found with confidence, so that it is left out"]
    judge = run.judge(patterns)
    fields: list[PairField] = []
    notes = [one if one.startswith(name) else f"{name}: {one}" for one in warnings]
    if run.recording.assumed:
        notes.append(f"{name}: {run.recording.assumed}")
    if calibration_warnings(run.scope.camera):
        notes.append(
            f"{name}: without the camera's gain the parts of a series share noise, which a network then learns to "
            "keep; calibrate the camera (`rdl-live calibrate camera`)"
        )
    series_of = _Series(run, patterns, frames)
    kept_bytes = 0
    for index in range(len(run.recording)):
        if kept_bytes > MOST_BYTES:
            notes.append(f"{name}: the first {index} of {len(run.recording)} series are used")
            break
        series = run.series(index)
        verdict = judge(series)
        if not verdict.trusted:
            why = verdict.why or "its stripes are not those of the recording"
            notes.append(f"{name}: series {index} (counted from 0) is left out: {why}")
            continue
        photons = series_of.photons(series)
        light = float(photons.mean()) * (photons[:, :, 0, 0].numel() if frames == 1 else 1)
        if light <= 0:
            notes.append(f"{name}: series {index} (counted from 0) is left out: it holds no light")
            continue
        fields.append(
            PairField(
                f"{name} {index}",
                (series.shape[-2], series.shape[-1]),
                len(SHARES),
                series_of.loader(series, f"{name} {index}"),
                tuple(share * light for share in SHARES),
                hashlib.sha256(np.ascontiguousarray(series).tobytes()).hexdigest()[:16],
                name,
            )
        )
        kept_bytes += series.nbytes
    return fields, notes


class _Series:
    """Makes pairs of the series of one image."""

    def __init__(self, run: OfflineRun, patterns: PatternSet, frames: int) -> None:
        self._camera, self._maps, self._frames = run.scope.camera, run.maps, frames
        shape = (run.recording.shape[-2], run.recording.shape[-1])
        self._maker = run.modality.reconstruction(run.scope.in_photons(), patterns, shape, channel=run.channel)

    def photons(self, series: npt.NDArray[np.generic]) -> Tensor:
        """Return a raw series (angle, phase, y, x) in photons."""
        return to_photons(torch.from_numpy(np.ascontiguousarray(series).astype(np.float32)), self._camera, self._maps)

    def loader(self, series: npt.NDArray[np.generic], name: str) -> Callable[[int], tuple[Tensor, Tensor]]:
        """Return what gives input and target of a series at each share; the same ones each time.

        The first series decides on the weights of all SIM images.
        """
        if self._maker.wiener is None:
            self._maker.calibrate(self._divided(series, 0)[1])

        def load(level: int) -> tuple[Tensor, Tensor]:
            shown, kept = self._divided(series, level)
            target = self._maker(kept)
            images = shown.flatten(0, 1)
            images = images.mean(dim=0, keepdim=True) if self._frames == 1 else images
            return images, matched(images, target, name)

        return load

    def _divided(self, series: npt.NDArray[np.generic], level: int) -> tuple[Tensor, Tensor]:
        """Return what is shown of a series' photons, and the rest."""
        generator = torch.Generator().manual_seed(level)
        read = self._camera.read_noise_e
        return thin(self.photons(series), SHARES[level], read_noise_e=read, generator=generator)
