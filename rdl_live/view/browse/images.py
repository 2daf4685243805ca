"""The images of one series of a recording: read, or computed on demand with the recorded patterns. Without Qt.

Where the camera's per-pixel maps cannot be read (they lie on the microscope's computer), photons are those of the
camera's mean numbers, and what is shown says so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from rdl_live._names import NO_DENOISER
from rdl_live.errors import ConfigError, DataError
from rdl_live.files.camera_maps import load_camera_maps
from rdl_live.files.recorder.layout import ImageAddress
from rdl_live.files.recorder.tags import FrameFlag
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.view.browse.source import Source, Stored, Where
from rdl_live.view.panes.picture import Picture

if TYPE_CHECKING:  # loads torch
    from rdl_live.optics.modality import Reconstruction
    from rdl_live.optics.noise import CameraMaps
    from rdl_live.optics.pattern import PatternSet
    from rdl_live.restore import Restorer

ESTIMATED_FROM = 8
"""Series, evenly spread, from which patterns are estimated where none were recorded."""
KEPT = 4
"""Prepared reconstructions that are kept: one a colour and pattern set."""


@dataclass(frozen=True)
class Request:
    """What is to be shown."""

    where: Where
    angle: int = 0
    phase: int = 0
    """Which raw frame."""
    denoiser: str = NO_DENOISER
    """Which weights to denoise with, where no denoised image was recorded."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What there is to be seen of a series, so far."""

    request: Request
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    """By name: "raw", "widefield", "sim", "denoised", or what else a stage has made."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Why a pane is empty, in words."""
    patterns: "PatternSet | None" = None
    nominal: "PatternSet | None" = None
    """What the SLM should have shown, where the recording says so."""
    patterns_from: str = ""
    """Whence the patterns are, in words."""
    photons: float | None = None
    """Mean photons per raw pixel and frame."""
    doubts: tuple[str, ...] = ()
    """What the denoiser's guards say."""
    made: Mapping[str, Any] = field(default_factory=dict)
    """How the recorded image was made."""
    maps_lacking: str = ""
    """Why the camera's maps, which the microscope file names, are not used."""
    problem: str = ""
    """What went wrong in reading or computing."""
    done: bool = False
    """Whether no more is to come for this request."""


