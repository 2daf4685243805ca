"""What the raw frames of a series of stripes say of light, stage and patterns."""

from dataclasses import dataclass
from statistics import median, pstdev
from typing import Any

from torch import Tensor

from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.quality import (
    Flicker,
    ModulationContrast,
    Motion,
    flicker,
    modulation_contrast,
    motion_between_orientations,
    phase_step_error_deg,
)
from rdl_live.optics.quality.pattern_levels import pattern_level_bound

_FLICKER = 0.05
_ORIENTATIONS = 0.3
_MOTION_PIXELS = 0.5
_LOW_MCNR = 4.0


@dataclass(frozen=True)
class RawQuality:
    """What the raw frames of one series say, after SIMcheck (Ball et al. 2015, 10.1038/srep15915)."""

    contrast: ModulationContrast
    flicker: Flicker
    motion: Motion
    phase_step_error_deg: float
    photons_per_pixel: float
    level_bound: float = 0.0
    """Relative change of a frame's light that stripes alone may make on this specimen."""

    def record(self) -> dict[str, Any]:
        """Return the plain numbers for the report."""
        return {
            "flicker": self.flicker.within_orientations,
            "orientation_brightness_spread": self.flicker.between_orientations,
            "motion_um": self.motion.largest_um if self.motion.reliable else None,
            "phase_step_error_deg": self.phase_step_error_deg,
            "mcnr_grade": str(self.contrast.grade),
        }


def raw_quality(photons: Tensor, scope: Microscope, patterns: PatternSet, channel: Channel | None = None) -> RawQuality:
    """Measure one series of photons (A, P, y, x); with a channel, motion does not count as modulation."""
    return RawQuality(
        contrast=modulation_contrast(
            photons,
            read_noise_e=scope.camera.read_noise_e,
            harmonics=scope.pattern.harmonics,
            otf=None if channel is None else Otf.of(scope, channel),
            patterns=patterns,
        ),
        flicker=flicker(photons, order=scope.pattern.series_order),
        motion=motion_between_orientations(photons, scope.optics.pixel_size_um),
        phase_step_error_deg=phase_step_error_deg(patterns),
        photons_per_pixel=float(photons.mean()),
        level_bound=pattern_level_bound(photons, Otf.of(scope, channel), scope.camera.read_noise_e),
    )


def _fitted_flicker(patterns: PatternSet | None) -> float | None:
    """Return how the light of the frames varies within orientations, free of what the pattern does to their means.

    A pattern over few structures changes the mean of the frames; None where it cannot be distinguished from flicker.
    """
    if patterns is None or not patterns.trusted:
        return None
    return max(pstdev(pattern.gains) / max(median(pattern.gains), 1e-9) for pattern in patterns)


def raw_warnings(quality: RawQuality, scope: Microscope, patterns: PatternSet | None = None) -> list[str]:
    """Return what a microscopist should mend before the next recording."""
    found = []
    contrast = quality.contrast
    # Patterns were measured over whole frames: single pixels say nothing against those that are trusted, and of those
    # that are not `pattern_warnings` says more.
    if contrast.overall < _LOW_MCNR and patterns is None:
        found.append(
            f"the stripes hardly stand out of the noise of the raw frames (modulation contrast-to-noise "
            f"{contrast.overall:.1f}; {contrast.noise_floor:.1f} is noise alone) at {quality.photons_per_pixel:.3g} "
            "photons a pixel: use more light, or improve the contrast of the pattern (focus, polarisation)"
        )
    fitted, change = _fitted_flicker(patterns), quality.flicker.within_orientations
    certain = change > _FLICKER + quality.level_bound if fitted is None else fitted > _FLICKER
    # A frame that is dark was named as such.
    dark = patterns is not None and any("is dark" in pattern.doubt for pattern in patterns)
    if change > _FLICKER and certain and not dark:
        found.append(
            f"the light changes by {change:.0%} between phase steps: check the "
            "laser's stability, the shutter and the exposure of every pattern"
        )
    bound = quality.level_bound if fitted is None else 0.0
    if quality.flicker.between_orientations > _ORIENTATIONS + bound:
        found.append(
            f"the orientations differ in brightness by {quality.flicker.between_orientations:.0%}: check the "
            "polarisation and the alignment of the beams"
        )
    pixel_um = scope.optics.pixel_size_um
    if quality.motion.reliable and quality.motion.largest_um > _MOTION_PIXELS * pixel_um:
        found.append(
            f"the specimen moves by {quality.motion.largest_um * 1000:.0f} nm between orientations: expect "
            "stripes; record faster or let the stage settle"
        )
    return found
