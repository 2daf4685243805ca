"""A recording with its microscope: opened, checked, its frames mended, its camera measured."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import torch

from rdl_live.app.reconstruct.judge import SeriesJudge
from rdl_live.app.reconstruct.offsets import own_offsets
from rdl_live.app.reconstruct.options import Options, Stopwatch
from rdl_live.app.reconstruct.own_gain import gain_of, measured_gain_warnings
from rdl_live.app.reconstruct.report import FIXED_EXCESS, calibration_warnings, noise_warnings
from rdl_live.app.reconstruct.saturation import Saturation
from rdl_live.errors import ConfigError
from rdl_live.files import RawRecording, check_frames, load_camera_maps, load_microscope, open_raw
from rdl_live.files.raw import request_for
from rdl_live.optics import Otf, PatternSet, to_photons
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.modality import Modality, modality_of
from rdl_live.optics.quality.defects import NONE as NO_DEFECTS
from rdl_live.optics.quality.fixed_light import offset_share
from rdl_live.optics.series_noise import SeriesNoise, series_noise

MOST_ALIASED = 4.0
"""Cut-off of the objective in cycles a pixel, 0.5 at the Nyquist limit; beyond this there is nothing to be seen."""
_OF_OFFSETS = 0.6
"""Share of a fixed pattern that does not grow with the light, from which it is one of offsets."""
_PIXEL_TOLERANCE = 0.02
_LEAST_FRAMES = 2
_NOISE_PIXELS = 2**24
"""Of the time points on which the noise is measured."""


class OpenRecording:
    """One raw file with its microscope. A context manager: it closes the file."""

    def __init__(
        self, raw: Path, microscope: Path, device: torch.device, options: Options, scope: Microscope | None = None
    ) -> None:
        """Open.

        Args:
            raw: the raw file.
            microscope: the microscope file.
            device: where to compute.
            options: how to read and reconstruct.
            scope: the microscope, where its file has been read already.

        Raises:
            RdlError: the microscope file or the raw file cannot be used.
        """
        self.watch = Stopwatch()
        self.options, self.device, self.raw, self.microscope = options, device, raw, microscope
        self.scope = scope or load_microscope(microscope)
        self.modality: Modality = modality_of(self.scope)
        self.channel = self.scope.channel(options.channel)
        self._check_pixels()
        asked = None if options.channel is None else self.channel
        with self.watch.timed("open"):
            self.recording = self._open(asked)
        self.channel = self.recording.channel or asked or self.scope.channels[0]
        try:
            self.maps = load_camera_maps(self.scope.camera, self.recording.shape[-2:], self.recording.corner)
        except BaseException:
            self.close()
            raise
        self.noise: SeriesNoise | None = None
        """Measured by `settle_camera`."""
        self.camera_measured: dict[str, float] | None = None
        """What was measured of the camera on this recording, as fields of `Camera`."""
        self.contrast: tuple[float, ...] | None = None
        """Of the patterns in the series that they were found in, as the judge of series measures it."""
        self.levels: np.ndarray | None = None
        """Usual light of every frame (angle, phase) relative to its series, once it is known."""
        self.defects = NO_DEFECTS
        """Hot and dead pixels, once they are known; filled in all series from then on."""
        self._saturated = Saturation(self.scope.camera.saturation_adu or self.recording.saturation)

    def _check_pixels(self) -> None:
        """Refuse pixels that no SIM microscope has: those of the chip, most likely, and not of the sample."""
        pixel_um, cutoff = self.scope.optics.pixel_size_um, self.scope.cutoff(self.channel)
        if cutoff * pixel_um > MOST_ALIASED:
            raise ConfigError(
                f"{self.microscope}: optics.pixel_size_um {pixel_um:g} is too coarse by far to see any pattern of this "
                f"objective, for which {0.5 / cutoff:.3f} um or less is needed; give the camera's pixel divided by the "
                "magnification, as 6.5 um / 100 = 0.065"
            )

    def _open(self, asked: Channel | None) -> RawRecording:
        """Open the wanted colour of the file; without a wish, the first of the microscope file that it has."""
        request = request_for(self.scope.channels, asked, replace(self.options.reading, incomplete=True))
        return open_raw(self.raw, self.scope.pattern, request)

    def close(self) -> None:
        """Close the raw file."""
        self.recording.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Close the raw file."""
        self.close()

    def file_warnings(self) -> list[str]:
        """What was noticed in opening."""
        found = list(self.recording.notes)
        pixel, stated = self.recording.pixel_size_um, self.scope.optics.pixel_size_um
        if pixel is not None and abs(pixel / stated - 1) > _PIXEL_TOLERANCE:
            found.append(
                f"the file says {pixel:.4g} um a pixel, the microscope file {stated:.4g} um, which is used: "
                "correct optics.pixel_size_um if the file is right"
            )
        if Otf.of(self.scope, self.channel).aliased:
            nyquist = 0.5 / stated
            found.append(
                f"pixels of {stated:.4g} um are too coarse for this objective (its cut-off "
                f"{self.scope.cutoff(self.channel):.2f} cycles/um is above {nyquist:.2f}): correct "
                "optics.pixel_size_um if it is wrong, else use a higher magnification"
            )
        return found

    def series(self, index: int) -> np.ndarray:
        """Read and check one time point, (A, P, y, x)."""
        with self.watch.timed("read"):
            series: np.ndarray = self.recording.read(index, index + 1)[0]
        check_frames(series, str(self.raw), first_time=index)
        self._saturated.add(index, series)
        return self.defects.mend(series)

    @property
    def frame(self) -> tuple[int, int]:
        """(y, x) of a raw frame."""
        return self.recording.shape[-2], self.recording.shape[-1]

    def judge(self, patterns: PatternSet) -> SeriesJudge:
        """Return what judges series against patterns."""
        return SeriesJudge(patterns, self.scope, self.channel, self.frame, self.maps, self.levels, self.contrast)

    def settle_camera(self, some: "list[np.ndarray] | None" = None) -> list[str]:
        """Measure what the microscope file lacks of the camera, where the recording shows it; return warnings.

        Args:
            some: series to measure on; the first by default.
        """
        series = several_frames(some or [self.series(0)])
        if math.prod(series[0].shape[:2]) < _LEAST_FRAMES:
            # One picture alone does not show what is noise in it.
            return calibration_warnings(self.scope.camera)
        warnings = self._settle_gain(series[0])
        self.noise = self._noise(series)
        if any(self._saturated.clips(one) for one in series):
            return warnings  # edges that are cut off look like a pattern of the camera
        own = None
        offsets = self.noise.excess > FIXED_EXCESS and self._is_of_offsets(series[0])
        if offsets and self.scope.pattern.frames >= _LEAST_FRAMES:
            own = own_offsets(self.series, len(self.recording), self.scope, self.channel, self.maps)
        if own is None:
            return warnings + noise_warnings(self.noise, offsets=offsets)
        self.maps = own
        return warnings

    def _settle_gain(self, series: np.ndarray) -> list[str]:
        """Measure gain and read noise by photon transfer on a series, if the microscope file lacks the gain."""
        camera = self.scope.camera
        measured = gain_of(series, self.scope, self.channel)
        if measured is None:
            return calibration_warnings(camera) if self.camera_measured is None else []
        self.scope = self.scope.replace(camera={**camera.model_dump(exclude_unset=True), **measured})
        self.maps = load_camera_maps(self.scope.camera, self.recording.shape[-2:], self.recording.corner)
        self.camera_measured = measured
        return measured_gain_warnings(camera, measured)

    def _is_of_offsets(self, series: np.ndarray) -> bool:
        """Whether the fixed pattern is at least mostly one of offsets, which a map can take off."""
        counts = torch.from_numpy(series[None].astype(np.float32))
        photons = to_photons(counts, self.scope.camera, self.maps)
        return offset_share(photons, Otf.of(self.scope, self.channel)) > _OF_OFFSETS

    def _noise(self, series: "list[np.ndarray]") -> SeriesNoise:
        """Measure the noise of some of the time points."""
        most = max(1, _NOISE_PIXELS // series[0].size)
        chosen = series[:: max(1, len(series) // most)][:most]
        counts = torch.from_numpy(np.stack([one.astype(np.float32) for one in chosen]))
        photons = to_photons(counts, self.scope.camera, self.maps)
        return series_noise(photons, Otf.of(self.scope, self.channel), self.scope.camera.read_noise_e)

    def saturation_warnings(self) -> list[str]:
        """What was found in the time points that were read up to here."""
        return self._saturated.warnings()


def several_frames(series: "list[np.ndarray]") -> "list[np.ndarray]":
    """Return units that hold several frames of one place: where each is one frame, those of some time points."""
    if math.prod(series[0].shape[:2]) >= _LEAST_FRAMES:
        return series
    return [np.stack([one[0, 0] for one in series])[None]]
