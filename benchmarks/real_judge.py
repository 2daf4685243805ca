"""Whether the judge is right on real recordings: `python -m benchmarks.real_judge ../shared/data`.

A tenth of a recording's photons (by coin flips, so both parts are Poisson light with independent noise) makes a dim
series. On it alone the judge compares no denoising, `rdl` and `rdl-large`. Then the other nine tenths are asked, 45
times as many photons as the judge's fifth: they are as near to the truth as a real specimen comes.

The recordings are those of `benchmarks.halves`.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.grids import Real
from benchmarks.halves import RECORDINGS, load
from rdl_live.optics import Microscope, estimate_patterns
from rdl_live.train.recordings.answers import answer
from rdl_live.train.recordings.film import Film, Tile
from rdl_live.train.recordings.judge import blocks, measure
from rdl_live.train.recordings.questions import SHARP, SUPPORT
from rdl_models import load_weights

NAMES = ("none", "rdl", "rdl-large")
Networks = Sequence[nn.Module | None]


def row(photons: Real, scope: Microscope, share: float, networks: Networks) -> dict[str, Any]:
    """Judge on a share of the photons, and ask the others.

    Args:
        photons: a recording (A, P, y, x).
        scope: its microscope, which takes one count for a photon.
        share: of the photons that the judge gets.
        networks: in the order of `NAMES`.
    """
    patterns, rng = estimate_patterns(photons.astype(np.float32), scope), np.random.default_rng(3)
    whole = np.maximum(np.round(photons), 0).astype(np.int64)
    dim = rng.binomial(whole, share)
    half = rng.binomial(whole - dim, 0.5)
    film = Film("dim", scope, scope.channels[0], patterns, dim[None].astype(np.float32))
    rest = [torch.from_numpy(one.astype(np.float32)) for one in (half, whole - dim - half)]
    errors = _errors(film, [one * (2 * share / (1 - share)) for one in rest], networks)
    found: dict[str, Any] = {"photons": round(float(dim.mean()), 2)}
    right, sure = 0, 0
    samples = {first: measure(film, networks[first:], [0]) for first in range(len(NAMES) - 1)}
    for first, second in combinations(range(len(NAMES)), 2):
        judged = samples[first].judged(second - first)
        true = float(np.sqrt(max(errors[second], 0.0) / errors[first])) if errors[first] > 0 else None
        found[f"{NAMES[second]} / {NAMES[first]}"] = {
            "judged": judged.ratio.record(),
            "standing": judged.standing,
            "true": None if true is None else round(true, 4),
        }
        if judged.standing in ("better", "worse"):
            sure += 1
            right += (judged.standing == "better") == (errors[second] < errors[first])
    return found | {"sure": sure, "right": right}


@torch.no_grad()
def _errors(film: Film, rest: Sequence[Tensor], networks: Networks) -> list[float]:
    """Return mean square errors of the images of a series against two halves of other light of its strength."""
    tile, photons = Tile(film, 0, 0, film.shape), film.photons(0)
    evidence = tile.evidence(photons)
    power, damping = tile.geometry.power, evidence.damping[0]
    seen = power > SUPPORT
    weight = torch.where(seen, (power / (power + SHARP * damping).clamp(min=SUPPORT)).sqrt(), 0)

    def image(spectrum: Tensor) -> Tensor:
        return evidence.image((weight * spectrum)[None])[0]

    looks = [image(torch.where(seen, tile.target * tile.matched(one) / power.clamp(min=SUPPORT), 0)) for one in rest]
    found = []
    for network in networks:
        mine = tile.mean(photons) * image(answer(network, tile, photons, evidence))
        found.append(float(blocks((mine - looks[0]) * (mine - looks[1]), tile).mean()))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line a recording; return 1 where the judge was sure of what is not so."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_judge", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="of the recordings")
    parser.add_argument("--share", type=float, default=0.1, help="of the photons that the judge gets (0.1)")
    parser.add_argument("--recordings", nargs="+", default=list(RECORDINGS), choices=list(RECORDINGS), metavar="NAME")
    options = parser.parse_args(arguments)
    networks = [None if name == "none" else load_weights(name).network for name in NAMES]
    rows = {}
    for name in options.recordings:
        if (options.folder / RECORDINGS[name].file).is_file():
            rows[name] = row(*load(RECORDINGS[name], options.folder), options.share, networks)
            print(name, json.dumps(rows[name]), flush=True)
    return 0 if all(one["right"] == one["sure"] for one in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
