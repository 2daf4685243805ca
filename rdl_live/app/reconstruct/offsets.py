"""A camera's fixed pattern from the series of a recording itself."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from rdl_live.optics import Channel, Microscope, Otf, to_photons
from rdl_live.optics.fixed_pattern import MeanImage, fixed_pattern
from rdl_live.optics.noise import CameraMaps

PARTS = 4
"""Mean images that a time-lapse gives: what moves in it then helps to part specimen and camera."""
SERIES_A_PART = 16
"""Series of each that are averaged at most."""
LEAST_KNOWN = 0.25
"""Share of the pattern's variance that must be known for a map to be worth while."""
_LEAST_OWN = 0.4
"""And for it to be taken off a recording that it was measured in: there its errors follow the specimen."""

Read = Callable[[int], npt.NDArray[np.generic]]
"""Gives a series (angle, phase, y, x) [ADU]."""


def mean_images(
    read: Read, total: int, scope: Microscope, channel: Channel, maps: CameraMaps | None
) -> list[MeanImage]:
    """Return the mean images of the parts of a recording of `total` series."""
    otf, camera = Otf.of(scope, channel), scope.camera
    found = []
    for part in np.array_split(np.arange(total), min(PARTS, total)):
        chosen = part[np.unique(np.linspace(0, len(part) - 1, min(len(part), SERIES_A_PART)).round().astype(int))]
        stack = np.stack([read(int(time)).astype(np.float32) for time in chosen])
        found.append(MeanImage.of(to_photons(torch.from_numpy(stack), camera, maps), otf, camera.read_noise_e))
    return found


def own_offsets(
    read: Read, total: int, scope: Microscope, channel: Channel, maps: CameraMaps | None
) -> CameraMaps | None:
    """Return camera maps with the fixed pattern that a time-lapse shows; None where it shows too little of it."""
    if total < PARTS or scope.camera.offset_file is not None:
        return None
    found = fixed_pattern(mean_images(read, total, scope, channel, maps))
    if found.known < _LEAST_OWN:
        return None
    shape, camera = found.offset.shape, scope.camera
    if maps is None:
        flat = (camera.offset_adu, camera.gain_e_per_adu, camera.read_noise_e)
        maps = CameraMaps(*(torch.full(shape, value) for value in flat))
    return CameraMaps(maps.offset_adu + found.offset / maps.gain_e_per_adu, maps.gain_e_per_adu, maps.read_noise_e)
