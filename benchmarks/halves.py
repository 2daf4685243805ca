"""Whether the denoiser knows how wrong it is on real recordings: `python -m benchmarks.halves ../shared/data`.

The photons of a recording are split by coin flips into two recordings of half the light, whose noise is independent
(Poisson light, thinned, stays Poisson light). Both are denoised, and wherever both standard errors were right, 90 % of
the differences would lie within 1.645 sqrt(s1^2 + s2^2); where the denoiser is wrong twice in the same way the share is
larger ("in 90 %"; "of one": within 1.645 s1 alone, as if the other half were the truth). Also told: the error of one
half's denoised image against the other half's SIM image relative to that of its own SIM image, which says whether
denoising helped (the other half's noise is in both); and the same after the best radial filter, since a denoiser that
makes up for the OTF's damping is sharper than SIM.

The recordings are public ones that are not part of the project; see the list in `RECORDINGS` for their names.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.grids import Real
from benchmarks.score import filtered_nrmse
from rdl_live.optics import Camera, Channel, Microscope, Optics, Otf, Reconstructor, estimate_patterns
from rdl_live.optics.noise_floor import noise_variance, window2d
from rdl_live.restore import Restorer
from rdl_models import load_weights

WITHIN = 1.645
BORDER_PX = 16
"""SR pixels that are left out at the edges."""
SPLITS = 2


@dataclass(frozen=True)
class Recording:
    """A public recording and what is known of its microscope."""

    file: str
    shape: tuple[int, int]
    na: float
    pixel_um: float
    excitation_nm: float
    emission_nm: float
    offset_adu: float
    gain_e_per_adu: float | None
    """None where it is to be read off the noise."""
    read_noise_e: float = 0.0


RECORDINGS = {
    "cristae": Recording("b-sim-cristae/raw_9x120x120.tif", (120, 120), 1.3, 0.065, 549, 569, 100, 0.511, 1.2),
    "mitochondria": Recording(
        "b-sim-mitochondria/bsim2_hela_mito_120_raw.tif", (120, 120), 1.3, 0.065, 600, 660, 100, 0.512, 1.5
    ),
    "rdl-sim": Recording("rdl-sim-microtubules/MT.mrc", (256, 256), 1.3, 0.0626, 488, 525, 0, None),
    "rzcao": Recording("rzcao-microtubules/microtubules_9x256x256.tif", (256, 256), 1.49, 0.0867, 640, 660, 7000, None),
}


def load(recording: Recording, folder: Path) -> tuple[Real, Microscope]:
    """Return the photons (3, 3, y, x), offset taken off, and a microscope that takes one count for a photon."""
    path, shape = folder / recording.file, (3, 3, *recording.shape)
    mrc = path.suffix == ".mrc"
    adu = np.fromfile(path, "<u2", offset=1024) if mrc else tifffile.imread(path)
    scope = Microscope(
        name="real",
        optics=Optics(na=recording.na, pixel_size_um=recording.pixel_um),
        channels=(Channel(name="one", excitation_nm=recording.excitation_nm, emission_nm=recording.emission_nm),),
        camera=Camera(offset_adu=0, gain_e_per_adu=1, read_noise_e=recording.read_noise_e),
    )
    light = adu.astype(np.float64).reshape(shape) - recording.offset_adu
    gain = recording.gain_e_per_adu or _gain(light, Otf.of(scope))
    return light * gain, scope


def _gain(light: Real, otf: Otf) -> float:
    """Return electrons per ADU of light (..., y, x) in ADU: noise beyond the OTF is what photons make of it."""
    frames = torch.as_tensor(light, dtype=torch.float32)
    tapered = (frames - frames.mean(dim=(-2, -1), keepdim=True)) * window2d(light.shape[-2:])
    variance = noise_variance(tapered, otf)
    if variance is None:
        raise ValueError("the OTF fills the whole spectrum: the gain cannot be read off the noise")
    return float(light.mean() / variance.mean())


def halves(photons: Real, share: float, rng: np.random.Generator) -> tuple[Real, Real]:
    """Split the photons, of which this share is taken, into two recordings."""
    whole = np.maximum(np.round(photons), 0).astype(np.int64)
    taken = rng.binomial(whole, share)
    first = rng.binomial(taken, 0.5)
    return first.astype(np.float64), (taken - first).astype(np.float64)


def judge(photons: Real, scope: Microscope, weights: str, share: float) -> dict[str, float]:
    """Return what `SPLITS` splits say, averaged."""
    patterns, loaded = estimate_patterns(photons.astype(np.float32), scope), load_weights(weights)
    shape = photons.shape[-2:]
    found = []
    for number in range(SPLITS):
        denoised, sigma, plain = [], [], []
        for half in halves(photons, share, np.random.default_rng(number)):
            series = half.astype(np.float32)
            restored = Restorer(scope, patterns, shape, loaded).restore(series)
            if restored.sigma is None:
                raise ValueError(f"{weights}: these weights tell no error")
            denoised.append(_inner(restored.sr.numpy()))
            sigma.append(_inner(restored.sigma.numpy()))
            plain.append(_inner(Reconstructor(scope, patterns, shape)(series).numpy()))
        off = np.abs(denoised[0] - denoised[1])
        error = (np.mean((denoised[0] - plain[1]) ** 2) + np.mean((denoised[1] - plain[0]) ** 2)) / 2
        found.append(
            {
                "covered": float((off <= WITHIN * np.hypot(*sigma)).mean()),
                "one_covered": float(np.mean([off <= WITHIN * one for one in sigma])),
                "error": float(np.sqrt(error / np.mean((plain[0] - plain[1]) ** 2))),
                "filtered": filtered_nrmse(denoised[0], plain[1], border_px=0)
                / filtered_nrmse(plain[0], plain[1], border_px=0),
                "differ": float(np.sqrt(np.mean(off**2)) / denoised[0].std()),
            }
        )
    result = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    return result | {"photons": float(photons.mean() * share / 2), "trusted": sum(one.trusted for one in patterns)}


def _inner(image: Real) -> Real:
    return np.asarray(image, np.float64)[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.halves", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the recordings")
    parser.add_argument("weights", nargs="*", default=["rdl"], help="names of shipped weights, or files (default rdl)")
    parser.add_argument("--shares", type=float, nargs="+", default=[1.0, 0.1], help="of the photons to be split")
    parser.add_argument("--json", type=Path, help="also write the figures")
    options = parser.parse_args(arguments)
    table = Table(
        "recording", "weights", "photons", "trusted", "in 90 %", "of one", "error / SIM's", "filtered", "halves differ"
    )
    everything = {}
    for name, recording in RECORDINGS.items():
        if not (options.folder / recording.file).is_file():
            continue
        photons, scope = load(recording, options.folder)
        for share in options.shares:
            for weights in options.weights:
                one = judge(photons, scope, weights, share)
                everything[f"{name} {share:g} {Path(weights).stem}"] = one
                figures = (f"{one[key]:.3f}" for key in ("covered", "one_covered", "error", "filtered", "differ"))
                table.add_row(name, Path(weights).stem, f"{one['photons']:.1f}", f"{one['trusted']:.0f}", *figures)
    Console(width=120).print(table)
    if options.json is not None:
        options.json.write_text(json.dumps(everything, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