class BrowseImages:
    """Makes what is to be seen. Belongs to one thread."""

    def __init__(self, source: Source, device: str = "cpu") -> None:
        """Read from a source, compute on a device."""
        self._source, self._device = source, device
        self._estimated: dict[ImageAddress, PatternSet] = {}
        self._reconstructors: dict[object, Reconstruction] = {}
        self._restorers: dict[object, Restorer] = {}
        self._maps: CameraMaps | None = None
        self._maps_lacking = ""
        self._maps_read = False

    def steps(self, request: Request) -> Iterator[Shown]:
        """Give what there is to be seen, as it becomes ready: first what is read, then what is computed."""
        self._read_maps()
        try:
            for shown in self._steps(request):
                yield replace(shown, maps_lacking=self._maps_lacking)
        except (DataError, ConfigError) as error:
            yield Shown(request, problem=str(error), done=True)

    def _read_maps(self) -> None:
        """Read the camera's maps once, in the thread that computes."""
        scope = self._source.microscope
        if self._maps_read or scope is None or self._source.sizes.phases == 1:
            return
        self._maps_read = True
        try:
            self._maps = load_camera_maps(scope.camera, self._source.sizes.frame, self._source.sizes.corner)
        except (DataError, ConfigError) as error:
            self._maps_lacking = f"the camera's maps are not used, its mean numbers are: {error}"

    def _steps(self, request: Request) -> Iterator[Shown]:
        where, source = request.where, self._source
        stored = source.stored(where)
        shown = Shown(request)
        if source.sizes.phases == 1:  # super-resolved images alone
            yield replace(_with_stored(shown, stored, source), done=True)
            return
        series = source.series(where)
        present = source.flags(where.image)[where.time] & int(FrameFlag.MISSING) == 0
        shown = self._raw(shown, series, present)
        if stored is not None:
            shown = _with_stored(shown, stored, source)
        yield shown
        yield from self._computed(shown, series, bool(present.all()), stored)

    def _raw(self, shown: Shown, series: npt.NDArray[Any], present: npt.NDArray[np.bool_]) -> Shown:
        request, scope = shown.request, self._source.microscope
        pixel_um = self._source.sizes.pixel_um or 1.0
        unit = "photons" if scope is not None else "ADU"
        pictures, absent = dict(shown.pictures), dict(shown.absent)
        if present[request.angle, request.phase]:
            frame = photons_of(series[request.angle, request.phase], scope, self._maps)
            pictures["raw"] = Picture(frame, pixel_um, unit=unit)
        else:
            absent["raw"] = f"Frame missing\n(angle {request.angle + 1}, phase {request.phase + 1})"
        photons = None
        if present.any():
            mean = photons_of(series[present].mean(axis=0, dtype=np.float64), scope, self._maps)
            pictures["widefield"] = Picture(mean, pixel_um, unit=unit)
            photons = float(mean.mean()) if scope is not None else None
        else:
            absent["widefield"] = "No frame of this series was recorded"
        return replace(shown, pictures=pictures, absent=absent, photons=photons)

    def _computed(self, shown: Shown, series: npt.NDArray[Any], whole: bool, stored: Stored | None) -> Iterator[Shown]:
        scope, where, denoiser = self._source.microscope, shown.request.where, shown.request.denoiser
        why = _why_not(scope, whole)
        if scope is None or why:
            wanted = {"sim", "denoised"} - set(shown.pictures)
            yield replace(shown, absent={**shown.absent, **dict.fromkeys(wanted, why)}, done=True)
            return
        channel = self._channel(where.channel, scope)
        patterns, origin = self._patterns(where, stored, scope, channel)
        shown = replace(shown, patterns=patterns, patterns_from=origin, nominal=self._nominal(where))
        if "sim" not in shown.pictures:
            reconstructor = self._reconstructor(scope, channel, patterns)
            reconstructor.calibrate(series)
            image = reconstructor(series).cpu().numpy()
            shown = replace(shown, pictures={**shown.pictures, "sim": self._fine(image)})
        if "denoised" not in shown.pictures and denoiser != NO_DENOISER:
            yield shown
            shown = self._denoised(shown, series, scope, channel, patterns)
        yield replace(shown, done=True)

    def _denoised(
        self, shown: Shown, series: npt.NDArray[Any], scope: Microscope, channel: Channel, patterns: "PatternSet"
    ) -> Shown:
        from rdl_live.restore import Restorer

        key, shape = (channel.name, patterns, shown.request.denoiser), self._source.sizes.frame
        if key not in self._restorers:
            _make_room(self._restorers)
            self._restorers[key] = Restorer(
                scope, patterns, shape, shown.request.denoiser, self._device, channel=channel, maps=self._maps
            )
        restorer = self._restorers[key]
        restorer.calibrate(series)
        restored = restorer.restore(series, guards=True)
        sigma = None if restored.sigma is None else restored.sigma.cpu().numpy()
        denoised = replace(self._fine(restored.sr.cpu().numpy()), sigma=sigma)
        doubts = restored.guards.doubts if restored.guards else ()
        return replace(shown, pictures={**shown.pictures, "denoised": denoised}, doubts=tuple(doubts))

    def _patterns(
        self, where: Where, stored: Stored | None, scope: Microscope, channel: Channel
    ) -> tuple["PatternSet", str]:
        """Return the patterns recorded with this image, or with the nearest one, or estimated from raw series."""
        from rdl_live.optics.pattern import PatternSet

        if stored is not None and "pattern_set" in stored.made:
            return PatternSet.model_validate(stored.made["pattern_set"]), "recorded with this image"
        have = np.flatnonzero(self._source.has_stored(where.image))
        if have.size:
            nearest = int(have[np.abs(have - where.time).argmin()])
            other = self._source.stored(where._replace(time=nearest))
            if other is not None and "pattern_set" in other.made:
                patterns = PatternSet.model_validate(other.made["pattern_set"])
                return patterns, f"recorded with time point {nearest + 1}"
        return self._estimate(where, scope, channel), "estimated from this recording"

    def _estimate(self, where: Where, scope: Microscope, channel: Channel) -> "PatternSet":
        from rdl_live.optics.modality import modality_of

        key = where.image
        if key not in self._estimated:
            complete = (self._source.flags(where.image) & int(FrameFlag.MISSING) == 0).all(axis=(1, 2))
            times = np.flatnonzero(complete)
            chosen = times[
                np.unique(np.linspace(0, len(times) - 1, min(len(times), ESTIMATED_FROM)).round().astype(int))
            ]
            stack = np.stack([self._source.series(where._replace(time=int(time))) for time in chosen])
            self._estimated[key] = modality_of(scope).estimate(
                stack, scope, channel=channel, maps=self._maps, device=self._device
            )
        return self._estimated[key]

    def _reconstructor(self, scope: Microscope, channel: Channel, patterns: "PatternSet") -> "Reconstruction":
        from rdl_live.optics.modality import modality_of

        key = (channel.name, patterns)
        if key not in self._reconstructors:
            _make_room(self._reconstructors)
            self._reconstructors[key] = modality_of(scope).reconstruction(
                scope, patterns, self._source.sizes.frame, self._device, channel=channel, maps=self._maps
            )
        return self._reconstructors[key]

    def _nominal(self, where: Where) -> "PatternSet | None":
        """Return what the SLM should have shown; None where the recording does not say, or in another way."""
        from rdl_live.optics.pattern import PatternSet

        recorded = self._source.provenance.get("nominal_patterns")
        content = recorded.get(self._source.sizes.channels[where.channel]) if isinstance(recorded, dict) else None
        try:
            return None if content is None else PatternSet.model_validate(content)
        except ValidationError:
            return None

    def _channel(self, index: int, scope: Microscope) -> Channel:
        """Return the microscope's channel of that name; of a file that names none, the one of that number."""
        name = self._source.sizes.channels[index]
        named = [channel for channel in scope.channels if channel.name == name]
        return named[0] if named else scope.channels[min(index, len(scope.channels) - 1)]

    def _fine(self, image: npt.NDArray[np.float32]) -> Picture:
        rows = self._source.sizes.frame[0]
        return Picture(image, (self._source.sizes.pixel_um or 1.0) * rows / image.shape[0])


