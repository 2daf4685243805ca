"""Isolated beads at 1 photon a pixel: what the denoiser makes of them must be nearer to the truth than SIM is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
import torch

from rdl_live.files import load_microscope
from rdl_live.optics.estimate import estimate_patterns
from rdl_live.restore import Restorer

BACKGROUND = 0.5
"""Photons a pixel that the case adds to dim.tif."""


def series(file: Path) -> np.ndarray:
    frames = tifffile.imread(file)
    return frames.reshape(3, 3, *frames.shape[-2:])


def error(image: torch.Tensor, reference: torch.Tensor) -> float:
    """Return rms(image - reference) / rms(reference - its mean), both of mean 1, without the border."""
    found, wanted = (one[32:-32, 32:-32] for one in (image / image.mean(), reference / reference.mean()))
    return float((found - wanted).square().mean().sqrt() / wanted.std())


def test_beads_are_nearer_to_the_truth_denoised_than_by_sim(case: Callable[[str], Path]) -> None:
    folder = case("beads-joined")
    scope = load_microscope(folder / "M.yaml")
    bright, dim = series(folder / "bright.tif"), series(folder / "dim.tif")
    patterns = estimate_patterns(bright, scope)
    restorer = Restorer(scope, patterns, bright.shape[-2:])
    reference = restorer.restore(bright).sim
    restorer.calibrate(dim)
    found = restorer.restore(dim)
    assert reference is not None
    assert found.sim is not None
    assert error(found.sr - BACKGROUND, reference) < 0.8 * error(found.sim - BACKGROUND, reference)
