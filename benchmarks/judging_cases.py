"""Recordings on which the judge of retraining is judged itself: with their truth, of two simulators.

One is the program's own. The other (`points`) shares no code with it: fluorophores at exact positions, summed in the
Fourier plane, seen through Goodman's OTF and a square pixel.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count, product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rdl_live.optics import Camera, Channel, Microscope, Optics, PatternSet, estimate_patterns
from rdl_live.optics.noise import CameraMaps
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_live.train.recordings.film import Film

GAIN_E, OFFSET_ADU, READ_NOISE_E = 0.5, 100.0, 1.0
SPEEDS = {"rest": 0.0, "slow": 0.005, "fast": 0.12}
"""um/s, at a series a second."""
WRONG_GAIN = 1.5
FIXED_PATTERN_E = 0.4
WRONG_CONTRAST, WRONG_PHASE_RAD = 0.75, 0.35
KNOWN, UNKNOWN = ("filaments", "rings", "actin", "mitochondria"), ("reticulum", "mixed")
"""Kinds that the shipped weights were trained on, and not."""
FOREIGN = ("points-curves", "points-mesh")
"""Kinds of the other simulator."""


@dataclass(frozen=True)
class Case:
    """One training on one recording."""

    kind: str
    photons: float
    motion: str
    scheme: str
    trouble: str = ""
    """`gain`, `fixed` or `patterns`: what of the description is wrong."""
    seed: int = 1
    size: int = 96
    times: int = 12
    round: int = 1
    """From 2 on, microscope, camera, density and speed are drawn for each case, see `Setting`."""

    @property
    def name(self) -> str:
        """Names the case in the table."""
        return "/".join(str(value) for value in asdict(self).values() if value != "")


@dataclass(frozen=True)
class Setting:
    """What a case is recorded with, and of."""

    na: float = 1.42
    pixel_um: float = 0.08
    gain_e: float = GAIN_E
    offset_adu: float = OFFSET_ADU
    read_noise_e: float = READ_NOISE_E
    density: float = 1.0
    background: float = 0.0
    haste: float = 1.0
    """Its speed / that of `SPEEDS`."""
    period_um: float = 0.2
    angle_deg: float = 17.0
    contrast: float = 0.8


def setting(case: Case) -> Setting:
    """Return what a case is recorded with: what the first round had, and drawn in the later ones."""
    if case.round == 1:
        return Setting()
    rng = np.random.default_rng([case.round, case.seed, 0x5E7])
    return Setting(
        na=float(rng.uniform(1.3, 1.49)),
        pixel_um=float(rng.uniform(0.065, 0.085)),
        gain_e=float(rng.uniform(0.25, 0.9)),
        offset_adu=float(rng.integers(80, 400)),
        read_noise_e=float(rng.uniform(0.8, 1.8)),
        density=float(rng.uniform(0.6, 1.7)),
        background=float(rng.uniform(0, 0.2)),
        haste=float(rng.uniform(0.6, 1.7)),
        period_um=float(rng.uniform(0.19, 0.23)),
        angle_deg=float(rng.uniform(0, 60)),
        contrast=float(rng.uniform(0.6, 0.9)),
    )


@dataclass(frozen=True, eq=False)
class Recorded:
    """A recording with its truth."""

    film: Film
    truth: NDArray[np.float64]
    """(time, 2y, 2x) in the photons that the film's description gives."""


def cases(round_: int = 1) -> list[Case]:
    """Return all cases of a round, in an order of which any beginning is a fair sample."""
    return _first() if round_ == 1 else _later(round_)


