"""Is there a second harmonic in the stripes that nobody uses? Three beams make stripes of half the period as well."""

import numpy as np
import torch
from torch import Tensor

from rdl_live.optics.estimate.bands import Exposure, separate
from rdl_live.optics.estimate.estimator import as_series, search_range
from rdl_live.optics.estimate.phases import relative_depth
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.noise import CameraMaps
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import PatternSet

_PHASES = 5
"""Fewer phases cannot tell a second harmonic from the first."""
_LEAST, _SIGMAS = 0.15, 6.0
"""Its strength relative to the first, and in standard errors."""


def second_harmonic(
    series: np.ndarray | Tensor,
    scope: Microscope,
    patterns: PatternSet,
    channel: Channel | None = None,
    maps: CameraMaps | None = None,
) -> list[str]:
    """Return a sentence if the series (angle, phase, y, x) in ADU holds unused stripes of half the period."""
    if scope.pattern.phases < _PHASES or scope.pattern.harmonics > 1:
        return []
    raw = as_series(series, scope).to(torch.float32)
    bands = separate(Exposure.of(raw, scope.camera, maps), Otf.of(scope, channel), 2, scope.camera.read_noise_e)
    found = []
    for orientation, pattern in enumerate(patterns):
        if not pattern.trusted:
            continue
        # The sideband of order 1 may be that of k0 or of its opposite.
        signs = [relative_depth(bands, orientation, (sign * pattern.kx, sign * pattern.ky), 2) for sign in (1, -1)]
        depth, error = max(signs, key=lambda one: abs(one[0]))
        if abs(depth) > max(_LEAST, _SIGMAS * error):
            found.append(500 * pattern.period_um)
    if 2 * len(found) <= len(patterns):
        return []
    half = sum(found) / len(found)
    _, finest = search_range(scope, channel or scope.channels[0])
    # What the objective cannot let in is made by the dye.
    cause = "three beams" if 1e3 / half <= finest else "a dye that is saturated or switched"
    return [
        f"the stripes have a second harmonic, of {half:.0f} nm ({cause}), which is not used: "
        "set pattern.harmonics to 2 in the microscope file to gain its resolution"
    ]
