"""The images of one series of a recording: read, or computed on demand with the patterns and the OTF recorded with it.

Where the camera's per-pixel maps cannot be read (they lie on the microscope's computer), photons are those of the
camera's mean numbers, and what is shown says so.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from rdl_live._names import NO_DENOISER
from rdl_live.errors import ConfigError, DataError
from rdl_live.files.camera_maps import load_camera_maps
from rdl_live.files.recorder.layout import ImageAddress
from rdl_live.files.recorder.tags import FrameFlag
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.view.browse.images import Request, Shown
from rdl_live.view.browse.source import Source, Stored, Where
from rdl_live.view.panes.picture import Picture

if TYPE_CHECKING:  # loads torch
    from rdl_live.optics.noise import CameraMaps
    from rdl_live.optics.pattern import PatternSet
    from rdl_live.optics.reconstruct import Reconstructor
    from rdl_live.restore import Restorer

ESTIMATED_FROM = 8
"""Series, evenly spread, from which patterns are estimated where none were recorded."""
KEPT = 4
"""Prepared reconstructions that are kept: one for each colour and pattern set."""


class Light(NamedTuple):
    """With what light images are computed."""

    patterns: "PatternSet"
    channel: Channel
    """The colour, with the OTF that goes with the patterns: as recorded with the image, else as the recording shows."""
    origin: str
    """Where both come from, in words."""


class RecordingImages:
    """The `SeriesImages` of a source. Belongs to one thread."""

    def __init__(self, source: Source, device: str = "cpu") -> None:
        """Read from a source, compute on a device."""
        self._source, self._device = source, device
        self._estimated: dict[ImageAddress, Light] = {}
        self._reconstructors: dict[object, Reconstructor] = {}
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
        light = self._light(where, stored, scope)
        shown = replace(shown, patterns=light.patterns, patterns_from=light.origin, nominal=self._nominal(where))
        if "sim" not in shown.pictures:
            reconstructor = self._reconstructor(scope, light)
            reconstructor.calibrate(series)
            image = reconstructor(series).cpu().numpy()
            shown = replace(shown, pictures={**shown.pictures, "sim": self._fine(image)})
        if "denoised" not in shown.pictures and denoiser != NO_DENOISER:
            yield shown
            shown = self._denoised(shown, series, scope, light)
        yield replace(shown, done=True)

    def _denoised(self, shown: Shown, series: npt.NDArray[Any], scope: Microscope, light: Light) -> Shown:
        from rdl_live.restore import Restorer

        patterns, channel, _ = light
        key, shape = (channel, patterns, shown.request.denoiser), self._source.sizes.frame
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

    def _light(self, where: Where, stored: Stored | None, scope: Microscope) -> Light:
        """Return the light recorded with this image, or with the nearest one, or estimated from raw series."""
        channel = self._channel(where.channel, scope)
        if stored is not None and (light := _recorded_light(stored, channel, "recorded with this image")):
            return light
        have = np.flatnonzero(self._source.has_stored(where.image))
        if have.size:
            nearest = int(have[np.abs(have - where.time).argmin()])
            other = self._source.stored(where._replace(time=nearest))
            origin = f"recorded with time point {nearest + 1}"
            if other is not None and (light := _recorded_light(other, channel, origin)):
                return light
        return self._estimate(where, scope, channel)

    def _estimate(self, where: Where, scope: Microscope, channel: Channel) -> Light:
        from rdl_live.optics.estimate.damping import estimate_with_otf

        key = where.image
        if key not in self._estimated:
            complete = (self._source.flags(where.image) & int(FrameFlag.MISSING) == 0).all(axis=(1, 2))
            times = np.flatnonzero(complete)
            spread = np.linspace(0, len(times) - 1, min(len(times), ESTIMATED_FROM)).round().astype(int)
            stack = np.stack([self._source.series(where._replace(time=int(time))) for time in times[np.unique(spread)]])
            patterns, shown = estimate_with_otf(stack, scope, channel, maps=self._maps, device=self._device)
            self._estimated[key] = Light(patterns, shown, "estimated from this recording")
        return self._estimated[key]

    def _reconstructor(self, scope: Microscope, light: Light) -> "Reconstructor":
        from rdl_live.optics.reconstruct import Reconstructor

        patterns, channel, _ = light
        key = (channel, patterns)
        if key not in self._reconstructors:
            _make_room(self._reconstructors)
            self._reconstructors[key] = Reconstructor(
                scope, patterns, self._source.sizes.frame, self._device, channel=channel, maps=self._maps
            )
        return self._reconstructors[key]

    def _nominal(self, where: Where) -> "PatternSet | None":
        """Return the planned patterns; None where the recording does not say, or says it in another way."""
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


def _recorded_light(stored: Stored, channel: Channel, origin: str) -> Light | None:
    """Return the light that an image was made with; None where it does not say.

    Raises:
        DataError: it says something that cannot be.
    """
    from rdl_live.optics.pattern import PatternSet

    if "pattern_set" not in stored.made:
        return None
    try:
        patterns = PatternSet.model_validate(stored.made["pattern_set"])
        damping = stored.made.get("otf_damping", channel.otf_damping)
        return Light(patterns, channel.replace(otf_damping=damping), origin)
    except ValidationError as error:
        raise DataError(f"the patterns {origin} cannot be read: {error}") from error


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
