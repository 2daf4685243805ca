"""What a reconstruction tells about itself: patterns, quality, warnings in words."""

import math
import re
from dataclasses import dataclass, field
from statistics import median, pstdev
from typing import Any

from torch import Tensor

from rdl_live.optics import Channel, Microscope, Otf, PatternSet
from rdl_live.optics.estimate.verdict import BEYOND
from rdl_live.optics.microscope import Camera
from rdl_live.optics.quality import (
    Flicker,
    ModulationContrast,
    Motion,
    flicker,
    modulation_contrast,
    motion_between_orientations,
    phase_step_error_deg,
)
from rdl_live.optics.quality.dim_frames import dim_frames
from rdl_live.optics.quality.pattern_levels import pattern_level_bound
from rdl_live.optics.quality.values import FADES
from rdl_live.optics.series_noise import SeriesNoise

_FLICKER = 0.05
_CARRIED = 0.5
"""Share of the modulation below which a part of the field is said to lack it."""
_ORIENTATIONS = 0.3
_MOTION_PIXELS = 0.5
_NEGATIVE = 0.5
_LOW_MCNR = 4.0
_LEAST_PASSED = 0.45
"""Of the OTF at half the cut-off; good objectives in daily use pass 0.75, good recordings deep in cells 0.53."""
_NUMBER = re.compile(r"\d+(\.\d+)?")
SMOOTHED = "the pixels of this file are interpolated or smoothed"
FIXED_EXCESS = 0.2
"""Fixed noise of the widefield, relative to that which changes, from which a map of the offset is worth while."""


def pattern_records(patterns: PatternSet) -> list[dict[str, Any]]:
    """Return `patterns[]` of the report: angle [degrees], period [um], phases [degrees], modulation, score, trusted."""
    return [
        {
            "angle_deg": pattern.angle_deg,
            "period_um": pattern.period_um,
            "phases_deg": [math.degrees(phase) % 360.0 for phase in pattern.phases_rad],
            "modulation": pattern.modulation[0] if len(pattern.modulation) == 1 else list(pattern.modulation),
            "score": pattern.score,
            "trusted": pattern.trusted,
        }
        for pattern in patterns
    ]


def pattern_warnings(patterns: PatternSet) -> list[str]:
    """Return a sentence for every cause for which patterns are not trusted, and what that means for the image."""
    causes: dict[str, list[int]] = {}
    for index, pattern in enumerate(patterns):
        if not pattern.trusted:
            causes.setdefault(_NUMBER.sub("#", pattern.doubt), []).append(index)
    if not causes:
        return _uneven(patterns) + list(dim_frames(patterns).values())
    count = sum(len(indices) for indices in causes.values())
    found = []
    for indices in causes.values():
        strongest = max((patterns[index] for index in indices), key=lambda pattern: pattern.score)
        found.append(f"{_orientations(indices, len(patterns))}: {strongest.doubt or 'not trusted'}")
    if count == len(patterns):
        found.append("no pattern is trusted, so the image is a filtered widefield image without super-resolution")
    else:
        found.append("super-resolution is missing along the orientations that are not trusted; they add widefield only")
    return found + _uneven(patterns) + list(dim_frames(patterns).values())


def _uneven(patterns: PatternSet) -> list[str]:
    """Return a sentence for every orientation whose stripes are not in the whole field."""
    found = []
    for index, pattern in enumerate(patterns, start=1):
        parts = [share for row in pattern.local for share in row]
        if parts and pattern.trusted:
            lacking = sum(share < _CARRIED for share in parts) / len(parts)
            found.append(
                f"orientation {index}: its stripes are missing or out of step in {lacking:.0%} of the field, where the "
                "image takes less fine detail from them: check that the beams overlap in the whole field, and that "
                "nothing drifts during a series"
            )
    return found


def _orientations(indices: list[int], count: int) -> str:
    """Name orientations, counted from 1."""
    if len(indices) == count > 1:
        return "all orientations"
    numbers = " and ".join(str(index + 1) for index in indices)
    return f"orientation{'s' if len(indices) > 1 else ''} {numbers}"


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

    A pattern over few structures changes the mean of the frames; None where it cannot be told from flicker.
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


