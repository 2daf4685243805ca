"""The check of the stripes is silent on whatever a right series can be, and names what is wrong.

Series are written down as sums over points, by the formula of an image under stripes; the camera's noise is added where
it is known exactly, in the transforms.
"""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pytest

from rdl_live.acquire.pattern_check import Measured, PatternCheck
from rdl_live.optics.pattern import Pattern, PatternSet

SIDE, PIXEL_UM = 256, 0.065
FIELD_UM = SIDE * PIXEL_UM
SERIES_S, TRANSFER = 0.1, 0.06
"""Transfer at the stripes, which lie near the cut-off."""
PHASES = tuple(2 * math.pi * p / 3 for p in range(3))
ANGLES = tuple(math.radians(a) for a in (11.5, 71.5, 131.5))
K = np.array([[math.cos(a), math.sin(a)] for a in ANGLES]) / 0.19
Transforms = npt.NDArray[np.complex128]


@lru_cache(maxsize=1)
def share() -> float:
    """Return the share of the light that the window leaves."""
    return float(check()._light_share)


def check() -> PatternCheck:
    patterns = tuple(Pattern(kx=x, ky=y, phases_rad=PHASES, modulation=(0.9,)) for x, y in K)
    return PatternCheck(PatternSet(patterns=patterns), (SIDE, SIDE), PIXEL_UM, 100, 0.46)


class Scene:
    """Points that move, each its own way or all together."""

    def __init__(self, seed: int, points: int, *, speed_um_s: float = 0.0, together: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self._where = self.rng.random((points, 2)) * FIELD_UM
        self._bright = self.rng.gamma(2.0, 1.0, points)
        self._speed = self.rng.normal(size=(1 if together else points, 2)) * speed_um_s / math.sqrt(2)

    def series(self, number: int, depth: float = 0.8, bleached: float = 0.0) -> Transforms:
        """Return transforms (angle, phase, o) in shares of the light."""
        found = np.empty((3, 3, 3), np.complex128)
        for frame in range(9):
            angle, phase = divmod(frame, 3)
            where = self._where + self._speed * SERIES_S * (number + frame / 9)
            light = 1 + depth * np.cos(2 * np.pi * where @ K[angle] + PHASES[phase])
            light *= self._bright * math.exp(-bleached * frame / 9)
            found[angle, phase] = TRANSFER * (light[:, None] * np.exp(-2j * np.pi * where @ K.T)).sum(axis=0)
        shares: Transforms = found / self._bright.sum()
        return shares

    def seen(self, transforms: Transforms, photons: float, excess: float = 1.0) -> list[list[Measured]]:
        """Return what a camera measures at so many photons a pixel."""
        light = photons * SIDE * SIDE
        noise = excess * math.sqrt(light * share() / 2) * (self.rng.normal(size=(2, 3, 3, 3)))
        found = light * transforms + noise[0] + 1j * noise[1]
        return [[(found[a, p], light) for p in range(3)] for a in range(3)]


@pytest.mark.parametrize("excess", [1.0, math.sqrt(2)], ids=["camera", "emccd"])
def test_chance_is_not_called_wrong(excess: float) -> None:
    """Where the stripes stand just above the noise, residuals of 0.6 of them are chance: 1 series in 60."""
    scene, judge = Scene(1, 300), check()
    still = scene.series(0)
    for photons in (1.5, 2.0, 1000.0):
        for _ in range(60):
            assert not judge.judge(scene.seen(still, photons, excess), (0, 0)).wrong


@pytest.mark.parametrize("points", [3, 30, 300])
@pytest.mark.parametrize(("speed", "together"), [(0.0, False), (0.5, True), (3.0, False)])
def test_few_points_and_motion_are_not_called_wrong(points: int, speed: float, together: bool) -> None:
    scene = Scene(1, points, speed_um_s=speed, together=together)
    for depth in (0.8, 0.2):
        judge = check()
        for number in range(6):
            assert not judge.judge(scene.seen(scene.series(number, depth), 30.0), (0, 0)).wrong


@pytest.mark.parametrize("photons", [3.0, 30.0, 1000.0])
@pytest.mark.parametrize("shown", [(1, 0), (2, 2)], ids=["the one before", "another orientation"])
def test_a_wrong_frame_is_named(photons: float, shown: tuple[int, int]) -> None:
    scene, judge = Scene(2, 1000, speed_um_s=0.2), check()
    for number in range(3):
        assert not judge.judge(scene.seen(scene.series(number), photons), (0, 0)).wrong
    for number in range(3, 6):  # it stays wrong, and stays named
        wrong = scene.series(number)
        wrong[1, 1] = wrong[shown]
        assert judge.judge(scene.seen(wrong, photons), (0, 0)).wrong == ((1, 1),)
    assert not judge.judge(scene.seen(scene.series(6), photons), (0, 0)).wrong


@pytest.mark.parametrize("places", range(1, 9))
def test_a_series_that_began_elsewhere_is_named_at_once(places: int) -> None:
    scene = Scene(3, 1000)
    displaced = np.roll(scene.series(0).reshape(9, 3), places, axis=0).reshape(3, 3, 3)
    assert check().judge(scene.seen(displaced, 30.0), (0, 0)).wrong


def test_bleaching_is_not_called_wrong() -> None:
    scene, judge = Scene(4, 300), check()
    for bleached in (0.0, 0.3, 0.6):
        transforms = scene.series(0, bleached=bleached)
        light = np.exp(-bleached * np.arange(9) / 9).reshape(3, 3)
        rows = enumerate(scene.seen(transforms, 20.0))
        seen = [[(value, total * light[a, p]) for p, (value, total) in enumerate(row)] for a, row in rows]
        assert not judge.judge(seen).wrong


@pytest.mark.parametrize(("points", "speed"), [(100, 0.0), (300, 0.0), (300, 1.0)])
@pytest.mark.parametrize("shown", [(1, 0), (0, 0)])
def test_a_frame_that_is_wrong_from_the_first_series_on_is_named_in_each(
    points: int, speed: float, shown: tuple[int, int]
) -> None:
    """No series before was right, so nothing has changed: it holds another pattern of the plan."""
    named = 0
    for seed in range(10):
        scene, patterns = Scene(seed, points, speed_um_s=speed), check()
        for number in range(3):
            transforms = scene.series(number)
            transforms[1, 1] = transforms[shown]
            named += (1, 1) in patterns.judge(scene.seen(transforms, 30), 0).wrong
    assert named >= 27
