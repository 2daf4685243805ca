"""Single beads in images, and what each shows of the transfer function: its transform about its own centre.

A point of n photons at c is seen as n h(r - c); its transform, referred to c, is n H(k). The transform is taken of the
bead's surroundings alone, under a window that fades; what that does to it is done to the model's point, too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

REACH = 6.0
"""Radius of a bead's surroundings, in units of 1 / cut-off: two dark rings of the ideal image lie within 2.3."""
_ALONE = 1.6
"""Nearest neighbour, in radii of the surroundings."""
_STANDS_OUT = 8.0
"""Standard deviations of the noise from which a maximum is a bead."""
_NEIGHBOUR = 0.1
"""Light of a neighbour, relative to the bead's, from which it disturbs."""
LEAST_PHOTONS = 300.0
"""Of a bead: its centre is then known to a thirtieth of its width."""
_RANGE = (0.15, 0.9)
"""Frequencies at which it is transformed, in cut-offs: below, the surroundings are too small."""
_RADII, _TURNS = 20, 12
_CENTRING = 3
_MOST = 400


@dataclass(frozen=True)
class Frame:
    """Where and at which frequencies beads are looked at."""

    cutoff: float
    """Of the OTF [cycles/um]."""
    pixel_um: float

    @property
    def reach_px(self) -> float:
        """Radius of the surroundings [pixels]."""
        return REACH / self.cutoff / self.pixel_um

    @property
    def side_px(self) -> int:
        """Half a side of the square that is cut out [pixels]."""
        return math.ceil(1.2 * self.reach_px) + 1

    @property
    def radii(self) -> Array:
        """|k| of the profiles, (n,) [cycles/um]."""
        return np.linspace(*_RANGE, _RADII) * self.cutoff

    def waves(self) -> tuple[Array, Array]:
        """Return (kx, ky) of all samples [cycles/pixel], (radii, turns): half a turn, for images are real."""
        turns = np.arange(_TURNS) * np.pi / _TURNS
        radii = self.radii[:, None] * self.pixel_um
        return radii * np.cos(turns), radii * np.sin(turns)


def find_beads(image: Array, frame: Frame, saturated: npt.NDArray[np.bool_] | None = None) -> list[tuple[int, int]]:
    """Return the brightest pixels (y, x) of points that stand alone, brightest first.

    Args:
        image: photons (y, x).
        frame: optics.
        saturated: pixels whose value is not known, (y, x).
    """
    from scipy import ndimage

    width = 0.25 / frame.cutoff / frame.pixel_um
    fine = ndimage.gaussian_filter(image, max(width, 0.5)) - ndimage.gaussian_filter(image, frame.reach_px)
    noise = 1.4826 * float(np.median(np.abs(fine - np.median(fine))))
    size = 2 * math.ceil(1 / frame.cutoff / frame.pixel_um) + 1
    peaks = (fine == ndimage.maximum_filter(fine, size)) & (fine > _STANDS_OUT * max(noise, 1e-9))
    rows, columns = np.nonzero(peaks)
    heights = fine[rows, columns]
    margin, side = frame.side_px, image.shape
    chosen = []
    for number in np.argsort(-heights)[: 4 * _MOST].tolist():
        y, x = int(rows[number]), int(columns[number])
        if not (margin <= y < side[0] - margin and margin <= x < side[1] - margin):
            continue
        apart = np.hypot(rows - y, columns - x)
        near = (apart > 0) & (apart < _ALONE * frame.reach_px) & (heights > _NEIGHBOUR * heights[number])
        hidden = saturated is not None and saturated[y - 2 : y + 3, x - 2 : x + 3].any()
        if not (near.any() or hidden):
            chosen.append((y, x))
    return chosen[:_MOST]


def patch(image: Array, place: tuple[int, int], frame: Frame) -> Array:
    """Cut a bead's surroundings out of an image (y, x)."""
    half = frame.side_px
    return image[place[0] - half : place[0] + half + 1, place[1] - half : place[1] + half + 1]


@dataclass(frozen=True)
class Bead:
    """What one bead shows."""

    profile: Array
    """Real part of its transform about its centre, mean over directions, (radii,) [photons]."""
    photons: float
    """Within its surroundings."""


@lru_cache(maxsize=4)
def _kernel(frame: Frame) -> tuple[Array, Array, Array, Array, npt.NDArray[np.complex128]]:
    """Return rows and columns of the surroundings, kx and ky of all samples, exp(-2 pi i k r) (samples, pixels)."""
    half = frame.side_px
    rows, columns = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    kx, ky = (one.ravel() for one in frame.waves())
    return rows, columns, kx, ky, np.exp(-2j * np.pi * (np.outer(kx, columns) + np.outer(ky, rows)))


def bead_of(cut: Array, frame: Frame) -> Bead:
    """Transform a bead's surroundings (2 half + 1, 2 half + 1) about its centre."""
    rows, columns, kx, ky, kernel = _kernel(frame)
    weights = np.repeat(frame.radii < 0.5 * frame.cutoff, _TURNS)
    y = x = 0.0
    for step in range(_CENTRING + 1):
        away = np.hypot(rows - y, columns - x) / frame.reach_px
        window = np.where(away < 0.5, 1.0, np.cos(np.pi * (away.clip(0.5, 1.0) - 0.5)) ** 2)
        around = (away > 0.9) & (away <= 1.15)
        light = (cut - float(cut[around].mean())) * window
        found = (kernel @ light.ravel()) * np.exp(2j * np.pi * (kx * x + ky * y))
        if step == _CENTRING:
            break
        strength = np.abs(found) ** 2 * weights
        slopes = -np.angle(found) / (2 * np.pi)
        normal = np.array([[(strength * a * b).sum() for b in (kx, ky)] for a in (kx, ky)])
        normal += np.eye(2) * max(1e-9 * float(np.trace(normal)), 1e-30)
        moved = np.linalg.solve(normal, [(strength * a * slopes).sum() for a in (kx, ky)])
        x, y = x + float(moved[0].clip(-1, 1)), y + float(moved[1].clip(-1, 1))
    profile = found.real.reshape(_RADII, _TURNS).mean(axis=1)
    return Bead(profile, float(light.sum()))


def sphere_transfer(k: Array, diameter_um: float) -> Array:
    """Return the transform of a filled sphere of a diameter, seen from above, 1 at k = 0; k in cycles/um."""
    x = np.pi * diameter_um * np.maximum(k, 1e-9)
    small = x < 1e-3
    safe = np.where(small, 1.0, x)
    return np.where(small, 1.0, 3 * (np.sin(safe) - safe * np.cos(safe)) / safe**3)


def beads_of(images: Sequence[Array], frame: Frame, saturated: Sequence[npt.NDArray[np.bool_]]) -> list[Bead]:
    """Return the beads of a focus series (one image or more of the same place), each where it is sharpest.

    Beads that are sharpest in the first or last of several images are left out: their focus may lie beyond.
    """
    together = np.max(np.stack(images), axis=0) if len(images) > 1 else images[0]
    hidden = np.logical_or.reduce(list(saturated))
    found = []
    for place in find_beads(together, frame, hidden):
        y, x = place
        heights = [float(one[y - 1 : y + 2, x - 1 : x + 2].mean()) for one in images]
        best = int(np.argmax(heights))
        if len(images) > 2 and best in {0, len(images) - 1}:
            continue
        bead = bead_of(patch(images[best], place, frame), frame)
        if bead.photons >= LEAST_PHOTONS:
            found.append(bead)
    return found
