"""What the memory of a time-lapse gains, and whether its intervals still hold: `python -m benchmarks.memory`.

Each film shows a specimen of its own (kind, speed, light; true patterns) from a seed that nothing was chosen on. Of its
last four series: the error with the memory relative to that without, and the share of pixels whose truth lies within
1.645 sigma (90 % wanted), with and without. `--out` keeps a line a film, and goes on where it was left.

Simulator and restoration share the optics here (OTF, noise-free patterns); nothing that the memory assumes about motion
is shared.
"""

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from rdl_live.optics import Camera, Channel, Microscope, Optics
from rdl_live.restore import Restored, Restorer
from rdl_live.specimen import SimulationSettings, SpecimenSettings
from rdl_live.specimen.simulation import Simulation

KINDS = ("filaments", "mitochondria", "reticulum", "rings", "actin")
NM_A_SERIES = (0, 25, 100)
PHOTONS = (5, 2, 20)
WITHIN = 1.645
"""Standard deviations that hold 90 % of a normal distribution."""
_BORDER_PX = 8


@dataclass(frozen=True, slots=True)
class Film:
    """What one film gave: errors relative to those without memory, and shares of pixels."""

    kind: str
    nm_a_series: int
    photons: int
    seed: int
    ratio: float
    held_without: float
    held_with: float


def microscope() -> Microscope:
    """Return an objective of NA 1.49 and an even sCMOS."""
    return Microscope(
        name="memory",
        optics=Optics(na=1.49, pixel_size_um=0.065),
        channels=(Channel(name="488", excitation_nm=488, emission_nm=525),),
        camera=Camera(offset_adu=100, gain_e_per_adu=0.46, read_noise_e=1.6),
    )


def measure(kind: str, nm_a_series: int, photons: int, seed: int, *, series: int = 9, size: int = 128) -> Film:
    """Restore a film with and without memory, and compare the last four series with the truth."""
    scope = microscope()
    film = Simulation(
        scope,
        SpecimenSettings.model_validate({"kind": kind, "seed": seed, "speed_um_s": nm_a_series / 1000}),
        SimulationSettings(
            photons=photons, shape=(size, size), seed=seed, time_points=series, interval_s=1.0, frame_time_s=0.01
        ),
    )
    restorer = Restorer(scope, film.patterns, (size, size), "rdl")
    memory = restorer.memory(6)
    errors: list[tuple[float, float]] = []
    held: list[tuple[float, float]] = []
    for number, taken in enumerate(film):
        late = restorer.restore(taken.adu, memory=memory)
        if number < series - 4:
            continue
        alone = restorer.restore(taken.adu)
        errors.append((_error(alone, taken.truth), _error(late, taken.truth)))
        held.append((_held(alone, taken.truth), _held(late, taken.truth)))
    without, with_memory = (statistics.fmean(one) for one in zip(*errors, strict=True))
    held_without, held_with = (statistics.fmean(one) for one in zip(*held, strict=True))
    return Film(kind, nm_a_series, photons, seed, with_memory / without, held_without, held_with)


def _inner(image: torch.Tensor) -> torch.Tensor:
    return image[_BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX]


def _error(image: Restored, truth: torch.Tensor) -> float:
    return float(_inner(image.sr - truth).square().mean().sqrt())


def _held(image: Restored, truth: torch.Tensor) -> float:
    assert image.sigma is not None  # the shipped weights know how wrong they are
    return float((_inner(image.sr - truth).abs() < WITHIN * _inner(image.sigma)).float().mean())


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every film; return 1 where one is worse with memory than without."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, metavar="FILE.jsonl", help="a line a film; gone on with")
    parser.add_argument("--seed", type=int, default=4101, help="of the first film (default 4101)")
    parser.add_argument("--most", type=int, help="films to measure now")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    films: list[Film] = []
    if options.out and options.out.exists():
        films = [Film(**json.loads(line)) for line in options.out.read_text("utf-8").splitlines()]
    known = {film.seed for film in films}
    wanted = [(kind, nm, photons) for photons in PHOTONS for kind in KINDS for nm in NM_A_SERIES]
    left = [(one, seed) for seed, one in enumerate(wanted, start=options.seed) if seed not in known]
    for (kind, nm, photons), seed in left[: options.most]:
        film = measure(kind, nm, photons, seed)
        films.append(film)
        line = json.dumps(asdict(film))
        print(line, flush=True)
        if options.out:
            with options.out.open("a", encoding="utf-8") as lines:
                lines.write(line + "\n")
    for nm in NM_A_SERIES:
        at = [film for film in films if film.nm_a_series == nm]
        if at:
            ratios, before, after = zip(*((f.ratio, f.held_without, f.held_with) for f in at), strict=True)
            print(
                f"{nm:4d} nm a series, {len(at)} films: error with / without {statistics.median(ratios):.3f} "
                f"(at most {max(ratios):.3f}); intervals hold {statistics.median(after):.3f} with "
                f"(least {min(after):.3f}), {statistics.median(before):.3f} without (least {min(before):.3f})"
            )
    return int(any(film.ratio > 1.0 for film in films))


if __name__ == "__main__":
    raise SystemExit(main())