def calibration_warnings(camera: Camera) -> list[str]:
    """Return a warning if the microscope file does not say how counts become photons."""
    if {"offset_adu", "gain_e_per_adu"} & camera.model_fields_set or camera.gain_file is not None:
        return []
    return [
        "the camera is not calibrated (camera.offset_adu and camera.gain_e_per_adu are missing): one ADU is "
        "taken for one photon, so photon numbers, MCNR and modulation are not to be relied on"
    ]


def noise_warnings(noise: SeriesNoise, *, offsets: bool = True) -> list[str]:
    """Return what the noise says of camera and file.

    Args:
        noise: of a series.
        offsets: whether what is fixed may be offsets; what grows with the light no map of them takes away, so that it
            is a figure of the report only.
    """
    found = []
    if noise.smoothed:
        found.append(
            f"{SMOOTHED} (their noise lacks its finest grain): reconstruct "
            "the camera's own frames where they still exist; the noise was measured within the OTF instead"
        )
    if noise.excess > FIXED_EXCESS and offsets:
        found.append(
            f"a fixed pattern of {math.sqrt(noise.fixed):.2f} e rms is the same in all frames (offsets that differ "
            "from pixel to pixel): measure it by `rdl-live calibrate offset` from recordings of any specimen, or by "
            "`rdl-live calibrate camera` in the dark, and name the map as camera.offset_file"
        )
    return found


def likeliest(warnings: list[str], patterns: PatternSet) -> list[str]:
    """Leave out sentences whose reason another one gives.

    Detail beyond the cut-off of a wrong microscope file looks like noise that fades: then no pixels were interpolated.
    Where they were, it is said once.
    """
    beyond = any(pattern.doubt.startswith(BEYOND) for pattern in patterns)
    faded = any(text.startswith(FADES) for text in warnings)

    def stays(text: str) -> bool:
        return not (text.startswith(SMOOTHED) and (beyond or faded)) and not (text.startswith(FADES) and beyond)

    return [text for text in warnings if stays(text)]


def otf_warnings(otf: Otf) -> list[str]:
    """Return a sentence if much less light of fine detail arrives than the microscope file's OTF passes."""
    passed = otf.damped_to(0.5 * otf.cutoff)
    if passed > _LEAST_PASSED:
        return []
    return [
        f"the objective passes {passed:.0%} of what an ideal one would at half its cut-off (measured on this "
        "recording, and corrected): for sharper and less noisy images check the immersion medium, the coverslip's "
        "thickness (correction collar) and the focus"
    ]


def negative_warning(ratio: float) -> list[str]:
    """Return a warning if the image dips far below zero."""
    if ratio <= _NEGATIVE:
        return []
    return [
        f"the image dips below its background by {ratio:.0%} of its peaks: noise, or patterns that do not fit; "
        "compare with the widefield image"
    ]


@dataclass
class Report:
    """The report of `reconstruct`; `as_dict` has the keys of the documentation."""

    patterns: PatternSet
    mcnr: float | None = None
    wiener: float | None = None
    resolution_um: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    super_resolved: bool = True
    """Whether any series was, at least in one direction; else the images show no more than widefield ones."""

    def warn(self, sentences: list[str]) -> None:
        """Add warnings, each once."""
        self.warnings += [sentence for sentence in sentences if sentence not in self.warnings]

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values; what is not finite becomes null."""
        return {
            "patterns": pattern_records(self.patterns),
            "mcnr": _finite(self.mcnr),
            "wiener": _finite(self.wiener),
            "resolution_um": _finite(self.resolution_um),
            "seconds": {name: round(value, 6) for name, value in self.seconds.items()},
            "warnings": self.warnings,
            **_plain(self.extra),
        }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """Return nested JSON values with null for every number that is not finite."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return _finite(value) if isinstance(value, float) else value
