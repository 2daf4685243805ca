"""The spectrum: stripes are found where the marks say, and the circles where theory has them."""

import math

import numpy as np
import pytest

from rdl_live.optics import extended_cutoff
from rdl_live.optics.pattern import Pattern, PatternSet, evenly_spaced
from rdl_live.view.panes.picture import Picture
from rdl_live.view.patterns.spectrum import Spectrum, frequency_words, power_spectrum, reading, spectrum_marks


def stripes(kx: float, ky: float, rows: int = 200, columns: int = 301, pixel_um: float = 0.065) -> Picture:
    y, x = np.mgrid[:rows, :columns] * pixel_um
    return Picture((5 + np.cos(2 * np.pi * (kx * x + ky * y))).astype(np.float32), pixel_um)


def brightest(spectrum: Spectrum) -> tuple[float, float]:
    """Return (kx, ky) of the highest element of the half plane ky >= 0, as the extent places it."""
    rows, columns = spectrum.log_power.shape
    left, top, width, height = spectrum.extent
    half = spectrum.log_power[rows // 2 :]
    row, column = np.unravel_index(int(half.argmax()), half.shape)
    return left + (column + 0.5) * width / columns, top + (row + rows // 2 + 0.5) * height / rows


@pytest.mark.parametrize(("kx", "ky"), [(3.1, 0.9), (-2.0, 4.0), (0.5, 5.5)])
def test_stripes_lie_where_their_mark_is_drawn(kx: float, ky: float) -> None:
    spectrum = power_spectrum(stripes(kx, ky))
    assert brightest(spectrum) == pytest.approx((kx, ky), abs=max(spectrum.step))


def test_zero_frequency_is_in_the_middle_of_even_and_odd_spectra() -> None:
    for side in (64, 65):
        bright = np.zeros((side, side), np.float32)
        bright[side // 4 : side // 2] = 1
        left, _, width, _ = power_spectrum(Picture(bright, 0.1)).extent
        column = side // 2
        assert left + (column + 0.5) * width / side == pytest.approx(0, abs=1e-9)


def test_large_pictures_cost_no_more_and_odd_values_do_no_harm() -> None:
    pixels = np.random.default_rng(1).poisson(9, (1200, 700)).astype(np.float32)
    pixels[600, 300] = np.nan
    spectrum = power_spectrum(Picture(pixels, 0.05))
    assert spectrum.log_power.shape == (512, 512)
    assert np.isfinite(spectrum.log_power).all()
    assert np.isfinite(power_spectrum(Picture(np.zeros((32, 32), np.float32), 0.05)).log_power).all()


def test_marks_agree_with_the_optics() -> None:
    patterns = evenly_spaced(0.2)
    marks = spectrum_marks(5.7, patterns, super_resolved=True)
    assert [circle.radius for circle in marks.circles] == pytest.approx([5.7, extended_cutoff(5.7, patterns)])
    assert [math.hypot(point.kx, point.ky) for point in marks.points] == pytest.approx([5.0] * 3)
    assert len(spectrum_marks(5.7, patterns, super_resolved=False).circles) == 1
    assert len(spectrum_marks(5.7, None, super_resolved=True).circles) == 1


def test_harmonics_and_doubt_are_marked() -> None:
    pattern = Pattern(kx=2.0, ky=0.0, phases_rad=(0.0,) * 5, modulation=(0.8, 0.3), trusted=False)
    points = spectrum_marks(5.0, PatternSet(patterns=(pattern,)), super_resolved=True).points
    assert [point.kx for point in points] == [2.0, 4.0]
    assert points[0].label == "k0 of orientation 1 2.00 /µm (500 nm), unsure"


def test_frequencies_are_told_in_both_units() -> None:
    assert frequency_words(5.0) == "5.00 /µm (200 nm)"
    assert reading(3.0, 4.0) == "5.00 cycles/µm, period 200 nm, direction 53°"
    assert "mean" in reading(0.0, 0.0)
