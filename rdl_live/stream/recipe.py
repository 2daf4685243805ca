"""How a pipeline is made: plain values that can be sent to another process, and made into a pipeline there."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import torch

from rdl_live.files import load_camera_maps
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.noise import CameraMaps
from rdl_live.optics.pattern import PatternSet
from rdl_live.restore.ranges import check_microscope
from rdl_live.restore.stage import Context, Stage
from rdl_live.restore.stages import check_stage, factor_of, load_stage, without_weights
from rdl_live.restore.stages.physics import NAME as NO_DENOISER
from rdl_live.stream.health import Warn
from rdl_live.stream.pipeline import Pipeline
from rdl_models import find_weights, read_card


@dataclass(frozen=True)
class PipelineRecipe:
    """Everything that a pipeline is made of."""

    scope: Microscope
    channels: tuple[Channel, ...]
    """Colours in the order that the frames' tags count."""
    shape: tuple[int, int]
    """(y, x) of a raw frame."""
    corner: tuple[int, int] | None = None
    """(y, x) of its first pixel on the camera's chip; None if it is not known."""
    dtype: str = "uint16"
    """Of the camera's pixels."""
    device: str = "cpu"
    denoise: str = NO_DENOISER
    """Name of a stage or of weights, or a weight file."""
    patterns: tuple[PatternSet, ...] | None = None
    """Fixed patterns for each colour; by default they are estimated."""
    estimate_every_s: float = 5.0
    memory: float = 1.0
    """Series that a denoised image may be made of where nothing changes, itself included."""
    threads: int = 1
    """How many the computation may take."""

    def check(self) -> None:
        """Raise what building the pipeline would raise, without loading a network.

        Raises:
            RdlError: camera maps that do not fit, weights that are damaged or made for another microscope.
        """
        self.maps()
        check_stage(self.denoise)
        if without_weights(self.denoise) is not None:
            return
        card = read_card(find_weights(self.denoise))
        unit = self.scope.in_photons()
        for channel in self.channels:
            check_microscope(card, unit, channel)

    def build(
        self,
        executor: Executor,
        warn: Warn,
        *,
        device: str | None = None,
        denoise: str | None = None,
        begin_with: Sequence[PatternSet | None] | None = None,
    ) -> Pipeline:
        """Return the pipeline.

        Args:
            executor: where patterns are estimated.
            warn: gets sentences for the user.
            device: another than the recipe's.
            denoise: likewise.
            begin_with: patterns for each colour to begin with, kept up to date like those that it finds itself.

        Raises:
            RdlError: as `check`.
        """
        device, denoise = device or self.device, self.denoise if denoise is None else denoise
        load = self._loader(torch.device(device), warn)
        return Pipeline(
            self.scope,
            self.channels,
            self.shape,
            executor,
            dtype=self.dtype,
            maps=self.maps(),
            device=torch.device(device),
            stage=load(denoise),
            patterns=self.patterns,
            begin_with=begin_with,
            estimate_every_s=self.estimate_every_s,
            warn=warn,
            load=load,
        )

    @property
    def block(self) -> tuple[int, int, int, int]:
        """(angle, phase, y, x) of the raw frames of a series."""
        return (*self.scope.pattern.counts, *self.shape)

    @property
    def factor(self) -> int:
        """Pixels of the main image for one of the camera's, each way.

        Raises:
            RdlError: as `check`.
        """
        return factor_of(self.denoise, self.scope)

    def maps(self) -> CameraMaps | None:
        """Return the per-pixel camera calibration of the region in use; None where the microscope file has none.

        Raises:
            DataError: a map is missing, of another shape, or holds impossible values.
        """
        return load_camera_maps(self.scope.camera, self.shape, self.corner)

    def _loader(self, device: torch.device, warn: Warn) -> Callable[[str], Stage]:
        """Return what makes a stage by its name and checks that it fits."""
        context = Context(self.scope, self.channels, self.shape, device, warn, self.memory)
        return lambda name: load_stage(name, context)
