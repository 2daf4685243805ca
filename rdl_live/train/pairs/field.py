"""A field of view seen twice: what a network is to be shown, at one or several light levels, and what it is to make."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.errors import DataError
from rdl_live.optics.quality.shift import image_shift

HELD_OUT = 0.3
"""Share of the fields that are held out: of BioSR's 50 cells 15."""
_LEAST_SHIFT_PX = 0.02
_LARGEST_SHIFT_PX = 8.0


@dataclass(frozen=True, eq=False)
class PairField:
    """One field of view."""

    name: str
    shape: tuple[int, int]
    """(y, x) of the input."""
    levels: int
    """Inputs of the same field in different light."""
    load: Callable[[int], tuple[Tensor, Tensor]]
    """Input (frames, y, x) and target (scale y, scale x) of a level, float32; the target at the input's mean."""
    photons: tuple[float, ...]
    """Mean of each level, of one image or of the sum of the frames that are averaged [photons a pixel]."""
    fingerprint: str = ""
    """Tells it from another."""
    place: str = ""
    """Of the specimen; fields of one place show the same structures. The name where left out."""
    columns: tuple[float, float] = (0.0, 1.0)
    """Share of the field's columns that belongs to it, from and to."""

    def part(self, start: float, stop: float) -> "PairField":
        """Return a part of the columns as a field of its own."""
        x = self.shape[1]
        first, end = round(start * x), round(stop * x)

        def load(level: int) -> tuple[Tensor, Tensor]:
            frames, target = self.load(level)
            scale = target.shape[-1] // frames.shape[-1]
            return frames[..., first:end], target[..., scale * first : scale * end]

        share = (start, stop)
        return PairField(
            self.name,
            (self.shape[0], end - first),
            self.levels,
            load,
            self.photons,
            self.fingerprint,
            self.place,
            share,
        )


def divided(fields: Sequence[PairField]) -> tuple[list[PairField], list[PairField]]:
    """Return the fields to learn from, and those that are held out: the last places, or the right of a single one."""
    places = list(dict.fromkeys(one.place or one.name for one in fields))
    if len(places) > 1:
        last = set(places[-max(1, round(HELD_OUT * len(places))) :])
        held = [one for one in fields if (one.place or one.name) in last]
        return [one for one in fields if (one.place or one.name) not in last], held
    return [one.part(0.0, 1 - HELD_OUT) for one in fields], [one.part(1 - HELD_OUT, 1.0) for one in fields]


def matched(frames: Tensor, target: Tensor, name: str) -> Tensor:
    """Return a target that lies on its input and has its mean.

    Args:
        frames: (frames, y, x) photons.
        target: (scale y, scale x) in any unit that is proportional to light.
        name: of the field, for messages.

    Raises:
        DataError: either is dark.
    """
    light, mean = float(frames.mean()), float(target.mean())
    if light <= 0 or mean <= 0:
        raise DataError(
            f"{name}: the mean is {light:.3g} in the input and {mean:.3g} in the target after subtracting the camera's "
            "offset, where light is expected; correct camera.offset_adu in the microscope file"
        )
    return registered(frames.mean(dim=0), target) * (light / mean)


def registered(image: Tensor, target: Tensor) -> Tensor:
    """Return the target moved onto its image, where a shift of both can be measured."""
    scale = target.shape[-1] // image.shape[-1]
    blurred = torch.nn.functional.avg_pool2d(target[None, None], scale)[0, 0]
    found = image_shift(image, blurred, 1.0, max_shift_um=_LARGEST_SHIFT_PX)
    if not found.reliable or found.distance_um < max(_LEAST_SHIFT_PX, 2 * found.error_um):
        return target
    return moved(target, -scale * found.y_um, -scale * found.x_um)


def moved(image: Tensor, y: float, x: float) -> Tensor:
    """Return an image (y, x) moved down and to the right by pixels, its border continued by mirroring."""
    rows, columns = image.shape
    wide = torch.cat([image, image.flip(0)])
    wide = torch.cat([wide, wide.flip(1)], dim=1)
    turns_y = torch.fft.fftfreq(2 * rows)[:, None] * y
    turns_x = torch.fft.rfftfreq(2 * columns)[None] * x
    phase = -2 * torch.pi * (turns_y + turns_x)
    spectrum = torch.fft.rfft2(wide) * torch.polar(torch.ones_like(phase), phase)
    out: Tensor = torch.fft.irfft2(spectrum, s=wide.shape)[:rows, :columns]
    return out
