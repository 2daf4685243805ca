"""`Modality`: what one unit of acquisition is, and how it becomes an image; the rest of the program asks it.

A modality is one file: a subclass of `Modality`, an object of it, and a `ModalityKind` that names both
(`rdl_live.optics.modality_kinds`). What it does not say is as in even light, where there are no patterns to be found.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rdl_live.errors import ConfigError
from rdl_live.optics.estimate.damping import UNKNOWN, Damping
from rdl_live.optics.estimate.joint import Refitted
from rdl_live.optics.geometry import UnitGeometry
from rdl_live.optics.incidence import Incidence
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.modality_kinds import ModalityKind, kind_of
from rdl_live.optics.noise import CameraMaps
from rdl_live.optics.pattern import PatternSet, illumination
from rdl_live.optics.quality.in_step import Levels, SeriesVerdict
from rdl_live.optics.reconstruct.apodization import Apodization
from rdl_live.optics.reconstruct.plan import Attenuation

Frames = npt.NDArray[np.generic] | Tensor
"""A unit (angle, phase, y, x), or several with time in front, raw ADU."""


@dataclass(frozen=True)
class Shaping:
    """What a user may say of a Wiener reconstruction."""

    wiener: float | None = None
    """Fixed parameter; None: measured."""
    apodization: Apodization = Apodization.OTF
    attenuation: Attenuation | None = None

    @property
    def usual(self) -> bool:
        """Whether nothing was said."""
        return self == Shaping()


class Reconstruction(Protocol):
    """Makes images of units by physics alone."""

    @property
    def wiener(self) -> float | None:
        """Wiener parameter in use; None before data, or where there is none."""

    def __call__(self, series: Frames) -> Tensor:
        """Return the image (y, x) of a unit, float32 photons per raw pixel area: its corners are those of the frames.

        Raises:
            DataError: other axes or frame shape than prepared for.
        """

    def calibrate(self, series: Frames) -> None:
        """Let one unit decide on what is measured; later ones are treated alike."""


class UnitJudge(Protocol):
    """Says whether units fit the patterns in force; any thread."""

    def judge(
        self, photons: Tensor, light: npt.NDArray[np.float64] | None = None, usual: Levels | None = None
    ) -> SeriesVerdict:
        """Judge one unit.

        Args:
            photons: of the unit (angle, phase, y, x).
            light: mean of every frame (angle, phase), where it was measured on fewer pixels.
            usual: what that usually is; by default what the judge was made with.
        """

    def levels(self, photons: Tensor) -> npt.NDArray[np.float64]:
        """Return the mean of each frame, (angle, phase)."""

    def contrast(self, photons: Tensor) -> tuple[float, ...]:
        """Return the contrast of every pattern, 0 where it is not judged."""


@dataclass(frozen=True)
class UnitQuality:
    """What the raw frames of one unit say."""

    mcnr: float | None = None
    """Modulation contrast-to-noise ratio, where there is a modulation."""
    record: dict[str, Any] = field(default_factory=dict)
    """Plain numbers, `quality` of the report."""
    warnings: tuple[str, ...] = ()
    """What should be mended before the next recording."""


class Modality(ABC):
    """A kind of unit. Holds nothing, so one object serves all."""

    name: str
    """As in its `ModalityKind`."""
    searches = False
    """Whether the patterns of a recording are searched for in its frames."""
    shaped = False
    """Whether its image is a Wiener estimate from the bands of stripes: `Shaping` applies, and denoising between its
    two steps (`rdl_live.restore.Restorer`)."""
    shown = "image"
    """What messages and files call its image."""

    @abstractmethod
    def reconstruction(
        self,
        scope: Microscope,
        patterns: PatternSet,
        shape: tuple[int, int],
        device: torch.device | str = "cpu",
        *,
        channel: Channel | None = None,
        maps: CameraMaps | None = None,
        shaping: Shaping | None = None,
    ) -> Reconstruction:
        """Return what makes images of units.

        Args:
            scope: microscope.
            patterns: in force; those not trusted add no super-resolution.
            shape: (y, x) of a raw frame.
            device: "cpu", "cuda" or a torch device.
            channel: colour; the first where left out.
            maps: per-pixel camera calibration.
            shaping: what the user says of the filter.

        Raises:
            ConfigError: patterns and microscope do not fit.
        """

    # Light ----------------------------------------------------------------------------------------------

    def nominal(
        self,
        scope: Microscope,
        channel: Channel | None = None,
        *,
        seed: int = 0,
        modulation: float | tuple[float, ...] = 0.8,
        phase_jitter_deg: float = 0.0,
    ) -> PatternSet:
        """Return the patterns that a microscope would be set to; none in even light.

        Args:
            scope: gives apertures and counts.
            channel: colour; the first one by default.
            seed: of what is not given: first angle, phases and their errors.
            modulation: depth of the first harmonic, or of each.
            phase_jitter_deg: standard deviation of every phase step's error [degrees].
        """
        del scope, channel, seed, modulation, phase_jitter_deg
        return PatternSet()

    def light(self, patterns: PatternSet, geometry: UnitGeometry, shape: tuple[int, int], pixel_um: float) -> Tensor:
        """Return the relative light of every frame at the pixel centres, (angle, phase, y, x) float32, mean about 1."""
        if len(patterns):
            return illumination(patterns, shape, pixel_um)
        return torch.ones(*geometry.counts, *shape)

    # What a recording shows -----------------------------------------------------------------------------

    def estimate(
        self,
        series: Frames,
        scope: Microscope,
        *,
        channel: Channel | None = None,
        maps: CameraMaps | None = None,
        device: torch.device | str = "cpu",
    ) -> PatternSet:
        """Return the patterns in some units (raw ADU).

        Raises:
            DataError: wrong axes, or values that are not finite.
        """
        del series, maps, device
        return self.nominal(scope, channel)

    def refit(
        self,
        series: Frames,
        scope: Microscope,
        known: PatternSet,
        *,
        channel: Channel | None = None,
        maps: CameraMaps | None = None,
        device: torch.device | str = "cpu",
    ) -> Refitted:
        """Fit known patterns to some units.

        Raises:
            ConfigError: there are no patterns in units of this kind.
        """
        del series, scope, known, channel, maps, device
        raise ConfigError(f"modality {self.name}: its patterns are not searched for; give none")

    def measure_otf(
        self,
        series: Frames,
        scope: Microscope,
        patterns: PatternSet,
        channel: Channel,
        *,
        maps: CameraMaps | None = None,
        device: torch.device | str = "cpu",
        settled: bool = False,
    ) -> tuple[Channel, Damping]:
        """Return the channel with the OTF that units show it to have, and what they say.

        Args:
            series: some units (raw ADU).
            scope: microscope.
            patterns: found in them under the channel's OTF.
            channel: colour.
            maps: per-pixel camera calibration.
            device: where to compute.
            settled: the channel's OTF was measured; only what is certain corrects it.
        """
        del series, scope, patterns, maps, device, settled
        return channel, UNKNOWN

    def estimate_with_otf(
        self,
        series: Frames,
        scope: Microscope,
        channel: Channel,
        *,
        maps: CameraMaps | None = None,
        device: torch.device | str = "cpu",
    ) -> tuple[PatternSet, Channel]:
        """Estimate patterns, and again where the units show another OTF than the channel's: contrast depends on it.

        Returns:
            The patterns, and the channel with the OTF that goes with them.

        Raises:
            DataError: as `estimate`.
        """
        patterns = self.estimate(series, scope, channel=channel, maps=maps, device=device)
        shown, found = self.measure_otf(series, scope, patterns, channel, maps=maps, device=device)
        if found.told:
            patterns = self.estimate(series, scope, channel=shown, maps=maps, device=device)
        return patterns, shown

    def judge(
        self,
        patterns: PatternSet,
        scope: Microscope,
        channel: Channel,
        shape: tuple[int, int],
        *,
        levels: npt.NDArray[np.float64] | None = None,
        contrast: Sequence[float] | None = None,
        largest_px: int | None = None,
    ) -> UnitJudge:
        """Return what judges units against patterns.

        Args:
            patterns: in force.
            scope: the microscope.
            channel: colour.
            shape: (y, x) of a raw frame.
            levels: light of every frame (angle, phase) relative to its unit, as it usually is.
            contrast: of every pattern, as a judge gave it of the units that the patterns were found in.
            largest_px: side of the square that is looked at; None: as large as is worth while.
        """
        del patterns, channel, shape, levels, contrast, largest_px
        return NothingToJudge(scope.pattern)

    def remarks(
        self,
        series: Frames,
        scope: Microscope,
        patterns: PatternSet,
        channel: Channel,
        maps: CameraMaps | None = None,
    ) -> list[str]:
        """Return what one unit of a recording says of microscope file and recording, in sentences."""
        del series, scope, patterns, channel, maps
        return []

    def incidence(self, scope: Microscope, patterns: PatternSet, channel: Channel) -> Incidence | None:
        """Return how the light of a recording enters the sample; None where the microscope file says nothing of it."""
        del patterns
        return scope.incidence(channel)

    def quality(
        self, photons: Tensor, scope: Microscope, patterns: PatternSet, channel: Channel | None = None
    ) -> UnitQuality:
        """Measure one unit (angle, phase, y, x)."""
        del photons, scope, patterns, channel
        return UnitQuality()

    def mcnr(self, photons: Tensor, scope: Microscope, patterns: PatternSet, channel: Channel) -> float | None:
        """Return the modulation contrast-to-noise ratio of one unit; None where there is no modulation."""
        return self.quality(photons, scope, patterns, channel).mcnr

    def doubts(self, patterns: PatternSet) -> list[str]:
        """Return a sentence for every pattern that is not trusted, and what that means for the image."""
        del patterns
        return []


class NothingToJudge:
    """A `UnitJudge` where there are no patterns that a unit could miss."""

    def __init__(self, geometry: UnitGeometry) -> None:
        """Judge units of these frames."""
        self._geometry = geometry

    def judge(
        self, photons: Tensor, light: npt.NDArray[np.float64] | None = None, usual: Levels | None = None
    ) -> SeriesVerdict:
        """Find nothing wrong."""
        del photons, light, usual
        return SeriesVerdict("", True, (), np.zeros(self._geometry.frames))

    def levels(self, photons: Tensor) -> npt.NDArray[np.float64]:
        """Return the mean of each frame, (angle, phase)."""
        return np.asarray(photons.mean(dim=(-2, -1)).double().cpu().numpy())

    def contrast(self, photons: Tensor) -> tuple[float, ...]:
        """There is none."""
        del photons
        return ()


@cache
def _loaded(kind: ModalityKind) -> Modality:
    module, _, attribute = kind.modality.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"modality {kind.name!r}: {kind.modality} cannot be loaded: {error}") from error
    if not isinstance(found, Modality):
        raise ConfigError(f"modality {kind.name!r}: {kind.modality} is no Modality")
    return found


def modality_of(scope: Microscope) -> Modality:
    """Return the modality of a microscope.

    Raises:
        ConfigError: it cannot be loaded.
    """
    return _loaded(kind_of(scope.modality))