def photons_of(
    adu: npt.NDArray[Any], scope: Microscope | None, maps: "CameraMaps | None" = None
) -> npt.NDArray[np.float32]:
    """Return photons, by the camera's maps or numbers; without a microscope the values as they are."""
    values = adu.astype(np.float32)
    if scope is None:
        return values
    if maps is not None:
        return np.asarray((values - maps.offset_adu.numpy()) * maps.gain_e_per_adu.numpy(), np.float32)
    return np.asarray((values - scope.camera.offset_adu) * scope.camera.gain_e_per_adu, np.float32)


def _with_stored(shown: Shown, stored: Stored | None, source: Source) -> Shown:
    if stored is None:
        return replace(shown, absent={**shown.absent, "sim": "No image was recorded for this time point"})
    usual = "sim" if stored.denoiser == NO_DENOISER else "denoised"
    pane = str(stored.made.get("image", usual))
    rows = source.sizes.frame[0]
    picture = Picture(stored.pixels, (source.sizes.pixel_um or 1.0) * rows / stored.pixels.shape[0])
    return replace(shown, pictures={**shown.pictures, pane: picture}, made=stored.made)


def _why_not(scope: Microscope | None, whole: bool) -> str:
    if not whole:
        return "No image: this series lacks frames"
    return "" if scope is not None else "No image: the microscope is not known (add --microscope M.yaml)"


def _make_room(kept: dict[Any, Any]) -> None:
    while len(kept) >= KEPT:
        del kept[next(iter(kept))]
