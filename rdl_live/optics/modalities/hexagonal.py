"""Hexagonal SIM: three beams make a lattice with three carriers in every frame; seven frames hold all seven bands.

    I_j(r) = a_j (1 + sum_c m_c cos(2 pi k_c . r + phi_cj)),   phi_cj = phi_c0 + 2 pi n_c j / 7,   n_c = 1, 2 and 3

up to order and sign of the n_c (their sum is a multiple of 7): Ingerman et al. 2019, 10.1111/jmi.12705; Gong et al.
2021, PMC8072201. Order n of the frames' discrete Fourier transform is then the sideband of one carrier alone. In the
order 0, n, 2 n ... (modulo 7) the same frames are a series of stripes of that carrier, so it is found as stripes are,
with the other two as further orientations; only the seven bands are taken apart together.
"""

import math

import numpy as np
import torch
from torch import Tensor

from rdl_live.errors import DataError
from rdl_live.optics.arrays import as_tensor
from rdl_live.optics.estimate.estimator import as_series
from rdl_live.optics.geometry import LATTICE_CARRIERS, LATTICE_FRAMES, LatticeFrames, UnitGeometry
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.modalities.pattern_words import pattern_warnings
from rdl_live.optics.modalities.wiener import WienerModality
from rdl_live.optics.modality import Frames
from rdl_live.optics.nominal import USED_APERTURE, WITHIN_OTF
from rdl_live.optics.pattern import Pattern, PatternSet, shared_illumination

STEPS = (1, 2, 4)
"""Sevenths of a turn by which the carriers move from frame to frame: carriers that sum to zero step so."""
DEEPEST = 2 / 3
"""Contrast of each of the three carriers of three equal beams."""


def frames_of(carrier: int) -> list[int]:
    """Return which frame comes in which place for a carrier (0, 1, 2) to step by equal angles."""
    inverse = pow(carrier + 1, -1, LATTICE_FRAMES)
    return [place * inverse % LATTICE_FRAMES for place in range(LATTICE_FRAMES)]


def as_stripes(series: Frames) -> Tensor:
    """Return (..., 3, 7, y, x), the frames once for each carrier, of units (..., 1, 7, y, x)."""
    raw = as_tensor(series)
    return torch.stack([raw[..., 0, frames_of(carrier), :, :] for carrier in range(LATTICE_CARRIERS)], dim=-4)


def as_lattice(patterns: PatternSet) -> PatternSet:
    """Return the patterns with phases and brightness in the order in which the frames are taken."""
    return _reordered(patterns, taken=True)


def _reordered(patterns: PatternSet, *, taken: bool) -> PatternSet:
    moved = []
    for carrier, pattern in enumerate(patterns):
        order = frames_of(carrier)
        if taken:
            order = [order.index(frame) for frame in range(LATTICE_FRAMES)]
        phases, gains = ([values[place] for place in order] for values in (pattern.phases_rad, pattern.gains))
        moved.append(pattern.replace(phases_rad=tuple(phases), intensity=tuple(gains)))
    return PatternSet(patterns=tuple(moved))


def _of_one_light(patterns: PatternSet) -> PatternSet:
    """Return the patterns with one brightness for each frame, as far as the carriers agree that it differs."""
    seen = [pattern.gains for pattern in patterns if pattern.trusted] or [pattern.gains for pattern in patterns]
    found = torch.tensor(seen, dtype=torch.float64)
    levels = found / found.mean(dim=1, keepdim=True)
    change = levels.mean(dim=0) - 1
    error = float(levels.var(dim=0).sum()) / len(found) if len(found) > 1 else 0.0
    total = float(change.square().sum())
    # Shrunk by what chance explains of it (James and Stein 1961).
    change = change * max(0.0, 1 - error / total) if total > 0 else change
    gains = tuple(float(1 + value) for value in change)
    return PatternSet(patterns=tuple(pattern.replace(intensity=gains) for pattern in patterns))


class Hexagonal(WienerModality):
    """A lattice of three carriers in seven frames."""

    name = "hexagonal"

    def nominal(
        self,
        scope: Microscope,
        channel: Channel | None = None,
        *,
        seed: int = 0,
        modulation: float | tuple[float, ...] = 0.8,
        phase_jitter_deg: float = 0.0,
    ) -> PatternSet:
        """Return the lattice of three equal beams in the aperture; a modulation of 1 is that of full interference."""
        channel = channel or scope.channels[0]
        rng = np.random.default_rng([seed, 0x4E8])
        aperture = scope.largest_na(channel) or USED_APERTURE * scope.optics.na
        # The corners of a triangle lie closer to each other than opposite ends of the aperture.
        beams = math.sqrt(3) * aperture / (channel.excitation_nm * 1e-3)
        length = 1 / (channel.pattern.period_um or 1 / min(beams, WITHIN_OTF * scope.cutoff(channel)))
        first = math.radians(float(rng.uniform(0.0, 120.0)))
        place = rng.uniform(0.0, 2 * math.pi, 2)
        depth = modulation if isinstance(modulation, float | int) else modulation[0]
        jitter = math.radians(phase_jitter_deg) * rng.standard_normal((LATTICE_CARRIERS, LATTICE_FRAMES))
        patterns = []
        # Three equal beams: the phases of the carriers sum to zero.
        for carrier, start in enumerate((*place, -place.sum())):
            direction = first + 2 * math.pi * carrier / LATTICE_CARRIERS
            steps = start + 2 * math.pi * STEPS[carrier] * np.arange(LATTICE_FRAMES) / LATTICE_FRAMES + jitter[carrier]
            pattern = Pattern(
                kx=length * math.cos(direction),
                ky=length * math.sin(direction),
                phases_rad=tuple(float(step) for step in steps),
                modulation=(DEEPEST * depth,),
            )
            patterns.append(pattern.canonical())
        return PatternSet(patterns=tuple(patterns))

    def light(self, patterns: PatternSet, geometry: UnitGeometry, shape: tuple[int, int], pixel_um: float) -> Tensor:
        """Return the relative light of every frame, (1, 7, y, x)."""
        del geometry
        return shared_illumination(patterns, shape, pixel_um)

    def stripes(self, series: Frames, scope: Microscope) -> tuple[Tensor, Microscope]:
        """Return the frames once for each carrier.

        Raises:
            DataError: other axes than seven frames of a lattice.
        """
        raw = as_series(series, scope)
        if raw.shape[1:3] != (1, LATTICE_FRAMES):
            raise DataError(f"{LATTICE_FRAMES} frames of a lattice are needed, got {tuple(raw.shape)}")
        return as_stripes(raw), scope.replace(modality="2d-sim", pattern=LatticeFrames(), hardware=None)

    def to_stripes(self, patterns: PatternSet) -> PatternSet:
        """Return each carrier with its own order of the frames."""
        return _reordered(patterns, taken=False)

    def of_stripes(self, patterns: PatternSet) -> PatternSet:
        """Return the carriers with the frames as they are taken, and one brightness for each frame."""
        return _of_one_light(as_lattice(patterns))

    def doubts(self, patterns: PatternSet) -> list[str]:
        """Say which carriers are not trusted."""
        return [text.replace("orientation", "carrier") for text in pattern_warnings(patterns)]


HEXAGONAL = Hexagonal()
