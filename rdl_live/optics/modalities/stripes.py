"""2D-SIM: stripes of two beams in several orientations and phases, with one harmonic or more."""

from dataclasses import replace

import torch
from torch import Tensor

from rdl_live.optics.arrays import as_tensor
from rdl_live.optics.estimate.harmonic import second_harmonic
from rdl_live.optics.incidence import Incidence, na_of_period
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.modalities.pattern_words import pattern_warnings
from rdl_live.optics.modalities.stripe_quality import raw_quality, raw_warnings
from rdl_live.optics.modalities.wiener import WienerModality
from rdl_live.optics.modality import Frames, UnitQuality
from rdl_live.optics.noise import CameraMaps, to_photons
from rdl_live.optics.nominal import nominal_patterns
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.quality import modulation_contrast
from rdl_live.optics.quality.in_step import begins_late
from rdl_live.optics.quality.stripes import StripeProbe

_OTHER_BEAMS = 0.03
"""Relative difference of incidence from which stripes are those of another illumination."""


class StripeSeries(WienerModality):
    """Linear SIM, and nonlinear SIM of more harmonics on a finer grid."""

    name = "2d-sim"

    def nominal(
        self,
        scope: Microscope,
        channel: Channel | None = None,
        *,
        seed: int = 0,
        modulation: float | tuple[float, ...] = 0.8,
        phase_jitter_deg: float = 0.0,
    ) -> PatternSet:
        """Return the stripes of the microscope file, or the finest that the objective passes."""
        return nominal_patterns(scope, channel, seed=seed, modulation=modulation, phase_jitter_deg=phase_jitter_deg)

    def stripes(self, series: Frames, scope: Microscope) -> tuple[Frames, Microscope]:
        """Return the series as they are."""
        return series, scope

    def to_stripes(self, patterns: PatternSet) -> PatternSet:
        """Return the patterns as they are."""
        return patterns

    def of_stripes(self, patterns: PatternSet) -> PatternSet:
        """Return the patterns as they are."""
        return patterns

    def remarks(
        self,
        series: Frames,
        scope: Microscope,
        patterns: PatternSet,
        channel: Channel,
        maps: CameraMaps | None = None,
    ) -> list[str]:
        """Say where a recording begins within a series, and whether there is a harmonic that nobody uses."""
        found = []
        if not any(pattern.trusted for pattern in patterns):
            raw = as_tensor(series)
            probe = StripeProbe(
                patterns, Otf.of(scope, channel), (raw.shape[-2], raw.shape[-1]), scope.camera.read_noise_e
            )
            late = begins_late(probe(to_photons(raw.to(torch.float32), scope.camera, maps)), scope.pattern)
            if late:
                found.append(
                    f"the recording begins with phase {late} of an orientation (counted from 0): frames are missing at "
                    f"its start; remove its first {scope.pattern.phases - late} frame(s)"
                )
        found += _too_coarse(scope, patterns, channel)
        found += self._lit_otherwise(scope, patterns, channel)
        return found + second_harmonic(series, scope, patterns, channel, maps)

    def incidence(self, scope: Microscope, patterns: PatternSet, channel: Channel) -> Incidence | None:
        """Return the light as the stripes show it where two beams make them: NA = wavelength / (2 period)."""
        said = super().incidence(scope, patterns, channel)
        periods = [one.period_um for one in patterns if one.trusted]
        if said is None or scope.pattern.harmonics > 1 or not periods:
            return said
        return replace(said, na=na_of_period(channel.excitation_nm, sum(periods) / len(periods)))

    def _lit_otherwise(self, scope: Microscope, patterns: PatternSet, channel: Channel) -> list[str]:
        """Say where stripes are not those of the illumination that the file names."""
        said, seen = scope.incidence(channel), self.incidence(scope, patterns, channel)
        if channel.illumination is None or said is None or seen is None or abs(seen.na / said.na - 1) < _OTHER_BEAMS:
            return []
        return [
            f"the stripes are not those of illumination {channel.illumination.name!r}: their period is that of two "
            f"beams at NA {seen.na:.3f} ({seen.mode.words}), not {said.na:.3f} ({said.mode.words}); correct the "
            "illumination in the microscope file, or choose another one with --channel"
        ]

    def quality(
        self, photons: Tensor, scope: Microscope, patterns: PatternSet, channel: Channel | None = None
    ) -> UnitQuality:
        """Measure contrast, flicker and motion of one series."""
        found = raw_quality(photons, scope, patterns, channel)
        return UnitQuality(found.contrast.overall, found.record(), tuple(raw_warnings(found, scope, patterns)))

    def mcnr(self, photons: Tensor, scope: Microscope, patterns: PatternSet, channel: Channel) -> float | None:
        """Return the modulation contrast-to-noise ratio alone."""
        return modulation_contrast(
            photons,
            read_noise_e=scope.camera.read_noise_e,
            harmonics=scope.pattern.harmonics,
            otf=Otf.of(scope, channel),
            patterns=patterns,
        ).overall

    def doubts(self, patterns: PatternSet) -> list[str]:
        """Say which orientations are not trusted, and which frames are dim."""
        return pattern_warnings(patterns)


def _too_coarse(scope: Microscope, patterns: PatternSet, channel: Channel) -> list[str]:
    """Say that pixels fold fine detail onto coarse, where that may be why patterns are not found."""
    pixel_um, needed_um = scope.optics.pixel_size_um, 0.5 / scope.cutoff(channel)
    if pixel_um <= needed_um or all(pattern.trusted for pattern in patterns):
        return []
    return [
        f"the pixel of {1e3 * pixel_um:.0f} nm is coarser than the {1e3 * needed_um:.0f} nm that the objective needs, "
        "so that fine detail is folded onto coarse, and not every pattern can be taken apart: use a higher "
        "magnification, or less binning"
    ]


STRIPES = StripeSeries()
