"""What the denoiser is worth in light as dim and on cameras as uneven as real ones: `python -m benchmarks.real_light`.

One field of each kind at levels from 228 to 0.7 photons a pixel, contrast .17, .17 and .36, an OTF below the ideal, a
fixed pattern of the camera's offsets of 0.4 electrons: what a public recording of microtubules had. Fields and forward
model are not those that the denoisers are trained on (`benchmarks.phasors`, `benchmarks.dim_cells`). Files are written
and the program is run on them as a user runs it. Errors (NRMSE) are against the true image; --reference bright gives
those against the brightest level's SIM image instead. "Its noise" is the widefield image's error against what it is
without noise: a denoised image that is worse than that had better not been made.

Levels come twice: really dim, and thinned from the brightest recording, whose fixed pattern and read noise are thinned
with its light, which flatters. Results are kept in the JSON file; what is there already is not computed again.
"""

import argparse
import json
import sys
import zlib
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tifffile
import yaml
from rich.console import Console
from rich.table import Table

from benchmarks.dim_cells import KINDS
from benchmarks.grids import Real, doubled
from benchmarks.phasors import Eye, ideal, seen
from benchmarks.score import nrmse
from rdl_live.cli import app

LEVELS = (228.0, 166.0, 38.0, 10.0, 6.4, 3.8, 1.8, 0.7)
CONTRAST = (0.17, 0.17, 0.36)
PERIOD_UM, FIRST_DEG = 0.19, 20.0
HAZE, HAZE_BLUR_UM = 0.3, 0.6
"""Share of the light that is out of focus, and its blur."""
GLOW = 0.2
"""Share of the light that is the same everywhere."""
FIXED_E = 0.4
OFFSET_ADU, GAIN, READ_E = 100.0, 0.46, 1.6
DAMPING_UM = 0.06
WITHIN = 1.645
"""Standard errors within which 90 % are to lie."""
ARMS = ("none", "own", "from")
"""SIM and denoised with the series' own patterns; denoised with those of the brightest level."""


@dataclass(frozen=True)
class Field:
    """A specimen without noise."""

    frames: Real
    """(3, 3, y, x), mean 1."""
    truth: Real
    """(2y, 2x), mean about 1."""


def make_field(kind: str, size: int, eye: Eye, seed: int, contrast: Sequence[float] = CONTRAST) -> Field:
    """Return a field of a kind."""
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    side = size * eye.pixel_um
    points = KINDS[kind](side, rng)
    frames = []
    for orientation, depth in enumerate(contrast):
        turn = np.deg2rad(FIRST_DEG + 60 * orientation + rng.normal(0, 0.4))
        way = points.place_um[:, 1] * np.cos(turn) + points.place_um[:, 0] * np.sin(turn)
        start = rng.uniform(0, 2 * np.pi)
        for phase in range(3):
            step = start + 2 * np.pi * phase / 3 + rng.normal(0, np.deg2rad(3))
            light = 1 + depth * np.cos(2 * np.pi * way / PERIOD_UM + step)
            frames.append(seen(points, points.light * light, eye, size))
    sharp = np.array(frames).clip(0)
    scale = 1 / sharp.mean()
    soft = scale * seen(points, points.light, eye, size, blur_um=HAZE_BLUR_UM)
    cutoff = eye.cutoff + 1 / PERIOD_UM
    wanted = scale * ideal(points, points.light, eye, size, cutoff)
    wanted_soft = scale * ideal(points, points.light, eye, size, cutoff, blur_um=HAZE_BLUR_UM)
    focus = (1 - HAZE) * (1 - GLOW)
    frames_all = focus * scale * sharp + HAZE * (1 - GLOW) * soft + GLOW
    truth = focus * wanted + HAZE * (1 - GLOW) * wanted_soft + GLOW
    mean = frames_all.mean()
    return Field((frames_all / mean).reshape(3, 3, size, size), truth / mean)


def fixed_pattern(size: int, rms_e: float, seed: int) -> Real:
    """Return by how much every pixel's offset differs [ADU], white but for weak columns."""
    rng = np.random.default_rng([seed, 7])
    pattern = rng.standard_normal((size, size)) + 0.3 * rng.standard_normal(size)
    return np.asarray(pattern / pattern.std() * rms_e / GAIN)


