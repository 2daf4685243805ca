"""What retraining in the background costs the live view: `python -m benchmarks.hot_swap --seconds 60`.

The live demo runs headless, its images computed in their own process: first alone, then while a retraining runs in the
background, both as quickly as the camera can; their images a second tell the cost. Then, still with the retraining, at
a pace that the computer keeps, so that a series without an image stands out: the denoiser is exchanged and exchanged
back. In no run may a raw frame be lost.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import tifffile
import yaml
from rich.console import Console

from benchmarks.scene import microscope
from rdl_live.app.live_demo import Demo, DemoSettings
from rdl_live.app.retrain.process import DenoiserSwitch, Phase, Retraining
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_live.stream import Result
from rdl_models import load_weights, save_weights

MOST_COST = 0.3
"""Share of the live rate that a retraining may cost."""
NEAR = 5
"""Series on both sides of an exchange that are looked at."""
QUICK, CALM = 100.0, 400.0
"""Photons a pixel: 11 ms a raw frame, as quick as it gets, or 41 ms."""
TRAINING_S = 240.0
"""How long the retraining may take to read its recording before it trains."""


class Seen:
    """The images that came: series, time and denoiser."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.images: list[tuple[int, float, str]] = []

    def __call__(self, result: Result) -> None:
        """Count an image."""
        with self._lock:
            self.images.append((result.key.time, result.ready_s, result.denoiser))

    def gaps(self) -> list[int]:
        """Return how many series have no image between each image and the one before."""
        times = [time for time, _, _ in self.images]
        return [later - earlier - 1 for earlier, later in pairwise(times)]

    def exchanges(self) -> list[int]:
        """Return the places of the first image of each other denoiser."""
        names = [name for _, _, name in self.images]
        return [index for index in range(1, len(names)) if names[index] != names[index - 1]]

    def rate(self, first_s: float, last_s: float) -> float:
        """Return images a second in an interval of `time.perf_counter`."""
        return sum(first_s <= ready < last_s for _, ready, _ in self.images) / max(last_s - first_s, 1e-9)


@dataclass(frozen=True)
class Round:
    """One run of the demo."""

    what: str
    """`alone`, `beside` a retraining, or `exchange` beside one."""
    raw_frames: int
    raw_frames_lost: int
    raw_fps: float
    sr_fps: float
    steps: int
    """Of the retraining."""
    exchanges: int
    """Of the denoiser."""
    gap_at_exchange: int
    """Most series without an image between two images, near an exchange."""
    gap_elsewhere: int
    """The same far from any, the first seconds left out."""
    latency_p95_ms: float | None


def run_demo(what: str, folder: Path, seconds: float, size: int, training: Retraining | None) -> Round:
    """Run the demo once; in `exchange` the denoiser is exchanged after a third and back after two thirds."""
    seen, exchange = Seen(), what == "exchange"
    settings = DemoSettings(folder / what, seconds=seconds, size=size, photons=CALM if exchange else QUICK)
    demo = Demo(settings, lambda _: None, (seen,))
    copied = folder / "exchanged.safetensors"
    same = load_weights(demo.settings.denoise)
    # Another name, by which its images are told from the others.
    save_weights(copied, same.network, same.card.model_copy(update={"name": "exchanged"}), overwrite=True)
    asked: list[Future[None]] = []
    with demo.run:
        switch = DenoiserSwitch(demo.run.use_denoiser, demo.settings.denoise)
        demo.run.start()
        start = time.perf_counter()
        while demo.run.running:
            demo.stop_if_overdue()
            share = (time.perf_counter() - start) / seconds
            if exchange and len(asked) < 2 and share > (len(asked) + 1) / 3:
                asked.append(switch.swap(str(copied)) if not asked else switch.back())
            time.sleep(0.05)
        report = demo.finish()
    for one in asked:
        one.result(30.0)
    return _round(what, seen, report, training)


