"""CARE against classical denoising, and how honest it is: `python -m benchmarks.care --folder F [--minutes N]`.

Trains the networks of `benchmarks.care_train` into the folder (each can be killed and goes on), then scores them on
scenes of other seeds: NRMSE and SSIM at 2, 5 and 20 photons (mean where there is structure) against the noisy image,
the Gaussian that is best (it is told the truth) and non-local means; coverage of the 90 % interval; disagreement on
walls of cells, which nobody was trained on; the light at which the raw image is as good as the restored one.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from scipy.stats import mannwhitneyu
from skimage.metrics import structural_similarity
from skimage.restoration import denoise_nl_means

from benchmarks.care_train import JOBS, train
from rdl_live.train.care.drawn import structure_mean
from rdl_live.train.care.instruments import Instrument, Optics, box_of, noisy, seen
from rdl_live.train.care.structures import STRUCTURES, Box, Floats, Rng, drawn, uneven
from rdl_models import Care, load_weights
from rdl_models.care_tiles import by_blocks
from rdl_models.laplace import INTERVAL_90

LIGHTS = (2.0, 5.0, 20.0)
SCENES = 4
SIDE, PLANES = 128, 16
WALLS = "walls"
MARGIN = 16
GAUSSIANS = (0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0)
MORE_LIGHT = (1, 2, 4, 8, 15, 30, 60, 120)
SHEET = Optics(Instrument.LIGHT_SHEET, na=0.8, index=1.33, emission_nm=525, pixel_um=0.15, step_um=0.4, sheet_um=2.0)
CONFOCAL = Optics(Instrument.CONFOCAL, na=1.2, index=1.515, emission_nm=525, pixel_um=0.1, step_um=0.25)
Image = NDArray[np.float32]


def walls(rng: Rng, box: Box) -> tuple[Floats, Floats]:
    """Return labels on the walls between cells: places about as far from two centres, and from no third."""
    sides = box.sides_um
    centres = rng.random((max(8, round(float(sides[1] * sides[2]) / 4)), 3)) * sides
    places = rng.random((400_000, 3)) * sides
    far, _ = cKDTree(centres).query(places, k=2)
    kept = places[far[:, 1] - far[:, 0] < 0.05]
    return kept, np.ones(len(kept))


def scene(kind: str, optics: Optics, photons: float, seed: int) -> tuple[Image, Image]:
    """Return a noisy stack or image and its truth, both (z, y, x) photons; z is 1 for a confocal."""
    rng = np.random.default_rng([seed, 2024])
    planes = PLANES + 8 if optics.instrument is Instrument.LIGHT_SHEET else 9
    box = box_of(optics, (planes, SIDE + 2 * MARGIN, SIDE + 2 * MARGIN))
    grow = walls if kind == WALLS else STRUCTURES[kind]
    image = seen(drawn(*grow(rng, box), box), optics)
    first, count = (4, PLANES) if optics.instrument is Instrument.LIGHT_SHEET else (4, 1)
    inner = image[first : first + count, MARGIN:-MARGIN, MARGIN:-MARGIN]
    expected = 0.8 * inner / structure_mean(inner) + 0.2 * uneven(rng, (SIDE, SIDE))
    expected = photons * expected
    return noisy(expected, 1.0, rng).numpy(), expected.numpy()


@dataclass(frozen=True)
class Score:
    """Of one method on one kind of scene."""

    nrmse: float
    """Root mean square error / deviation of the truth."""
    ssim: float


def scored(image: Image, truth: Image) -> Score:
    """Compare; the span of SSIM is that of the truth."""
    error = float(np.sqrt(np.mean((image - truth) ** 2)) / truth.std())
    span = float(truth.max() - truth.min())
    found = [
        structural_similarity(a, b, data_range=span, gaussian_weights=True) for a, b in zip(truth, image, strict=True)
    ]
    return Score(error, float(np.mean(found)))


def best_gaussian(raw: Image, truth: Image, *, volume: bool) -> Image:
    """Return the blur with the least error, which only the truth can tell."""
    sizes = [(sigma if volume else 0, sigma, sigma) for sigma in GAUSSIANS]
    return min((gaussian_filter(raw, size) for size in sizes), key=lambda one: float(np.mean((one - truth) ** 2)))


def non_local(raw: Image) -> Image:
    """Return scikit-image's fast non-local means of every plane, after Anscombe's transform."""
    planes = []
    for plane in raw:
        stable = 2 * np.sqrt(np.maximum(plane + 3 / 8 + 1.0, 0))
        # The transform gives noise of deviation 1.
        found = denoise_nl_means(stable, patch_size=5, patch_distance=6, h=0.8, sigma=1.0, fast_mode=True)
        planes.append((found / 2) ** 2 - 1 / 8 - 1.0)
    return np.stack(planes).astype(np.float32)


@torch.no_grad()
def restored(network: Care, raw: Image) -> NDArray[np.float32]:
    """Return what networks say of (z, y, x): (parts, z, y, x)."""
    x = torch.from_numpy(raw)
    if network.config.dims == 3:
        return by_blocks(network, x[None, None], (64, 128, 128))[0].numpy()
    return torch.stack([by_blocks(network, plane[None, None], (128, 128))[0] for plane in x], dim=1).numpy()


def methods(networks: Mapping[str, Care], truth: Image) -> Iterator[tuple[str, Callable[[Image], Image]]]:
    """Give what is compared."""
    yield "noisy", lambda raw: raw
    yield "best Gaussian", lambda raw: best_gaussian(raw, truth, volume=len(truth) > 1)
    yield "non-local means", non_local
    for name, network in networks.items():
        if network.config.dims == 2 or len(truth) > 1:
            yield f"CARE {name}", lambda raw, one=network: restored(one, raw)[0]


def table(networks: Mapping[str, Care], optics: Optics, lights: Sequence[float]) -> list[dict[str, object]]:
    """Score all methods."""
    rows: list[dict[str, object]] = []
    for kind in STRUCTURES:
        for photons in lights:
            found: dict[str, list[Score]] = {}
            for seed in range(SCENES):
                raw, truth = scene(kind, optics, photons, seed)
                for name, method in methods(networks, truth):
                    found.setdefault(name, []).append(scored(method(raw), truth))
            for name, scores in found.items():
                nrmse, ssim = (float(np.mean([getattr(one, what) for one in scores])) for what in ("nrmse", "ssim"))
                rows.append(
                    {"instrument": str(optics.instrument), "kind": kind, "photons": photons, "method": name}
                    | {"nrmse": round(nrmse, 4), "ssim": round(ssim, 4)}
                )
    return rows


def light_factor(network: Care, optics: Optics, photons: float) -> dict[str, object]:
    """Return by how much more light the raw image must have to be as good as the restored one."""
    mine, raw_errors = [], {factor: [] for factor in MORE_LIGHT}
    for kind in STRUCTURES:
        for seed in range(SCENES):
            raw, truth = scene(kind, optics, photons, seed)
            mine.append(scored(restored(network, raw)[0], truth).nrmse)
            for factor in MORE_LIGHT:
                raw_errors[factor].append(scored(*scene(kind, optics, photons * factor, seed)).nrmse)
    means = {factor: float(np.mean(errors)) for factor, errors in raw_errors.items()}
    own = float(np.mean(mine))
    factors, errors = np.log(list(means)), np.log(list(means.values()))
    factor = float(np.exp(np.interp(-np.log(own), -errors, factors)))
    return {"photons": photons, "nrmse": own, "raw": means, "factor": factor}


def honesty(network: Care, optics: Optics, photons: float) -> dict[str, object]:
    """Return the coverage on trained and on other kinds, and how well the disagreement tells them apart."""
    coverage: dict[str, float] = {}
    values: dict[str, list[float]] = {}
    for kind in (*STRUCTURES, WALLS):
        inside = []
        for seed in range(2 * SCENES):
            raw, truth = scene(kind, optics, photons, 100 + seed)
            parts = restored(network, raw)
            inside.append(float((np.abs(truth - parts[0]) <= INTERVAL_90 * parts[1]).mean()))
            if len(parts) > 2:
                values.setdefault(kind, []).append(float(parts[2].mean()))
        coverage[kind] = round(float(np.mean(inside)), 4)
    found: dict[str, object] = {
        "photons": photons,
        "coverage_90": coverage,
        "sigma_factor": network.config.sigma_factor,
    }
    if values:
        known = [value for kind in STRUCTURES for value in values[kind]]
        other = values[WALLS]
        statistic = float(mannwhitneyu(other, known).statistic)
        found |= {
            "disagreement": {kind: round(float(np.mean(one)), 5) for kind, one in values.items()},
            "auc": round(statistic / (len(other) * len(known)), 4),
        }
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is not trained yet, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.care", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="weights, checkpoints and results")
    parser.add_argument("--minutes", type=float, default=30.0, help="of one processor, each training (default 30)")
    parser.add_argument("--only", nargs="*", default=list(JOBS), help="trainings by name")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    networks, results = {}, {"minutes": options.minutes}
    for name in options.only:
        loaded = load_weights(train(name, options.folder, options.minutes))
        networks[name] = loaded.network
        results[f"training {name}"] = {"steps": loaded.card.steps, "minutes": loaded.card.minutes, **loaded.card.scores}
    images = {name: one for name, one in networks.items() if one.config.dims == 2}
    rows = table(images, CONFOCAL, LIGHTS)
    if len(images) < len(networks):
        rows += table({name: one for name, one in networks.items() if one.config.dims == 3}, SHEET, LIGHTS[1:2])
    shown = Table("instrument", "kind", "photons", "method", "NRMSE", "SSIM")
    for row in rows:
        shown.add_row(*(str(row[key]) for key in ("instrument", "kind", "photons", "method", "nrmse", "ssim")))
    Console(width=120).print(shown)
    results["table"] = rows
    for name, network in networks.items():
        optics = CONFOCAL if network.config.dims == 2 else SHEET
        results[f"honesty {name}"] = honesty(network, optics, 5.0)
        results[f"light {name}"] = light_factor(network, optics, 5.0)
        print(name, json.dumps(results[f"honesty {name}"]), json.dumps(results[f"light {name}"]))
    (options.folder / "care.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
