"""Which sentences do good recordings draw? 200 simulated series over specimens, light, contrast, period, direction,
objective and pixel; all are listed.

python -m benchmarks.false_alarms [--count 200] [--side 128]
"""

import argparse
import re
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import tifffile
import torch
import yaml

from rdl_live.app.reconstruct.run import OfflineRun, Options
from rdl_live.optics import Camera, Channel, Microscope, Optics
from rdl_live.optics.pattern import evenly_spaced
from rdl_live.specimen import SpecimenSettings, simulate

KINDS = ("actin", "beads", "collage", "filaments", "mitochondria", "mixed", "reticulum", "rings")
PHOTONS = (3.0, 10.0, 30.0, 100.0, 300.0)
OBJECTIVES = ((1.49, 0.065), (1.4, 0.07), (1.3, 0.08), (1.45, 0.06), (1.2, 0.085))
"""NA and pixel [um], all fine enough for the cut-off at 525 nm."""
CONTRASTS = (0.4, 0.6, 0.8, 1.0)
FULL = 65535
CAMERA = Camera(offset_adu=100, gain_e_per_adu=0.46, read_noise_e=1.6)


def scope(number: int) -> Microscope:
    """Return a usual microscope."""
    na, pixel_um = OBJECTIVES[number % len(OBJECTIVES)]
    return Microscope(
        name="good",
        optics=Optics(na=na, pixel_size_um=pixel_um),
        channels=(Channel(name="488", excitation_nm=488, emission_nm=525),),
        camera=CAMERA,
    )


def sentences(folder: Path, number: int, side: int) -> tuple[str, list[str], list[bool]]:
    """Simulate one series and reconstruct it; return what it was, its warnings, and which patterns are trusted."""
    random = np.random.default_rng(number)
    kind, photons = KINDS[number % len(KINDS)], PHOTONS[(number // len(KINDS)) % len(PHOTONS)]
    contrast = CONTRASTS[(number // (len(KINDS) * len(PHOTONS))) % len(CONTRASTS)]
    microscope = scope(int(random.integers(len(OBJECTIVES))))
    # Stripes finer than the objective's own limit cannot be projected; the coarsest are those of a careful setting.
    finest = 0.488 / (2 * microscope.optics.na)
    period = float(random.uniform(1.1, 1.4)) * finest
    plain = microscope.model_dump(mode="json", exclude_none=True, exclude={"optics": {"otf"}})
    (folder / "M.yaml").write_text(yaml.safe_dump(plain))
    patterns = evenly_spaced(
        period,
        first_angle_deg=float(random.uniform(0, 60)),
        modulation=(contrast,),
        first_phase_rad=float(random.uniform(0, 6)),
    )
    raw = np.full((1, side, side), FULL, np.uint16)
    while raw.max() >= FULL:  # a saturated recording is none of the good ones
        made = simulate(
            microscope,
            SpecimenSettings.model_validate({"kind": kind, "seed": number}),
            patterns=patterns,
            photons=photons,
            shape=(side, side),
            seed=number,
            upsample=2,
        )
        raw = np.concatenate([one.adu.numpy().reshape(-1, side, side) for one in made]).astype(np.uint16)
        photons /= 2 if raw.max() >= FULL else 1
    tifffile.imwrite(folder / "raw.tif", raw, photometric="minisblack")
    with OfflineRun(folder / "raw.tif", folder / "M.yaml", torch.device("cpu"), Options(overwrite=True)) as run:
        report = run.reconstruct(folder / "sr.tif")
    what = f"{kind}, {photons:g} photons, contrast {contrast:g}, {1000 * period:.0f} nm, NA {microscope.optics.na:g}"
    return what, report.warnings, [pattern.trusted for pattern in report.patterns]


def main() -> None:
    """Run, and print every sentence with how often it came and where first."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=200)
    options.add_argument("--side", type=int, default=128)
    chosen = options.parse_args()
    counts: Counter[str] = Counter()
    where: dict[str, list[str]] = {}
    quiet = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(chosen.count):
            what, warnings, trusted = sentences(folder, number, chosen.side)
            quiet += not warnings
            for text in warnings:
                shape = re.sub(r"\d+(\.\d+)?", "#", text)
                counts[shape] += 1
                where.setdefault(shape, []).append(f"{what}: {text} {trusted}")
    print(f"{quiet} of {chosen.count} good series without a sentence")
    for shape, count in counts.most_common():
        print(f"\n{count} x {shape}")
        for line in where[shape][:60]:
            print(f"    {line[:170]}")


if __name__ == "__main__":
    main()