def _round(what: str, seen: Seen, report: dict[str, object], training: Retraining | None) -> Round:
    gaps, exchanges = seen.gaps(), seen.exchanges()
    near = {place - 1 + step for place in exchanges for step in range(-NEAR, NEAR + 1)}
    settled = len(gaps) // 10
    latency = report["latency_ms"]
    return Round(
        what=what,
        raw_frames=int(str(report["raw_frames"])),
        raw_frames_lost=int(str(report["raw_frames_dropped"])),
        raw_fps=float(str(report["raw_fps"])),
        sr_fps=seen.rate(seen.images[settled][1], seen.images[-1][1]),
        steps=0 if training is None else training.status.step,
        exchanges=len(exchanges),
        gap_at_exchange=max((gap for index, gap in enumerate(gaps) if index in near), default=0),
        gap_elsewhere=max((gap for index, gap in enumerate(gaps) if index not in near and index > settled), default=0),
        latency_p95_ms=latency["p95"] if isinstance(latency, dict) else None,
    )


def start_training(folder: Path) -> Retraining:
    """Record a dim time-lapse, start to retrain on it, and wait until it trains."""
    scope = microscope()
    (folder / "M.yaml").write_text(yaml.safe_dump(scope.model_dump(mode="json", exclude_defaults=True)), "utf-8")
    made = simulate(scope, SpecimenSettings(kind="reticulum", seed=3), photons=3.0, shape=(192, 192), time_points=12)
    tifffile.imwrite(folder / "film.tif", np.concatenate([one.adu.numpy().reshape(9, 192, 192) for one in made]))
    training = Retraining([folder / "film.tif"], folder / "M.yaml", folder / "W.safetensors", scheme="tis", minutes=120)
    deadline = time.monotonic() + TRAINING_S
    while training.status.phase is Phase.PREPARING and time.monotonic() < deadline:
        time.sleep(0.2)
    if training.status.phase is not Phase.TRAINING:
        words = training.status.words
        training.close()
        raise SystemExit(f"the retraining did not start: {' '.join(words)}")
    return training


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo, print what was found, and return 1 where it is not what is wanted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hot_swap", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of each run of the demo (default 60)")
    parser.add_argument("--size", type=int, default=128, help="raw pixels in y and x of the demo (default 128)")
    parser.add_argument("--rounds", type=int, default=1, help="how often both are run, turn by turn (default 1)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write everything there")
    options = parser.parse_args(arguments)
    console, rounds = Console(width=140), list[Round]()
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            rounds.append(run_demo("alone", folder, options.seconds, options.size, None))
            training = start_training(folder)
            try:
                rounds += [
                    run_demo(what, folder, options.seconds, options.size, training) for what in ("beside", "exchange")
                ]
            finally:
                training.close()
        for one in rounds[-3:]:
            console.print(f"round {number + 1}: {asdict(one)}", highlight=False)
    return _verdict(rounds, options, console)


def _verdict(rounds: Sequence[Round], options: argparse.Namespace, console: Console) -> int:
    alone, beside, exchange = ([one for one in rounds if one.what == kind] for kind in ("alone", "beside", "exchange"))
    cost = 1 - float(np.median([one.sr_fps for one in beside]) / np.median([one.sr_fps for one in alone]))
    lost = sum(one.raw_frames_lost for one in rounds)
    gap = max(one.gap_at_exchange for one in exchange)
    console.print(
        f"raw frames lost {lost}; series without an image at an exchange {gap} (elsewhere "
        f"{max(one.gap_elsewhere for one in exchange)}); the retraining costs {cost:.0%} of the images a second",
        highlight=False,
    )
    if options.json:
        found = {"rounds": [asdict(one) for one in rounds], "cost": cost, "raw_frames_lost": lost, "gap": gap}
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0 if lost == 0 and gap <= 1 and cost < MOST_COST else 1


if __name__ == "__main__":
    sys.exit(main())