def record(light: Real, pattern: Real, rng: np.random.Generator) -> Real:
    """Return what a camera makes of expected photons, ADU."""
    electrons = rng.poisson(light) + rng.normal(0, READ_E, light.shape)
    return np.asarray(np.clip(np.round(electrons / GAIN + OFFSET_ADU + pattern), 0, 65535))


def thinned(adu: Real, share: float, rng: np.random.Generator) -> Real:
    """Return what one makes of a bright recording by taking each of its photons with this chance."""
    photons = np.maximum(np.round((adu - OFFSET_ADU) * GAIN), 0).astype(np.int64)
    return np.asarray(np.round(rng.binomial(photons, share) / GAIN + OFFSET_ADU))


def write_microscope(path: Path, eye: Eye) -> None:
    """Write the microscope file, which knows nothing of damping and fixed pattern."""
    path.write_text(
        yaml.safe_dump(
            {
                "name": "real-light",
                "optics": {"na": eye.na, "pixel_size_um": eye.pixel_um},
                "channels": [{"name": "488", "excitation_nm": 488, "emission_nm": eye.emission_um * 1e3}],
                "pattern": {"angles": 3, "phases": 3},
                "camera": {"offset_adu": OFFSET_ADU, "gain_e_per_adu": GAIN, "read_noise_e": READ_E},
            }
        )
    )


def run(raw: Path, scope: Path, folder: Path, more: Sequence[str]) -> tuple[Real, Real | None, dict[str, Any]]:
    """Reconstruct as a user does; return image, standard error and report."""
    out, report = folder / "sr.tif", folder / "report.json"
    for old in folder.glob("sr*"):
        old.unlink()
    arguments = ["reconstruct", str(raw), "-m", str(scope), "--out", str(out), "--report", str(report), "--overwrite"]
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        app([*arguments, *more], standalone_mode=False)
    sigma = folder / "sr-sigma.tif"
    image = tifffile.imread(out).astype(np.float64)
    error = tifffile.imread(sigma).astype(np.float64) if sigma.exists() else None
    return _first(image), None if error is None else _first(error), json.loads(report.read_text())


def _first(film: Real) -> Real:
    return film.reshape(-1, *film.shape[-2:])[0]


