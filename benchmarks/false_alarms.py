"""Which sentences do good recordings draw? 200 simulated series over specimens, light and contrast; all are listed.

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
PHOTONS = (5.0, 15.0, 50.0, 200.0, 1000.0)
CONTRASTS = (0.4, 0.6, 0.8, 1.0)
FULL = 65535
CAMERA = Camera(offset_adu=100, gain_e_per_adu=0.46, read_noise_e=1.6)


def scope() -> Microscope:
    """Return a usual microscope."""
    return Microscope(
        name="good",
        optics=Optics(na=1.49, pixel_size_um=0.065),
        channels=(Channel(name="488", excitation_nm=488, emission_nm=525),),
        camera=CAMERA,
    )


def sentences(folder: Path, number: int, side: int) -> tuple[str, list[str], list[bool]]:
    """Simulate one series and reconstruct it; return what it was, its warnings, and which patterns are trusted."""
    random = np.random.default_rng(number)
    kind, photons = KINDS[number % len(KINDS)], PHOTONS[(number // len(KINDS)) % len(PHOTONS)]
    contrast = CONTRASTS[(number // (len(KINDS) * len(PHOTONS))) % len(CONTRASTS)]
    period = float(random.uniform(0.18, 0.24))
    patterns = evenly_spaced(
        period,
        first_angle_deg=float(random.uniform(0, 60)),
        modulation=(contrast,),
        first_phase_rad=float(random.uniform(0, 6)),
    )
    raw = np.full((1, side, side), FULL, np.uint16)
    while raw.max() >= FULL:  # a saturated recording is none of the good ones
        made = simulate(
            scope(),
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
    what = f"{kind}, {photons:g} photons, contrast {contrast:g}, period {1000 * period:.0f} nm"
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
        plain = scope().model_dump(mode="json", exclude_none=True, exclude={"optics": {"otf"}})
        (folder / "M.yaml").write_text(yaml.safe_dump(plain))
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