def _later(round_: int) -> list[Case]:
    """Return the cases of a later round: no seed of an earlier one, and each motion with each scheme."""
    seeds, found = count(1000 * round_), list[Case]()
    for number, (kind, photons) in enumerate(product((*KNOWN, *UNKNOWN), (2.0, 5.0, 20.0))):
        for turn, motion in enumerate(SPEEDS):
            scheme = ("split", "tis")[(number + number // 3 + turn) % 2]
            found.append(Case(kind, photons, motion, scheme, seed=next(seeds), round=round_))
    for number, (trouble, (kind, photons)) in enumerate(
        product(("gain", "fixed", "patterns"), (("rings", 5.0), ("mixed", 2.0), ("actin", 20.0)))
    ):
        scheme = ("split", "tis")[number % 2]
        found.append(Case(kind, photons, "rest", scheme, trouble, seed=next(seeds), round=round_))
    for number, (kind, photons) in enumerate(product(FOREIGN, (2.0, 5.0, 20.0))):
        motion, scheme = ("slow", "split") if number % 2 else ("rest", "tis")
        found.append(Case(kind, photons, motion, scheme, seed=next(seeds), round=round_))
    return _balanced(found)


def _first() -> list[Case]:
    ways = (("rest", "split"), ("slow", "tis"), ("fast", "split"))
    found = [
        Case(kind, photons, motion, scheme, seed=11 + number)
        for number, (kind, photons, (motion, scheme)) in enumerate(product((*KNOWN, *UNKNOWN), (2.0, 5.0, 20.0), ways))
    ]
    found += [
        Case(kind, photons, "rest", "split", trouble, seed=71)
        for trouble, (kind, photons) in product(
            ("gain", "fixed", "patterns"), (("filaments", 5.0), ("reticulum", 2.0), ("reticulum", 20.0))
        )
    ]
    found += [
        Case(kind, photons, motion, scheme, seed=81)
        for kind, photons, (motion, scheme) in product(FOREIGN, (2.0, 5.0, 20.0), (("rest", "split"), ("slow", "tis")))
    ]
    return _balanced(found)


def _balanced(found: list[Case]) -> list[Case]:
    """Return the cases so that kinds, light, motion and trouble come as evenly as they can, from the first on."""
    left = [found[index] for index in np.random.default_rng(1).permutation(len(found))]
    every = Counter(aspect for case in found for aspect in _aspects(case))
    so_far, ordered = Counter[tuple[Any, ...]](), list[Case]()
    while left:
        next_one = min(left, key=lambda case: sum(so_far[aspect] / every[aspect] for aspect in _aspects(case)))
        left.remove(next_one)
        ordered.append(next_one)
        so_far.update(_aspects(next_one))
    return ordered


def _aspects(case: Case) -> list[tuple[Any, ...]]:
    """Return what is to come evenly."""
    kind, light, motion = ("kind", case.kind), ("light", case.photons), ("motion", case.motion)
    found = [kind, light, motion, ("trouble", case.trouble), (kind, light), (kind, motion), (light, motion)]
    if case.round > 1:
        found += [("scheme", case.scheme), (motion, case.scheme)]
    return found


def record(case: Case, *, seed: int | None = None, times: int | None = None) -> Recorded:
    """Record a case; with another seed another field of it."""
    make = _points if case.kind in FOREIGN else _simulated
    adu, truth, true = make(case, case.seed if seed is None else seed, times or case.times)
    made_with = setting(case)
    scope, factor = _scope(made_with), 1.0
    if case.trouble == "gain":
        gain = made_with.gain_e * WRONG_GAIN
        scope = scope.replace(camera={**scope.camera.model_dump(), "gain_e_per_adu": gain})
        factor = WRONG_GAIN
    if case.trouble == "patterns":
        patterns = PatternSet(
            patterns=tuple(
                one.replace(
                    modulation=(one.modulation[0] * WRONG_CONTRAST,),
                    phases_rad=tuple(phase + WRONG_PHASE_RAD for phase in one.phases_rad),
                )
                for one in true
            )
        )
    else:
        spread = np.unique(np.linspace(0, len(adu) - 1, min(len(adu), 8)).round().astype(int))
        patterns = estimate_patterns(adu[spread], scope)
    return Recorded(Film(case.name, scope, scope.channels[0], patterns, adu), factor * truth)


def _scope(made_with: Setting) -> Microscope:
    return Microscope(
        name="judging",
        optics=Optics(na=made_with.na, pixel_size_um=made_with.pixel_um),
        channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
        camera=Camera(
            offset_adu=made_with.offset_adu,
            gain_e_per_adu=made_with.gain_e,
            read_noise_e=made_with.read_noise_e,
        ),
    )


_Made = tuple[NDArray[np.uint16], NDArray[np.float64], PatternSet]


def _simulated(case: Case, seed: int, times: int) -> _Made:
    shape, maps, made_with = (case.size, case.size), None, setting(case)
    if case.trouble == "fixed":
        gain, turn = made_with.gain_e, 7 if case.round == 1 else case.seed
        uneven = torch.randn(shape, generator=torch.Generator().manual_seed(turn)) * (FIXED_PATTERN_E / gain)
        maps = CameraMaps(
            made_with.offset_adu + uneven, torch.full(shape, gain), torch.full(shape, made_with.read_noise_e)
        )
    made = simulate(
        _scope(made_with),
        SpecimenSettings(
            kind=case.kind,
            seed=seed,
            speed_um_s=SPEEDS[case.motion] * made_with.haste,
            density=made_with.density,
            background=made_with.background,
        ),
        photons=case.photons,
        shape=shape,
        time_points=times,
        seed=case.seed,
        maps=maps,
    )
    series = list(made)
    frames, truth = [one.adu.numpy() for one in series], [one.total.double().numpy() for one in series]
    return np.stack(frames), np.stack(truth), made.patterns


def _points(case: Case, seed: int, times: int) -> _Made:
    """Record fluorophores at exact positions; periodic, like the Fourier plane."""
    rng, noise = np.random.default_rng([seed, 5]), np.random.default_rng([seed, 6])
    made_with = setting(case)
    pixel, side, cutoff, period = made_with.pixel_um, case.size, 2 * made_with.na / 0.525, made_with.period_um
    length = side * pixel
    position = (_curves if case.kind == "points-curves" else _mesh)(rng, length)
    weight = rng.gamma(4, 0.25, len(position))
    angles = np.deg2rad(made_with.angle_deg + 60 * np.arange(3))
    waves = np.stack([np.cos(angles), np.sin(angles)], 1) / period
    patterns = PatternSet.model_validate(
        {
            "patterns": [
                {
                    "kx": x,
                    "ky": y,
                    "phases_rad": [2 * np.pi * step / 3 + 0.4 for step in range(3)],
                    "modulation": [made_with.contrast],
                }
                for x, y in waves
            ]
        }
    )
    direction = rng.normal(size=(2,)) * SPEEDS[case.motion] * made_with.haste
    frames, truth = [], []
    for time in range(times):
        # Wrapped before the light is asked for: the Fourier plane brings back what leaves the field.
        at = (position + direction * time) % length
        series = []
        for pattern, step in product(patterns, range(3)):
            turn = 2 * np.pi * (pattern.kx * at[:, 0] + pattern.ky * at[:, 1])
            light = 1 + made_with.contrast * np.cos(turn + pattern.phases_rad[step])
            series.append(_seen(at, weight * light, side, pixel, cutoff, pixel))
        expected = np.stack(series).reshape(3, 3, side, side).clip(0)
        scale = case.photons / expected.mean()
        electrons = noise.poisson(scale * expected) + noise.normal(0, made_with.read_noise_e, expected.shape)
        frames.append((electrons / made_with.gain_e + made_with.offset_adu).round().clip(0, 65535).astype(np.uint16))
        truth.append(scale * 4 * _seen(at, weight, 2 * side, pixel / 2, cutoff + 1 / period, 0.0))
    return np.stack(frames), np.stack(truth), patterns


def _seen(
    at: NDArray[np.float64], weight: NDArray[np.float64], side: int, pixel: float, cutoff: float, square: float
) -> NDArray[np.float64]:
    """Return fluorophores at (x, y) through an ideal OTF and square pixels, sampled at pixel centres."""
    f = np.fft.fftfreq(side, pixel)
    across, down = (np.exp(-2j * np.pi * np.outer(f, at[:, axis] - pixel / 2)) for axis in (0, 1))
    radius = np.minimum(np.hypot(f[None, :], f[:, None]) / cutoff, 1)
    otf = 2 / np.pi * (np.arccos(radius) - radius * np.sqrt(1 - radius**2))
    spectrum = (down * weight) @ across.T * otf * np.sinc(f * square)[None, :] * np.sinc(f * square)[:, None]
    image: NDArray[np.float64] = np.fft.ifft2(spectrum).real
    return image


def _curves(rng: np.random.Generator, length: float) -> NDArray[np.float64]:
    """Return points (n, 2) along wiggling lines [um]."""

    def lines() -> Iterator[NDArray[np.float64]]:
        for _ in range(14):
            angle = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.06, 120))
            yield rng.uniform(0, length, 2) + 0.04 * np.cumsum(np.stack([np.cos(angle), np.sin(angle)], 1), axis=0)

    return np.concatenate(list(lines()))


def _mesh(rng: np.random.Generator, length: float) -> NDArray[np.float64]:
    """Return points (n, 2) along straight struts between neighbours of random knots [um]."""
    knots = rng.uniform(0, length, (60, 2))
    found = []
    for one in knots:
        near = np.argsort(((knots - one) ** 2).sum(1))[1:4]
        found += [one + np.linspace(0, 1, 10)[:, None] * (knots[other] - one) for other in near]
    return np.concatenate(found)


def described(case: Case) -> dict[str, Any]:
    """Return the case for a line of the table."""
    return asdict(case)
