"""What moves is no modulation: MCNR of a specimen at rest and in motion, with stripes and without."""

import numpy as np
import pytest
import torch

from rdl_live.optics import Channel, Microscope, Optics, Otf
from rdl_live.optics.forward import ForwardModel
from rdl_live.optics.pattern import PatternSet, evenly_spaced
from rdl_live.optics.quality import modulation_contrast
from rdl_live.optics.quality.mcnr import noise_floor

SCOPE = Microscope(
    name="m",
    optics=Optics(na=1.4, pixel_size_um=0.065),
    channels=(Channel(name="488", excitation_nm=488, emission_nm=525),),
)
OTF = Otf.of(SCOPE)
SIDE = 96


def series(contrast: float, shift_px: int, photons: float = 200.0) -> tuple[torch.Tensor, PatternSet]:
    """Return rings that move by so many pixels of the fine grid a frame, under stripes."""
    patterns = evenly_spaced(0.25, modulation=(contrast,), first_angle_deg=10)
    random = np.random.default_rng(5)
    fine = np.zeros((2 * SIDE, 2 * SIDE), np.float32)
    y, x = np.mgrid[: 2 * SIDE, : 2 * SIDE]
    for _ in range(25):
        cy, cx, radius = (*random.uniform(10, 2 * SIDE - 10, 2).tolist(), random.uniform(4, 12))
        fine += np.abs(np.hypot(y - cy, x - cx) - radius) < 1.2
    model = ForwardModel(OTF, patterns, (SIDE, SIDE))
    frames = torch.stack(
        [
            model.forward(torch.from_numpy(np.roll(fine, shift_px * n, axis=1))[None])[0].flatten(0, 1)[n]
            for n in range(9)
        ]
    )
    frames = frames.clamp(min=0) * photons / frames.mean()
    return torch.poisson(frames, generator=torch.Generator().manual_seed(1)).reshape(3, 3, SIDE, SIDE), patterns


def contrast_of(contrast: float, shift_px: int) -> float:
    photons, patterns = series(contrast, shift_px)
    return modulation_contrast(photons, otf=OTF, patterns=patterns).overall


def test_without_stripes_a_specimen_at_rest_reads_the_noise_floor() -> None:
    assert contrast_of(0.0, 0) == pytest.approx(noise_floor(3), rel=0.05)


@pytest.mark.parametrize("shift_px", [1, 3])
def test_without_stripes_motion_adds_next_to_nothing(shift_px: int) -> None:
    added = modulation_contrast(series(0.0, shift_px)[0]).overall - noise_floor(3)
    assert added > 5
    assert contrast_of(0.0, shift_px) < noise_floor(3) + 0.1 * added


def test_a_specimen_in_motion_has_no_more_contrast_than_at_rest() -> None:
    rest = contrast_of(0.8, 0)
    photons = series(0.8, 0)[0]
    # At rest what the pattern explains is what there is.
    assert rest == pytest.approx(modulation_contrast(photons).overall, rel=0.15)
    assert rest > 1.3 * noise_floor(3)
    for shift_px in (1, 3):
        assert modulation_contrast(series(0.8, shift_px)[0]).overall > rest
        assert contrast_of(0.8, shift_px) <= rest
