"""How good the data and the images are: MCNR, stability, negative values, FRC, decorrelation resolution."""

from rdl_live.optics.quality.decorrelation import Decorrelation, decorrelation
from rdl_live.optics.quality.frc import Criterion, RingCorrelation, fourier_ring_correlation, thin
from rdl_live.optics.quality.mcnr import Grade, ModulationContrast, grade, mcnr_map, modulation_contrast
from rdl_live.optics.quality.negative import NegativeValues, negative_values
from rdl_live.optics.quality.shift import Shift, image_shift
from rdl_live.optics.quality.stability import (
    Flicker,
    Motion,
    flicker,
    motion_between_orientations,
    phase_step_error_deg,
)

__all__ = [
    "Criterion",
    "Decorrelation",
    "Flicker",
    "Grade",
    "ModulationContrast",
    "Motion",
    "NegativeValues",
    "RingCorrelation",
    "Shift",
    "decorrelation",
    "flicker",
    "fourier_ring_correlation",
    "grade",
    "image_shift",
    "mcnr_map",
    "modulation_contrast",
    "motion_between_orientations",
    "negative_values",
    "phase_step_error_deg",
    "thin",
]
