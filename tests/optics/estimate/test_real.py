"""Real recordings: patterns that others calibrated, found blind."""

import math
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray

from rdl_live.optics import Camera, CameraMaps, Channel, Microscope, Optics, estimate_patterns

NOMINAL_DEG = tuple(math.degrees(angle) % 180 for angle in (1.48, 2.5272, 3.5744))
NOMINAL_UM = 0.1807
CALIBRATED = ((-1.44, 2.40), (1.47, 2.37), (3.01, 0.13))
"""Starts for reading k0 off the calibrated patterns [cycles/um]."""


@pytest.mark.parametrize("excitation_na", [None, 1.35])
def test_low_light_microtubules(shared_data: Path, excitation_na: float | None) -> None:
    file = shared_data / "rdl-sim-microtubules" / "MT.mrc"
    series = np.fromfile(file, dtype="<u2", offset=1024).reshape(3, 3, 256, 256)
    scope = Microscope(
        name="TIRF-SIM",
        optics=Optics(na=1.3, pixel_size_um=0.0626, excitation_na=excitation_na),
        channels=(Channel(name="488", excitation_nm=488, emission_nm=525),),
    )
    found = estimate_patterns(series, scope)
    assert found.trusted, [pattern.doubt for pattern in found]
    for pattern, angle in zip(found, NOMINAL_DEG, strict=True):
        assert abs((pattern.angle_deg - angle + 90) % 180 - 90) < 2.0
        assert pattern.period_um == pytest.approx(NOMINAL_UM, rel=0.03)


def calibrated_k0(image: NDArray[np.float64], start: tuple[float, float], pixel_um: float) -> tuple[float, float]:
    """Return the frequency of the strongest wave near `start` [cycles/um]."""
    window = np.hanning(image.shape[0])
    waves = (image - image.mean()) * window[:, None] * window
    r = (np.arange(image.shape[0]) + 0.5) * pixel_um
    best = start
    for step in (0.05, 0.01, 0.002):
        offsets = step * np.arange(-6, 7)
        left = np.exp(-2j * np.pi * np.outer(best[1] + offsets, r))
        right = np.exp(-2j * np.pi * np.outer(r, best[0] + offsets))
        row, column = divmod(int(np.abs(left @ waves @ right).argmax()), len(offsets))
        best = (best[0] + offsets[column], best[1] + offsets[row])
    return best


def test_mitochondria_as_calibrated(shared_data: Path) -> None:
    def read(name: str) -> NDArray[np.float64]:
        path = shared_data / "b-sim-mitochondria" / f"bsim2_{name}.tif"
        return np.asarray(tifffile.imread(path), dtype=np.float64)

    series = read("hela_mito_120_raw").reshape(3, 3, 120, 120).astype(np.float32)
    true = read("hela_mito_120_patterns").reshape(3, 3, 240, 240)[:, 0]
    maps = CameraMaps.from_scmos(
        *(torch.from_numpy(read(name)).float() for name in ("offset_map", "gain_map", "variance_map"))
    )
    scope = Microscope(
        name="B-SIM",
        optics=Optics(na=1.3, pixel_size_um=0.065),
        channels=(Channel(name="red", excitation_nm=600, emission_nm=660),),
        camera=Camera(read_noise_e=1.5),
    )
    found = estimate_patterns(series, scope, maps=maps)
    assert found.trusted, [pattern.doubt for pattern in found]
    for pattern, image, start in zip(found, true, CALIBRATED, strict=True):
        kx, ky = calibrated_k0(image, start, 0.0325)
        off = min(math.hypot(pattern.kx - sign * kx, pattern.ky - sign * ky) for sign in (1, -1))
        assert off * 120 * 0.065 < 0.5
