"""How much could be gained at all: `python -m benchmarks.bound`.

An estimator that no network can beat is told where every fluorophore sits, how bright its structure is on average and
what the true patterns are; only how bright each single fluorophore is it must see in the noisy frames. Given that, the
best linear estimate is known: with x = m + sqrt(V) u, u white, and frames y = A x of variance W^-1,

    (1 + sqrt(V) A' W A sqrt(V)) u = sqrt(V) A' W (y - A m)

(Wiener with a prior that knows the place), solved by conjugate gradients. What it leaves is the labels' own randomness,
which no prior tells. Dark ground, kinds of specimen whose labels scatter by `SCATTER` of their structure's mean.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.scene import microscope
from benchmarks.score import nrmse
from benchmarks.textbook import best_textbook
from rdl_live.optics import Microscope, Otf, PatternSet, expose, sr_target, to_photons
from rdl_live.optics.forward import ForwardModel
from rdl_live.optics.nominal import nominal_patterns
from rdl_live.restore import Restorer
from rdl_live.specimen.domain import Domain
from rdl_live.specimen.registry import builder
from rdl_live.specimen.splat import splat

KINDS = ("filaments", "rings")
LEVELS = (2.0, 5.0, 20.0)
SCATTER = 0.5
"""Variance of a label's brightness relative to the square of its structure's mean (gamma distribution of shape 2)."""
MARGIN_PX, UPSAMPLE, SR_FACTOR = 16, 4, 2
MOST_STEPS, ENOUGH = 100, 1e-5


@dataclass(frozen=True)
class Known:
    """A specimen and what the estimator is told of it, on the fine grid [photons per raw pixel area]."""

    truth: Tensor
    mean: Tensor
    variance: Tensor


def grow(kind: str, shape: tuple[int, int], pixel_um: float, seed: int) -> Known:
    """Grow a specimen over a periodic field of `shape` fine pixels, of the mean 1."""
    size_um = (shape[0] * pixel_um, shape[1] * pixel_um)
    (cloud,) = builder(kind)(Domain(size_um, np.random.default_rng(seed)))
    members = np.maximum(np.bincount(cloud.member), 1)
    typical = (np.bincount(cloud.member, cloud.brightness) / members)[cloud.member]
    scale = shape[0] * shape[1] / cloud.brightness.sum()
    position = torch.from_numpy(cloud.position_um).float()

    def drawn(weight: np.ndarray) -> Tensor:
        return splat(position, torch.from_numpy(weight).float(), shape, size_um)

    truth, mean = drawn(scale * cloud.brightness), drawn(scale * typical)
    variance = drawn(SCATTER * (scale * typical) ** 2)
    # Each label is shared among four pixels, which lowers the variance of one; the sum over the field is known.
    variance *= ((truth - mean) ** 2).sum() / variance.sum()
    return Known(truth, mean, variance)


def best_estimate(model: ForwardModel, frames: Tensor, weight: Tensor, known: Known) -> Tensor:
    """Return the best linear estimate of the object on the fine grid.

    Args:
        model: A.
        frames: y, (angle, phase, y, x) photons; anything where `weight` is 0.
        weight: 1 / variance of every pixel, 0 where it was not seen.
        known: m and V, in photons.
    """
    root = known.variance.clamp(min=0).sqrt()

    def normal(u: Tensor) -> Tensor:
        return u + root * model.adjoint(weight * model.forward(root * u))

    right = root * model.adjoint(weight * (frames - model.forward(known.mean)))
    return known.mean + root * _solved(normal, right)


def _solved(normal: Callable[[Tensor], Tensor], right: Tensor) -> Tensor:
    """Solve by conjugate gradients (Hestenes, Stiefel 1952)."""
    found, rest = torch.zeros_like(right), right.clone()
    way, power = rest.clone(), rest.square().sum()
    first = power
    for _ in range(MOST_STEPS):
        image = normal(way)
        step = power / (way * image).sum()
        found += step * way
        rest -= step * image
        power, before = rest.square().sum(), power
        if power < ENOUGH * first:
            break
        way = rest + (power / before) * way
    return found


def _seen_from_view(patterns: PatternSet, margin_um: float) -> PatternSet:
    """Return the same light described from the corner of the view, `margin_um` further down and right."""
    turns = [2 * np.pi * (pattern.kx + pattern.ky) * margin_um for pattern in patterns]
    moved = (
        pattern.replace(phases_rad=tuple(phase + turn for phase in pattern.phases_rad))
        for pattern, turn in zip(patterns, turns, strict=True)
    )
    return PatternSet(patterns=tuple(moved))


def errors(kind: str, photons: float, size: int, seed: int, weights: str) -> tuple[float, float, float]:
    """Return the errors of the textbook, of our denoiser and of the estimator that knows the place."""
    scope: Microscope = microscope()
    otf, side = Otf.of(scope), size + 2 * MARGIN_PX
    fine = grow(kind, (side * UPSAMPLE, side * UPSAMPLE), otf.pixel_um / UPSAMPLE, seed)
    known = Known(fine.truth * photons, fine.mean * photons, fine.variance * photons**2)
    patterns = nominal_patterns(scope, seed=seed)
    model = ForwardModel(otf, patterns, (side, side), upsample=UPSAMPLE)
    expected = model.forward(known.truth)
    adu = expose(expected, scope.camera, generator=torch.Generator().manual_seed(seed))
    seen = slice(MARGIN_PX, MARGIN_PX + size)
    weight = torch.zeros_like(expected)
    weight[..., seen, seen] = 1 / (expected[..., seen, seen] + scope.camera.read_noise_e**2)
    frames = to_photons(adu[None].float(), scope.camera)[0]

    def view(image: Tensor) -> np.ndarray:
        target = sr_target(image, otf, patterns, upsample=UPSAMPLE, sr_factor=SR_FACTOR)
        inner = slice(MARGIN_PX * SR_FACTOR, (MARGIN_PX + size) * SR_FACTOR)
        return target[inner, inner].numpy().astype(np.float64)

    moved = _seen_from_view(patterns, MARGIN_PX * otf.pixel_um)
    truth = view(known.truth)
    cropped = frames[..., seen, seen]
    _, _, textbook = best_textbook(cropped.double().numpy(), otf, moved, truth)
    denoised = Restorer(scope, moved, (size, size), weights)(adu[..., seen, seen].float()).numpy()
    told = view(best_estimate(model, frames, weight, known))
    return textbook, nrmse(denoised, truth), nrmse(told, truth)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bound", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("weights", nargs="?", default="rdl", help="name of shipped weights, or a file (default rdl)")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS))
    parser.add_argument("--photons", type=float, nargs="+", default=list(LEVELS))
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=90)
    options = parser.parse_args(arguments)
    console = Console(width=110)
    table = Table("kind", "photons", "textbook", "denoised / textbook", "told the place / textbook")
    for kind in options.kinds:
        for photons in options.photons:
            with console.status(f"{kind} at {photons:g} photons"):
                textbook, denoised, told = errors(kind, photons, options.size, options.seed, options.weights)
            row = (textbook, denoised / textbook, told / textbook)
            table.add_row(kind, f"{photons:g}", *(f"{value:.3f}" for value in row))
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
