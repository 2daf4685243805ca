"""Entry of `python -m benchmarks`: threads are set before anything that starts some is imported."""

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    found = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Time and quality of rdl-live, turn by turn with napari-sim-processor's OpenCV path "
        "(python -m pip install -r benchmarks/requirements.txt), on synthetic series.",
    )
    found.add_argument("--sizes", type=int, nargs="+", metavar="N", help="pixels in y and x (default 512)")
    found.add_argument("--photons", type=float, default=200.0, help="photons a pixel and frame (default 200)")
    found.add_argument("--threads", type=int, default=2, help="for every program alike (default 2)")
    found.add_argument(
        "--repeats", type=int, help="rounds of the slow jobs; quick ones run 3 times as often (7)"
    )
    found.add_argument("--seed", type=int, default=1, help="of the specimen, phases and noise (default 1)")
    found.add_argument("--json", type=Path, metavar="OUT", help="also write everything there")
    found.add_argument("--quick", action="store_true", help="128 pixels, 1 round: only to see that it runs")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    options = parser().parse_args(arguments)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    from rich.console import Console

    from benchmarks.measure import measure
    from benchmarks.report import save, show

    machine = _set_threads(options.threads)
    console = Console()
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()))
    found = []
    for size in options.sizes or ([128] if options.quick else [512]):
        with console.status(f"measuring {size} x {size}"):
            repeats = options.repeats or (1 if options.quick else 7)
            found.append(measure(size, photons=options.photons, repeats=repeats, seed=options.seed))
        show(found[-1], console)
    if options.json:
        save(found, options.json, machine)
    return 0


def _set_threads(threads: int) -> dict[str, str | int]:
    """Give torch and OpenCV the same number of threads; return what ran where."""
    import torch

    torch.set_num_threads(threads)
    machine: dict[str, str | int] = {"Python": platform.python_version(), "torch": str(torch.__version__)}
    try:
        import cv2
    except ModuleNotFoundError:
        pass
    else:
        cv2.setNumThreads(threads)
        machine["OpenCV"] = str(cv2.__version__)
    return machine | {"threads": threads, "cores": os.cpu_count() or 1}


if __name__ == "__main__":
    sys.exit(main())