class Bench:
    """All levels of all kinds, kept in a JSON file as they come."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.eye = Eye(na=1.49, emission_um=0.525, pixel_um=0.065, damping_um=options.damping)
        self.file: Path = options.json
        self.found: dict[str, Any] = json.loads(self.file.read_text()) if self.file.exists() else {}

    def kind(self, kind: str) -> None:
        """Run all levels of a kind that are not there yet."""
        options = self.options
        wanted = [
            (level, thin, arm)
            for level in options.levels
            for thin in ((False, True) if options.thinned and level < max(options.levels) else (False,))
            for arm in options.arms
            if self.key(kind, level, thin, arm) not in self.found
        ]
        if not wanted:
            return
        field = make_field(kind, options.size, self.eye, options.seed)
        pattern = fixed_pattern(options.size, options.fixed, options.seed)
        with TemporaryDirectory() as name:
            folder = Path(name)
            scope = folder / "M.yaml"
            write_microscope(scope, self.eye)
            bright = self._recorded(field, max(options.levels), pattern, folder / "bright.tif")
            reference = field.truth * max(options.levels)
            if options.reference == "bright":
                reference, _, _ = run(folder / "bright.tif", scope, folder, [])
            for level, thin, arm in wanted:
                raw = folder / "raw.tif"
                if thin:
                    rng = np.random.default_rng([options.seed, 3, round(1000 * level)])
                    self._write(raw, thinned(bright, level / max(options.levels), rng))
                else:
                    self._recorded(field, level, pattern, raw)
                wanted_image = reference * (level / max(options.levels))
                blurred = doubled(field.frames.mean(axis=(0, 1))).real * level
                scores = self._scores(raw, scope, folder, arm, wanted_image, blurred)
                self.found[self.key(kind, level, thin, arm)] = scores
                self.file.write_text(json.dumps(self.found, indent=1))

    def key(self, kind: str, level: float, thin: bool, arm: str) -> str:
        """Return the name of a result."""
        weights = "" if arm == "none" else f"@{self.options.weights}"
        options = self.options
        field = (
            f"{options.size}px seed {options.seed} fixed {options.fixed:g} series {options.series} {options.reference}"
        )
        return f"{kind} {level:g}{' thinned' if thin else ''} {arm}{weights} ({field})"

    def _recorded(self, field: Field, level: float, pattern: Real, path: Path) -> Real:
        rng = np.random.default_rng([self.options.seed, 1, round(1000 * level)])
        adu = np.stack([record(field.frames * level, pattern, rng) for _ in range(self.options.series)])
        self._write(path, adu)
        return adu

    def _write(self, path: Path, adu: Real) -> None:
        tifffile.imwrite(path, adu.astype(np.uint16).reshape(-1, *adu.shape[-2:]), photometric="minisblack")

    def _scores(self, raw: Path, scope: Path, folder: Path, arm: str, wanted: Real, blurred: Real) -> dict[str, Any]:
        """Return errors against what is `wanted`, and of the widefield image against what it is without noise."""
        more = [] if arm == "none" else ["--denoise", self.options.weights]
        if arm == "from":
            more += ["--patterns", str(folder / "bright.tif")]
        image, sigma, report = run(raw, scope, folder, more)
        frames = tifffile.imread(raw)[:9].astype(np.float64)
        widefield = doubled(((frames - OFFSET_ADU) * GAIN).mean(axis=0)).real
        row = {
            "error": nrmse(image, wanted),
            "widefield": nrmse(widefield, wanted),
            "widefield_noise": nrmse(widefield, blurred),
            "trusted": sum(bool(one.get("trusted", True)) for one in report["patterns"]),
            "contrast": [one.get("modulation") for one in report["patterns"]],
            "fixed_pattern_e": report.get("fixed_pattern_e"),
            "warnings": report.get("warnings", []),
        }
        if sigma is not None:
            row["covered"] = float((np.abs(image - wanted) <= WITHIN * sigma).mean())
        return row


def table(bench: Bench) -> Table:
    """Return what was found: geometric means over the kinds."""
    options = bench.options
    columns = ("photons", "widefield", "its noise", *options.arms, "in 90 %", "trusted")
    shown = Table(*columns, title=f"{options.weights}: {', '.join(options.objects)}")
    for level in sorted(options.levels, reverse=True):
        for thin in (False, True) if options.thinned else (False,):
            rows = {
                arm: [bench.found.get(bench.key(kind, level, thin, arm)) for kind in options.objects]
                for arm in options.arms
            }
            rows = {arm: [one for one in found if one] for arm, found in rows.items()}
            if not all(rows.values()):
                continue
            first = next(iter(rows.values()))
            errors = [_mean([one["error"] for one in found]) for found in rows.values()]
            covered = " ".join(
                f"{np.mean([one['covered'] for one in found]):.2f}" for found in rows.values() if "covered" in found[0]
            )
            trusted = " ".join(f"{np.mean([one['trusted'] for one in found]):.1f}" for found in rows.values())
            widefield = (f"{_mean([one[name] for one in first]):.3f}" for name in ("widefield", "widefield_noise"))
            name = f"{level:g}{' thinned' if thin else ''}"
            shown.add_row(name, *widefield, *(f"{one:.3f}" for one in errors), covered, trusted)
    return shown


def _mean(values: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, print the table; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.real_light", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("weights", nargs="?", default="rdl", help="name of shipped weights, or a file (default rdl)")
    parser.add_argument("--json", type=Path, default=Path("real-light.json"), help="where results are kept")
    parser.add_argument("--size", type=int, default=128, help="raw pixels in y and x (default 128)")
    parser.add_argument("--levels", type=float, nargs="+", default=list(LEVELS), help="photons a pixel and frame")
    parser.add_argument("--objects", nargs="+", default=list(KINDS), choices=list(KINDS), metavar="NAME")
    parser.add_argument("--arms", nargs="+", default=["none", "own"], choices=ARMS)
    parser.add_argument("--series", type=int, default=1, help="series in each file; the first one is scored")
    parser.add_argument("--fixed", type=float, default=FIXED_E, help="fixed pattern [electrons rms]")
    parser.add_argument("--damping", type=float, default=DAMPING_UM, help="of the OTF [um]")
    parser.add_argument("--reference", choices=("truth", "bright"), default="truth")
    parser.add_argument("--thinned", action="store_true", help="also levels thinned from the brightest")
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args(arguments)
    bench = Bench(options)
    for kind in options.objects:
        bench.kind(kind)
    Console(width=120).print(table(bench))
    return 0


if __name__ == "__main__":
    sys.exit(main())
