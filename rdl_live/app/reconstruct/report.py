"""What a reconstruction reports about itself: patterns, quality, warnings in words."""

import math
from dataclasses import dataclass, field
from typing import Any

from rdl_live.optics import Otf, PatternSet
from rdl_live.optics.estimate.verdict import BEYOND
from rdl_live.optics.microscope import Camera
from rdl_live.optics.modalities.pattern_words import pattern_records as pattern_records
from rdl_live.optics.quality.values import FADES
from rdl_live.optics.series_noise import SeriesNoise

_NEGATIVE = 0.5
_LEAST_PASSED = 0.45
"""Of the OTF at half the cut-off; good objectives in daily use pass 0.75, good recordings deep in cells 0.53."""
SMOOTHED = "the pixels of this file are interpolated or smoothed"
FIXED_EXCESS = 0.2
"""Fixed noise of the widefield, relative to that which changes, from which a map of the offset is worth while."""


def calibration_warnings(camera: Camera) -> list[str]:
    """Return a warning if the microscope file does not say how counts become photons."""
    if {"offset_adu", "gain_e_per_adu"} & camera.model_fields_set or camera.gain_file is not None:
        return []
    return [
        "the camera is not calibrated (camera.offset_adu and camera.gain_e_per_adu are missing): one ADU is "
        "treated as one photon, so photon numbers, MCNR and modulation are unreliable: add both to the microscope "
        "file, or measure them with rdl-live calibrate camera"
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
