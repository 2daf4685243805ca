"""Denoising of z-stacks after training on them alone: `python -m benchmarks.volumes --minutes 3`.

A light-sheet-like time-lapse is simulated and written to a file; `train tis --volume` and `train sis` learn from it,
and `denoise` is applied, as a user would. Scores are against the noise-free stacks, on held-out time points.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tifffile
import torch
import yaml
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from rdl_live.app.restore.run import restore_file
from rdl_live.app.retrain.volumes import open_volume_films
from rdl_live.files import VolumeWriter
from rdl_live.optics import Camera, Channel, Microscope, Optics, to_photons
from rdl_live.specimen import VolumeSettings, simulate_volume
from rdl_live.train.stacks.run import train_on_volumes
from rdl_live.train.stacks.settings import VolumeScheme
from rdl_live.train.stacks.settings import VolumeSettings as TrainSettings

WANTED_DB = 4.0


@dataclass(frozen=True)
class Score:
    """Of one scheme, on the held-out time points."""

    scheme: str
    steps: int
    minutes: float
    noisy_db: float
    """PSNR of the noisy stacks; the peak is the truth's."""
    smoothed_db: float
    """PSNR of the noisy stacks after the best Gaussian blur, which is told the truth."""
    denoised_db: float
    gained_db: float
    mean: float
    """Mean of the denoised photons / of the true ones."""
    seconds_a_stack: float


def microscope() -> Microscope:
    """Return a light-sheet-like detection: NA 1.1, 100 nm pixels, an sCMOS camera."""
    return Microscope(
        name="sheet",
        optics=Optics(na=1.1, pixel_size_um=0.1),
        channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
        camera=Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=1.5),
    )


def record(folder: Path, settings: VolumeSettings) -> tuple[Path, Path, NDArray[np.float32]]:
    """Write a time-lapse and the microscope file; return both, and the truth (T, Z, Y, X) [photons]."""
    scope, raw = microscope(), folder / "stacks.tif"
    described = scope.model_dump(mode="json", exclude_defaults=True)
    (folder / "M.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    truth = []
    shape = (settings.time_points, *settings.shape)
    with VolumeWriter(raw, shape, scope.optics.pixel_size_um, "green", dtype=np.uint16) as writer:
        for volume in simulate_volume(scope, settings):
            writer.write(volume.adu.numpy())
            truth.append(volume.expected.numpy())
    return raw, folder / "M.yaml", np.stack(truth)


def psnr(image: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Return 20 log10(peak of the truth / root mean square error) [dB]."""
    error = np.mean((image.astype(np.float64) - truth) ** 2)
    return float(20 * np.log10(truth.max() / np.sqrt(error)))


def score(scheme: VolumeScheme, raw: Path, scope: Path, truth: NDArray[np.float32], settings: TrainSettings) -> Score:
    """Train, denoise and compare."""
    weights, out = raw.with_name(f"{scheme}.safetensors"), raw.with_name(f"{scheme}.tif")
    result = train_on_volumes(open_volume_films([raw], scope), weights, settings.replace(scheme=scheme), force=True)
    if result.card is None:
        raise SystemExit(f"{scheme}: {' '.join(result.words)}")
    start = time.perf_counter()
    restore_file(raw, scope, str(weights), out)
    seconds = (time.perf_counter() - start) / len(truth)
    held = result.card.trained_on["recordings"][0]["held_out"]
    noisy = to_photons(torch.from_numpy(tifffile.imread(raw)[held].astype(np.float32)), microscope().camera).numpy()
    denoised = tifffile.imread(out)[held]
    before, after = psnr(noisy, truth[held]), psnr(denoised, truth[held])
    return Score(
        scheme=str(scheme),
        steps=result.card.steps,
        minutes=result.card.minutes,
        noisy_db=before,
        smoothed_db=max(psnr(_blurred(noisy, sigma), truth[held]) for sigma in (0.4, 0.6, 0.8, 1.0, 1.3)),
        denoised_db=after,
        gained_db=after - before,
        mean=float(denoised.mean() / truth[held].mean()),
        seconds_a_stack=seconds,
    )


def _blurred(stacks: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(stacks, (0, sigma, sigma, sigma)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 where a scheme gains less than is wanted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.volumes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3.0, help="of each training (default 3)")
    parser.add_argument("--steps", type=int, help="of each training, instead")
    parser.add_argument("--photons", type=float, default=5.0, help="mean a voxel (default 5)")
    parser.add_argument("--size", type=int, default=128, help="voxels in y and x (default 128)")
    parser.add_argument("--planes", type=int, default=16)
    parser.add_argument("--times", type=int, default=12, help="time points (default 12)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write everything there")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    recorded = VolumeSettings(
        shape=(options.planes, options.size, options.size), photons=options.photons, time_points=options.times, seed=7
    )
    settings = TrainSettings(minutes=options.minutes, steps=options.steps)
    with tempfile.TemporaryDirectory() as folder:
        raw, scope, truth = record(Path(folder), recorded)
        scores = [score(scheme, raw, scope, truth, settings) for scheme in VolumeScheme]
    table = Table("scheme", "steps", "min", "noisy dB", "best blur dB", "denoised dB", "gain dB", "mean", "s a stack")
    for one in scores:
        figures = (one.minutes, one.noisy_db, one.smoothed_db, one.denoised_db, one.gained_db)
        texts = [f"{value:.2f}" for value in figures]
        table.add_row(one.scheme, str(one.steps), *texts, f"{one.mean:.4f}", f"{one.seconds_a_stack:.1f}")
    Console(width=120).print(table)
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in scores], indent=2) + "\n", encoding="utf-8")
    return 0 if all(one.gained_db >= WANTED_DB for one in scores) else 1


if __name__ == "__main__":
    sys.exit(main())
