"""What makes the images of recordings: the physics alone, a `Restorer` of series of stripes, or any other stage."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from rdl_live._names import NO_DENOISER
from rdl_live.app.denoiser import made_by_stages
from rdl_live.app.reconstruct.recording import OpenRecording
from rdl_live.optics import Microscope, PatternSet, to_photons
from rdl_live.optics.modality import Reconstruction
from rdl_live.optics.noise import CameraMaps
from rdl_live.restore import Restored, Restorer
from rdl_live.restore.memory import USUAL_MEMORY
from rdl_live.restore.stage import Context, Stage, Unit
from rdl_live.restore.stages import factor_of, load_stage

Raw = npt.NDArray[np.generic]


class Staged:
    """Images by a stage, as a live run has them, of raw units."""

    def __init__(
        self,
        stage: Stage,
        physics: Reconstruction,
        scope: Microscope,
        patterns: PatternSet,
        channel: str,
        device: torch.device,
        maps: CameraMaps | None,
    ) -> None:
        """Take the parts.

        Args:
            stage: makes the images.
            physics: makes the classical image of photons.
            scope: the microscope.
            patterns: in force.
            channel: colour.
            device: where to compute.
            maps: per-pixel camera calibration.
        """
        self._stage, self._physics, self._scope, self._patterns = stage, physics, scope, patterns
        self._channel, self._device = scope.channel(channel), device
        self._maps = None if maps is None else maps.to(device)

    @property
    def wiener(self) -> float | None:
        """That of the physics."""
        return self._physics.wiener

    def calibrate(self, first: Raw) -> None:
        """Let one unit decide on what the physics measures."""
        self._physics.calibrate(self._photons(first))

    def restore(self, series: Raw) -> Restored:
        """Return the images of a raw unit (angle, phase, y, x) in ADU."""
        photons, name = self._photons(series), self._scope.image_name
        unit = Unit(photons, self._patterns, self._channel, physics=self._physics, image=name)
        return self._stage.restore(unit)

    def _photons(self, series: Raw) -> torch.Tensor:
        light = torch.from_numpy(np.ascontiguousarray(series).astype(np.float32)).to(self._device)
        return to_photons(light, self._scope.camera, self._maps)


Maker = Reconstruction | Restorer | Staged


def plain_maker(run: OpenRecording, patterns: PatternSet) -> Reconstruction:
    """Return the reconstruction without denoising."""
    return run.modality.reconstruction(
        run.scope,
        patterns,
        run.frame,
        run.device,
        channel=run.channel,
        maps=run.maps,
        shaping=run.options.shaping,
    )


def maker_of(run: OpenRecording, patterns: PatternSet, tell: Callable[[str], None]) -> Maker:
    """Return what makes images of units as the options say; any thread.

    Args:
        run: the recording.
        patterns: in force.
        tell: gets warnings of stages.
    """
    options = run.options
    if options.denoise == NO_DENOISER:
        return plain_maker(run, patterns)
    if not made_by_stages(run.scope):
        return Restorer(run.scope, patterns, run.frame, options.denoise, run.device, channel=run.channel, maps=run.maps)
    scope = run.scope.in_photons()
    stage = load_stage(options.denoise, Context(scope, (run.channel,), run.frame, run.device, tell))
    physics = run.modality.reconstruction(scope, patterns, run.frame, run.device, channel=run.channel)
    return Staged(stage, physics, run.scope, patterns, run.channel.name, run.device, run.maps)


def memory_of(run: OpenRecording) -> float:
    """Return the series that an image may be made of where nothing moves: as is said, or by default of a time-lapse."""
    options = run.options
    if options.memory is not None:
        return options.memory
    denoised = options.denoise != NO_DENOISER and not made_by_stages(run.scope) and run.modality.shaped
    film = len(run.recording) > run.recording.grid[2]
    return USUAL_MEMORY if denoised and film and options.cluster is None else 1.0


def image_factor(run: OpenRecording) -> int:
    """Return how many pixels the images have for one of the camera's, each way."""
    return factor_of(run.options.denoise, run.scope)
