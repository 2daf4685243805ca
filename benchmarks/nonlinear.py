"""Nonlinear SIM (5 x 5, two harmonics): patterns found blind, image against a textbook that is told the truth.

    python -m benchmarks.nonlinear [--size 256] [--rate 512]

Simulated series of a dye that saturates and bleaches by a fifth over the 25 frames. `error` is the `nrmse` against the
true image of reach cut-off + 2 |k0|; the textbook (`benchmarks.textbook`) knows patterns and brightness of every frame,
and its Wiener parameter is the one of the least error. Resolution is that of a decorrelation analysis.
"""

import argparse
import math
import time

from rich.console import Console
from rich.table import Table

from benchmarks.score import nrmse
from benchmarks.textbook import best_textbook
from rdl_live.optics import (
    Camera,
    Channel,
    Microscope,
    Optics,
    Otf,
    PatternGeometry,
    PatternSet,
    Reconstructor,
    estimate_patterns,
)
from rdl_live.optics.noise import to_photons
from rdl_live.optics.quality import decorrelation
from rdl_live.specimen import SpecimenSettings, simulate

SCOPE = Microscope(
    name="nonlinear",
    optics=Optics(na=1.49, pixel_size_um=0.0625),
    channels=(Channel(name="488", excitation_nm=488, emission_nm=525),),
    pattern=PatternGeometry(angles=5, phases=5, harmonics=2),
    camera=Camera(offset_adu=100, gain_e_per_adu=0.46, read_noise_e=1.6),
)
PHOTONS = (500.0, 100.0, 20.0)
CURVES = {"saturated": {"saturation": 3.0}, "weakly saturated": {"saturation": 0.3}, "switched": {"switching": 1.5}}
BORDER_PX = 48
REPEATS = 5


def second_harmonic_error_px(found: PatternSet, true: PatternSet, field_um: float) -> float:
    """Return the largest error of 2 k0 [samples of the raw frame's FFT]."""
    errors = []
    for one, other in zip(found, true, strict=True):
        there = other.canonical()
        errors.append(2 * math.hypot(one.kx - there.kx, one.ky - there.ky) * field_um)
    return max(errors)


def rate(size: int) -> float:
    """Return seconds a series of size x size, on the threads that torch has."""
    series = simulate(SCOPE, SpecimenSettings(kind="filaments"), photons=100.0, shape=(size, size)).series(0)
    reconstructor = Reconstructor(SCOPE, series.patterns, (size, size))
    reconstructor(series.adu)
    start = time.perf_counter()
    for _ in range(REPEATS):
        reconstructor(series.adu)
    return (time.perf_counter() - start) / REPEATS


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--kind", default="filaments")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--photons", type=float, nargs="+", default=PHOTONS)
    parser.add_argument("--curve", nargs="+", choices=list(CURVES), default=list(CURVES))
    parser.add_argument("--rate", type=int, default=0, help="also time series of so many pixels each way")
    options = parser.parse_args()
    table = Table(title=f"5 x 5, {options.kind}, {options.size} px")
    for heading in (
        "dye",
        "photons",
        "m1, m2",
        "found m2",
        "2 k0 off px",
        "textbook",
        "ours",
        "ratio",
        "resolution nm",
    ):
        table.add_column(heading)
    shape = (options.size, options.size)
    otf = Otf.of(SCOPE)
    for name in options.curve:
        for photons in options.photons:
            series = simulate(
                SCOPE,
                SpecimenSettings(kind=options.kind, seed=options.seed),
                photons=photons,
                shape=shape,
                seed=options.seed,
                response=CURVES[name],
                light={"bleaching": 0.2},
            ).series(0)
            found = estimate_patterns(series.adu, SCOPE)
            image = Reconstructor(SCOPE, found, shape)(series.adu)
            truth = series.total.double().numpy()
            light = to_photons(series.adu, SCOPE.camera).double().numpy()
            _, _, textbook = best_textbook(light, otf, series.patterns, truth)
            ours = nrmse(image, truth, border_px=BORDER_PX)
            sharp = decorrelation(image, SCOPE.optics.pixel_size_um / 3)
            true = series.patterns[0].modulation
            depths = [pattern.modulation[1] for pattern in found]
            table.add_row(
                name,
                f"{photons:.0f}",
                f"{true[0]:.2f}, {true[1]:.3f}",
                f"{min(depths):.3f} to {max(depths):.3f}",
                f"{second_harmonic_error_px(found, series.patterns, options.size * SCOPE.optics.pixel_size_um):.3f}",
                f"{textbook:.3f}",
                f"{ours:.3f}",
                f"{ours / textbook:.2f}",
                "-" if sharp is None else f"{1e3 * sharp.resolution_um:.0f}",
            )
    console = Console(width=140)
    console.print(table)
    if options.rate:
        console.print(f"{options.rate} px: {1e3 * rate(options.rate):.0f} ms a series")


if __name__ == "__main__":
    main()
