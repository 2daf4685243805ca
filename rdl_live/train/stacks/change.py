"""How much a stack changes from a time point to the next, and from a plane to the next: it decides on the scheme.

The mean square difference of two looks, less what noise makes of it, relative to twice the signal's variance: 0 where
both show the same, 1 where they have nothing in common.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.train.stacks.settings import VolumeScheme
from rdl_live.train.stacks.stacks import VolumeFilm

MOST = 0.25
"""Share up to which two looks are taken for looks at the same."""
_MOMENTS = 6


@dataclass(frozen=True)
class Change:
    """Of a recording."""

    in_time: float | None
    """Share of the contrast that changes from a time point to the next; None for a single one."""
    in_depth: float | None
    """From a plane to the next; None for a single one."""

    @property
    def scheme(self) -> VolumeScheme:
        """The scheme that suits: the one whose looks are more alike."""
        in_time, in_depth = (1.0 if one is None else one for one in (self.in_time, self.in_depth))
        return VolumeScheme.TIS if in_time <= in_depth else VolumeScheme.SIS

    @property
    def words(self) -> str:
        """What was found and what follows, for the user."""
        found = []
        if self.in_time is not None:
            found.append(f"{self.in_time:.1%} of the contrast changes from a time point to the next")
        if self.in_depth is not None:
            found.append(f"{self.in_depth:.1%} from a plane to the next")
        what = "time points (tis)" if self.scheme is VolumeScheme.TIS else "planes (sis)"
        return f"{', '.join(found)}: comparing {what} is the better scheme"

    def of(self, scheme: VolumeScheme) -> float:
        """Return the share that counts for a scheme, 1 where it cannot be told."""
        found = self.in_time if scheme is VolumeScheme.TIS else self.in_depth
        return 1.0 if found is None else found


def measure_change(film: VolumeFilm) -> Change:
    """Measure a recording."""
    times, planes = film.frames.shape[:2]
    step = max(1, times // _MOMENTS)
    in_time = in_depth = None
    if times > 1:
        in_time = _share(
            film, range(0, times - 1, step), lambda time: (_relative(film, time), _relative(film, time + 1))
        )
    if planes > 1:
        in_depth = _share(
            film, range(0, times, step), lambda time: (_relative(film, time)[:-1], _relative(film, time)[1:])
        )
    return Change(in_time, in_depth)


def _relative(film: VolumeFilm, time: int) -> Tensor:
    return film.photons(time) / film.means[time]


def _share(film: VolumeFilm, times: range, looks: Callable[[int], tuple[Tensor, Tensor]]) -> float:
    camera = film.scope.camera
    read = torch.as_tensor(camera.read_noise_e if film.maps is None else film.maps.read_noise_e)
    differing = alike = 0.0
    for time in times:
        one, other = looks(time)
        mean = film.means[time]
        # Photon noise and read noise of both, in units of the mean.
        noise = float((one.mean() + other.mean()) / (2 * mean) + read.square().mean() / mean**2)
        half = 0.5 * float((one - other).square().mean())
        contrast = 0.5 * float(one.var() + other.var())
        differing += half - noise
        alike += contrast - noise
    return min(1.0, max(0.0, differing / alike)) if alike > 0 else 1.0
