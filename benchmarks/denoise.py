"""How much light the denoiser saves: `python -m benchmarks.denoise [WEIGHTS]`.

Errors (NRMSE against the true SR image) of a textbook Wiener that is told the true pattern and the best Wiener
parameter, of rdl-live without denoising, and of rdl-live with it; the latter two with patterns estimated from the same
noisy series, as a user has them. On specimens of kinds that were trained on, of kinds that were not, and on pictures of
no cell.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.network_cost import count_macs, shown_grid
from benchmarks.scene import MARGIN_PX, UPSAMPLE, Scene, make_scene, microscope
from benchmarks.score import nrmse
from benchmarks.textbook import best_textbook
from benchmarks.timing import median_ms
from rdl_live.optics import Otf, Reconstructor, estimate_patterns
from rdl_live.restore import Restorer
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_live.train.simulated.loss import WITHIN
from rdl_models import load_weights

CELLS = ("filaments", "rings", "actin", "mitochondria", "reticulum", "mixed")
PICTURES = ("camera", "coins", "page", "brick")
LEVELS = (2.0, 5.0, 12.0, 20.0, 100.0, 1000.0)
SEED = 90
REGION_PX = 16
"""SR pixels, some six resolution lengths: what one would draw around a structure to measure its light."""


@dataclass(frozen=True)
class Errors:
    """Of one series."""

    textbook: float
    plain: float
    denoised: float
    told: float
    """Denoised, with the true patterns."""
    slope: float
    """Of the denoised photons against the true ones, pixel by pixel; at the least error possible it is 1 - error^2."""
    sums: float
    """The same slope of sums over `REGION_PX` pixels each way: whether photons in are photons out."""
    covered: float | None
    """Share of pixels within the nominal 90 % interval; None if the weights tell no error."""
    doubts: int
    """Of the guards."""


def cell(kind: str, photons: float, size: int, seed: int = SEED) -> Scene:
    """Return a series of a specimen."""
    scope = microscope()
    series = simulate(
        scope, SpecimenSettings(kind=kind, seed=seed), photons=photons, shape=(size, size), seed=seed
    ).series(0)
    return Scene(scope, Otf.of(scope), series.patterns, series.adu.numpy(), series.truth.numpy(), series.expected)


def picture(name: str, photons: float, size: int) -> Scene:
    """Return a series of one of scikit-image's pictures."""
    from skimage import data
    from skimage.transform import resize

    side = (size + 2 * MARGIN_PX) * UPSAMPLE
    image = resize(np.asarray(getattr(data, name)(), np.float64), (side, side), order=3).clip(0)
    return make_scene(size, photons=photons, seed=SEED, image=image / image.mean())


def errors(scene: Scene, weights: str) -> Errors:
    """Reconstruct a scene in every way."""
    truth = scene.truth.astype(np.float64)
    shape = scene.adu.shape[-2:]
    _, _, textbook = best_textbook(scene.photons, scene.otf, scene.patterns, truth)
    found = estimate_patterns(scene.adu, scene.scope)
    restored = Restorer(scene.scope, found, shape, weights).restore(scene.adu, guards=True)
    denoised = restored.sr.numpy()
    told = Restorer(scene.scope, scene.patterns, shape, weights)(scene.adu).numpy()
    return Errors(
        textbook=textbook,
        plain=nrmse(Reconstructor(scene.scope, found, shape)(scene.adu).numpy(), truth),
        denoised=nrmse(denoised, truth),
        told=nrmse(told, truth),
        slope=_slope(denoised, truth),
        sums=_slope(_regions(denoised), _regions(truth)),
        covered=None if restored.sigma is None else _covered(denoised, restored.sigma.numpy(), truth),
        doubts=0 if restored.guards is None else len(restored.guards.doubts),
    )


def _slope(image: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    return float(np.polyfit(truth.ravel(), image.ravel(), 1)[0])


def _regions(image: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return means over squares of `REGION_PX`, as many as fit."""
    rows, columns = (size // REGION_PX for size in image.shape)
    squares = image[: rows * REGION_PX, : columns * REGION_PX].reshape(rows, REGION_PX, columns, REGION_PX)
    return np.asarray(squares.mean(axis=(1, 3)))


def _covered(image: NDArray[np.float32], sigma: NDArray[np.float32], truth: NDArray[np.float64]) -> float:
    return float((np.abs(image - truth) <= WITHIN * sigma).mean())


def cost(weights: str, size: int, repeats: int = 7) -> Table:
    """Time one series of `size` x `size` and count the network's work."""
    scene = make_scene(size, photons=20.0)
    shape = scene.adu.shape[-2:]
    table = Table("step", "ms", "parameters", "GMAC", title=f"{size} x {size}, {torch.get_num_threads()} threads")
    plain = Reconstructor(scene.scope, scene.patterns, shape)
    table.add_row("no denoising", f"{median_ms(lambda: plain(scene.adu), repeats):.0f}")
    loaded = load_weights(weights)
    parameters = sum(one.numel() for one in loaded.network.parameters())
    network = loaded.network
    shown = torch.rand(1, network.config.images + network.config.maps, *shown_grid(size, network.config.sampling))
    gmac = 1e-9 * count_macs(network, lambda: network(shown))
    for half in (False, True):
        restorer = Restorer(scene.scope, scene.patterns, shape, loaded, half=half)
        name = f"{loaded.card.name}, {'bfloat16' if half else 'float32'}"
        time_ms = median_ms(lambda: restorer(scene.adu), repeats)  # noqa: B023  # called at once
        table.add_row(name, f"{time_ms:.0f}", f"{parameters}", f"{gmac:.1f}")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.denoise", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("weights", nargs="?", default="rdl", help="name of shipped weights, or a file (default rdl)")
    parser.add_argument("--size", type=int, default=256, help="raw pixels in y and x (default 256)")
    parser.add_argument("--photons", type=float, nargs="+", default=list(LEVELS), help="a pixel and frame")
    parser.add_argument("--objects", nargs="+", default=[*CELLS, *PICTURES], metavar="NAME")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cost", action="store_true", help="only time it")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    console = Console(width=120)
    if options.cost:
        console.print(cost(options.weights, options.size))
        return 0
    table = Table(
        "object",
        "photons",
        "textbook",
        "none",
        "denoised",
        "/ textbook",
        "/ none",
        "told",
        "slope",
        "of sums",
        "in 90 %",
        "doubts",
    )
    for name in options.objects:
        make = cell if name in CELLS else picture
        for photons in options.photons:
            with console.status(f"{name} at {photons:g} photons"):
                one = errors(make(name, photons, options.size), options.weights)
            row = (one.textbook, one.plain, one.denoised, one.denoised / one.textbook, one.denoised / one.plain)
            covered = "-" if one.covered is None else f"{one.covered:.3f}"
            values = (f"{value:.3f}" for value in (*row, one.told, one.slope, one.sums))
            table.add_row(name, f"{photons:g}", *values, covered, f"{one.doubts}")
        table.add_section()
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
