"""Entry of `python -m benchmarks`: threads are set before anything that starts some is imported."""

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

NAMES = ("offline", "acquire", "pipeline", "delay", "denoise", "demo", "window", "scale", "card")
"""Of the sections; those of `benchmarks.sections`, which is imported later."""
USER_ERROR = 2


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    found = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Times and quality of rdl-live. offline: whole series, turn by turn with "
        "napari-sim-processor's OpenCV path (python -m pip install -r benchmarks/requirements.txt). acquire: raw "
        "frames through engine and recorder. pipeline: images from series in memory. delay: from the last raw frame to "
        "the viewer. "
        "denoise: what the networks cost. demo: the live demo. window: its window. scale: whole recordings against "
        "frame, orientations, time points, cores and workers of a cluster. card: the live path on a graphics card.",
    )
    found.add_argument(
        "sections", nargs="*", metavar="SECTION", help=f"{', '.join(NAMES)}, or all (default)", default=["all"]
    )
    found.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        metavar="N",
        help="pixels in y and x (512; pipeline, delay, denoise 256 512; demo always 256)",
    )
    found.add_argument("--photons", type=float, default=200.0, help="photons a pixel and frame (default 200)")
    found.add_argument("--threads", type=int, default=2, help="for every program alike (default 2)")
    found.add_argument(
        "--repeats",
        type=int,
        help="offline: rounds of the slow jobs, quick ones run 3 times as often (7); acquire: rounds (3)",
    )
    found.add_argument("--series", type=int, help="acquire: series of raw frames in each recording (90)")
    found.add_argument("--seconds", type=float, help="pipeline: of each measurement (6); demo: how long (15)")
    found.add_argument("--seed", type=int, default=1, help="of the specimen, phases and noise (default 1)")
    found.add_argument(
        "--folder", type=Path, default=Path(), metavar="DIR", help="disk to record to; nothing stays there (here)"
    )
    found.add_argument("--json", type=Path, metavar="OUT", help="also write everything there")
    found.add_argument("--quick", action="store_true", help="small and short: only to see that it runs")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    line = parser()
    options = line.parse_args(arguments)
    unknown = sorted({*options.sections} - {*NAMES, "all"})
    if unknown:
        line.error(f"no section {', '.join(unknown)}; choose from {', '.join(NAMES)}, all")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    from rdl_live.errors import RdlError

    try:
        _measure(options)
    except RdlError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    return 0


def _measure(options: argparse.Namespace) -> None:
    """Run the sections, and write what was found if that is wanted."""
    from rich.console import Console

    from benchmarks.report import save
    from benchmarks.sections import SECTIONS

    machine = _set_threads(options.threads)
    console = Console()
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()))
    found = {}
    for name in NAMES:
        if name in options.sections or "all" in options.sections:
            key, section = SECTIONS[name]
            found[key] = section(options, console)
    if options.json:
        save(found, options.json, machine)


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
