"""From a z stack of raw frames to its image in three dimensions: patterns found, fitted, and put together."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rdl_live.errors import DataError
from rdl_live.optics.arrays import as_tensor
from rdl_live.optics.estimate import estimate_patterns
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.noise import CameraMaps, to_photons
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.reconstruct.apodization import Apodization
from rdl_live.optics.series_noise import series_noise
from rdl_live.optics.stack.bands import StackGrid
from rdl_live.optics.stack.beams import axial_frequency, nominal_three_beams, widefield_reach
from rdl_live.optics.stack.fit import fit_stack
from rdl_live.optics.stack.reconstruct import StackReconstructor
from rdl_live.optics.stack.transfer import MeasuredBands, StackOtf

LEAST_PLANES = 4
_ESTIMATED = 8
"""Planes, evenly spread, in which the patterns are searched for."""


@dataclass(frozen=True)
class StackImage:
    """What was made of a stack."""

    image: Tensor
    """(z, 2 y, 2 x) float32, photons per raw pixel area; planes' centres are those of the raw stack."""
    patterns: PatternSet
    """As fitted in three dimensions."""
    wiener: float | None
    """Wiener parameter at the lateral cut-off."""


def reconstruct_stack(
    stack: np.ndarray | Tensor,
    scope: Microscope,
    step_um: float,
    *,
    channel: Channel | None = None,
    maps: CameraMaps | None = None,
    wiener: float | None = None,
    apodization: Apodization = Apodization.OTF,
    measured: MeasuredBands | None = None,
    known: PatternSet | None = None,
) -> StackImage:
    """Reconstruct a z stack under three beams.

    Args:
        stack: raw ADU (z, angle, phase, y, x).
        scope: microscope of two harmonics and five phases or more.
        step_um: from one plane to the next [um].
        channel: colour; the first where left out.
        maps: per-pixel camera calibration.
        wiener: fixed Wiener parameter (0.01 to 0.3); None: measured.
        apodization: shape of the image's transfer.
        measured: OTF of beads; None: the ideal one.
        known: patterns where the fit begins, of a stack that shows them better; None: they are searched for.

    Raises:
        DataError: too few planes, other axes, or planes too far apart for what the objective passes along z.
        ConfigError: the microscope is not one of two harmonics, or no beams make its pattern.
    """
    raw, channel = as_tensor(stack), channel or scope.channels[0]
    _check(raw, scope, channel, step_um)
    chosen = np.unique(np.linspace(0, len(raw) - 1, min(len(raw), _ESTIMATED)).round().astype(int))
    if known is not None:
        known.check(*scope.pattern.pattern_counts)
    found = known or estimate_patterns(raw[torch.from_numpy(chosen)], scope, channel=channel, maps=maps)
    index, excitation = scope.optics.immersion_index, channel.excitation_nm * 1e-3
    grid = StackGrid.of((len(raw), raw.shape[-2], raw.shape[-1]), scope.optics.pixel_size_um, step_um)
    # Without any stripes that are sure there is nothing that the axial wave would act on.
    sure = [pattern for pattern in found if pattern.trusted]
    used = sure or list(nominal_three_beams(scope, channel, seed=0, modulation=(0.0, 0.0)))
    axial = sum(axial_frequency(one.period_um, excitation, index) for one in used) / len(used)
    otf = StackOtf.of(scope, channel, grid.padded[0], step_um, axial, measured)

    def frames(orientation: int) -> Tensor:
        """Return the frames of an orientation, (phase, z, y, x) photons."""
        photons = [to_photons(plane[orientation].to(torch.float32), scope.camera, maps) for plane in raw]
        return torch.stack(photons, dim=1)

    centre = to_photons(raw[len(raw) // 2][None].to(torch.float32), scope.camera, maps)
    noise = series_noise(centre, Otf.of(scope, channel), scope.camera.read_noise_e).changing
    patterns = PatternSet(
        patterns=tuple(
            fit_stack(frames(number), one, otf, grid, noise).pattern if one.trusted else one
            for number, one in enumerate(found)
        )
    )
    reach = widefield_reach(scope, channel)
    maker = StackReconstructor(otf, patterns, grid, reach, wiener=wiener, shape=apodization)
    return StackImage(maker(frames, noise), patterns, maker.wiener)


def _check(raw: Tensor, scope: Microscope, channel: Channel, step_um: float) -> None:
    wanted = scope.pattern.counts
    if raw.ndim != 5 or tuple(raw.shape[1:3]) != wanted or len(raw) < LEAST_PLANES:
        raise DataError(
            f"a stack under three beams must have the axes (z, angle, phase, y, x) = (z, {wanted[0]}, {wanted[1]}, y, "
            f"x), {LEAST_PLANES} planes or more; got {tuple(raw.shape)}"
        )
    if scope.pattern.harmonics != 2 or scope.pattern.shared:
        raise DataError("three beams make two harmonics: set pattern.harmonics to 2 in the microscope file")
    largest = 0.5 / widefield_reach(scope, channel)
    if not 0 < step_um < largest:
        raise DataError(
            f"planes {step_um:g} um apart are too far from each other for this objective, which resolves "
            f"{2 * largest:.2f} um along z: record planes at most {largest:.3f} um apart, or reconstruct plane by plane"
        )
