"""What every modality of periodic light has in common: carriers found as stripes are, and a Wiener reconstruction."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rdl_live.optics.estimate import estimate_patterns
from rdl_live.optics.estimate.damping import Damping, damped_channel
from rdl_live.optics.estimate.joint import Refitted, refit_patterns
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.modality import Frames, Modality, Shaping
from rdl_live.optics.noise import CameraMaps
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.quality.in_step import InStep, Levels, SeriesVerdict
from rdl_live.optics.quality.stripes import LARGEST, StripeProbe
from rdl_live.optics.reconstruct import Reconstructor


class StripeJudge:
    """See `rdl_live.optics.modality.UnitJudge`."""

    def __init__(self, probe: StripeProbe, in_step: InStep) -> None:
        """Judge by what the probe measures."""
        self._probe, self._in_step = probe, in_step

    def judge(
        self, photons: Tensor, light: npt.NDArray[np.float64] | None = None, usual: Levels | None = None
    ) -> SeriesVerdict:
        """Judge one series (angle, phase, y, x); see `UnitJudge`."""
        stripes = self._probe(photons)
        if light is not None:
            stripes = replace(stripes, levels=light, level_error=2 * stripes.level_error)
        return self._in_step.judge(stripes, usual)

    def levels(self, photons: Tensor) -> npt.NDArray[np.float64]:
        """Return the mean of each frame, (angle, phase)."""
        return self._probe(photons).levels

    def contrast(self, photons: Tensor) -> tuple[float, ...]:
        """Return the contrast of every orientation."""
        return self._in_step.contrast_of(self._probe(photons))


class WienerModality(Modality):
    """Periodic light whose frames can be read as series of stripes; three hooks say how."""

    searches = True
    shaped = True
    shown = "super-resolved image"

    @abstractmethod
    def stripes(self, series: Frames, scope: Microscope) -> tuple[Frames, Microscope]:
        """Return units as series of stripes (time, angle, phase, y, x), and the microscope that would take these.

        Raises:
            DataError: the axes are not those of a unit.
        """

    @abstractmethod
    def to_stripes(self, patterns: PatternSet) -> PatternSet:
        """Return patterns of a unit as those of the series of stripes."""

    @abstractmethod
    def of_stripes(self, patterns: PatternSet) -> PatternSet:
        """Return what was found in the series of stripes as patterns of a unit."""

    def estimate(
        self,
        series: Frames,
        scope: Microscope,
        *,
        channel: Channel | None = None,
        maps: CameraMaps | None = None,
        device: torch.device | str = "cpu",
    ) -> PatternSet:
        """Search for the carriers in some units."""
        stripes, taken = self.stripes(series, scope)
        return self.of_stripes(estimate_patterns(stripes, taken, channel=channel, maps=maps, device=device))

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
        """Fit known carriers to some units: phases move as far as the data carry them."""
        stripes, taken = self.stripes(series, scope)
        found = refit_patterns(stripes, taken, self.to_stripes(known), channel=channel, maps=maps, device=device)
        return Refitted(self.of_stripes(found.patterns), found.fits, found.warnings)

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
        """Return the channel with the OTF of the overlap of widefield and sidebands."""
        stripes, taken = self.stripes(series, scope)
        known = self.to_stripes(patterns)
        return damped_channel(stripes, taken, known, channel, maps=maps, device=device, settled=settled)

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
    ) -> Reconstructor:
        """Return the Wiener reconstruction from the bands."""
        said = shaping or Shaping()
        return Reconstructor(
            scope,
            patterns,
            shape,
            device,
            channel=channel,
            maps=maps,
            wiener=said.wiener,
            apodization=said.apodization,
            attenuation=said.attenuation,
        )

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
    ) -> StripeJudge:
        """Return what finds frames out of step, dim ones, and stripes that moved."""
        largest = LARGEST if largest_px is None else largest_px
        probe = StripeProbe(patterns, Otf.of(scope, channel), shape, scope.camera.read_noise_e, largest=largest)
        return StripeJudge(probe, InStep(patterns, scope.pattern, levels, contrast))
