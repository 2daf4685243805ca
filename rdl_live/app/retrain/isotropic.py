"""Z-stacks, opened to learn isotropic restoration from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rdl_live.errors import ConfigError, DataError
from rdl_live.files.hyperstacks import open_hyperstack
from rdl_live.train.care.isotropic import FWHM, LEARNT, Axial, IsotropicPairs, measured_blur
from rdl_live.train.care.settings import CareSettings

MOST_BYTES = 2**30
"""Of voxels, as float32."""
_NEAR = 0.02


@dataclass(frozen=True)
class Found:
    """What stacks give to learn from."""

    source: IsotropicPairs
    settings: CareSettings
    axial: Axial
    pixel_um: float | None
    notes: tuple[str, ...]


def isotropic_pairs(
    paths: Sequence[Path],
    settings: CareSettings,
    *,
    z_step_um: float | None = None,
    pixel_um: float | None = None,
    axial_um: float | None = None,
    channel: int | None = None,
    planes: int | None = None,
    fixed: bool = False,
) -> Found:
    """Open z-stacks.

    Args:
        paths: files of one microscope.
        settings: of the training.
        z_step_um: from plane to plane, where the files do not say.
        pixel_um: of the plane, where they do not.
        axial_um: full width at half maximum by which the PSF is wider along z; measured where left out.
        channel: colour, from 0.
        planes: of a stack, where the files do not say.
        fixed: whether patches are as large as `settings` say; else they fit into the planes.

    Raises:
        DataError: a file cannot be used, or is sampled as finely along z as in the plane.
        ConfigError: the distance of the planes is not known.
    """
    stacks: dict[str, Tensor] = {}
    sizes: list[tuple[float, float, str]] = []
    notes: list[str] = []
    total = 0
    for path in paths:
        with open_hyperstack(path, planes=planes) as stack:
            notes += [f"{path.name}: {note}" for note in stack.notes]
            channels = stack.shape[1]
            if channel is None and channels > 1:
                raise DataError(f"{path}: has {channels} channels; say with --channel which one is learnt from")
            if channel is not None and channel >= channels:
                raise DataError(f"{path}: has {channels} channel(s), so --channel {channel} is none of them")
            if stack.shape[2] < 4:
                raise DataError(f"{path}: has {stack.shape[2]} planes, and z-stacks are needed; choose other files")
            step, pixel = z_step_um or stack.z_step_um, pixel_um or stack.pixel_um
            if step is None or pixel is None:
                lacking = "--z-step" if step is None else "--pixel"
                raise ConfigError(f"{path}: does not say the size of its voxels; add {lacking} UM")
            sizes.append((step, pixel, path.name))
            for time in range(stack.shape[0]):
                total += int(np.prod(stack.shape[2:])) * 4
                if total > MOST_BYTES and stacks:
                    notes.append(f"{path.name}: the first {time} time points are used")
                    break
                voxels = torch.from_numpy(stack.read(time, channel or 0).astype(np.float32))
                stacks[f"{path.name}, time {time}"] = voxels
    step, pixel, first = sizes[0]
    for other_step, other_pixel, name in sizes[1:]:
        if abs(other_step / step - 1) > _NEAR or abs(other_pixel / pixel - 1) > _NEAR:
            raise DataError(
                f"{name}: has voxels of {other_step:g} x {other_pixel:g} um, {first} of {step:g} x {pixel:g}; train on "
                "stacks of one kind"
            )
    factor = step / pixel
    if factor < 1.2:
        raise DataError(
            f"{first}: its planes lie {step:g} um apart and its pixels are {pixel:g} um: it is isotropic already"
        )
    if axial_um is None:
        blur = measured_blur(list(stacks.values()), factor)
        notes.append(
            f"along z the PSF is {FWHM * blur * pixel:.2f} um (FWHM) wider, as measured; --axial-um says otherwise"
        )
    else:
        blur = axial_um / FWHM / pixel
    axial = Axial(factor, blur)
    if not fixed:
        side = min(min(voxels.shape[1], round(LEARNT * voxels.shape[2])) for voxels in stacks.values())
        settings = settings.replace(patch=max(16, min(settings.patch, side // 8 * 8)))
    return Found(IsotropicPairs(stacks, axial, settings), settings, axial, pixel, tuple(notes))
