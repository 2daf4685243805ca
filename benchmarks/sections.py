"""What can be measured, one function a section: measure, print, return what was found."""

import argparse
import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from rich.console import Console

from benchmarks.acquire import AcquireRates, measure_acquire
from benchmarks.card import CardRates, SmallCard, measure_card, measure_small_card, show_card, show_small_card
from benchmarks.delay import Delay, measure_delay
from benchmarks.demo import DemoRates, measure_demo
from benchmarks.live_report import show_acquire, show_delay, show_demo, show_pipeline, show_scale, show_window
from benchmarks.measure import Measurement, measure
from benchmarks.network_cost import DenoiseCost, measure_denoise, show_denoise
from benchmarks.offline_report import show
from benchmarks.pipeline import PipelineRates, measure_pipeline
from benchmarks.scale import ScaleCost, measure_scale
from benchmarks.window import PaneCost, WindowRates, measure_panes, measure_window
from rdl_live.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Found = TypeVar("Found", bound="DataclassInstance")
Section = Callable[[argparse.Namespace, Console], "Sequence[DataclassInstance]"]
DEMO_PX = 256
LARGE_PX = 2048


def offline(options: argparse.Namespace, console: Console) -> list[Measurement]:
    """Time and quality of whole series, against other programs."""
    repeats = options.repeats or (1 if options.quick else 7)
    return _each(
        _sizes(options, [512]),
        console,
        lambda size: measure(size, photons=options.photons, repeats=repeats, seed=options.seed),
        show,
    )


def acquire(options: argparse.Namespace, console: Console) -> list[AcquireRates]:
    """Raw frames through engine and recorder."""
    series = options.series or (4 if options.quick else 90)
    repeats = options.repeats or (1 if options.quick else 3)
    with _folder(options.folder) as folder:
        return _each(
            _sizes(options, [512]),
            console,
            lambda size: measure_acquire(size, series, folder, repeats=repeats),
            show_acquire,
        )


def pipeline(options: argparse.Namespace, console: Console) -> list[PipelineRates]:
    """Images through the pipeline."""
    seconds = options.seconds or (0.2 if options.quick else 6.0)
    return _each(
        _sizes(options, [256, 512]),
        console,
        lambda size: measure_pipeline(size, photons=options.photons, seconds=seconds, seed=options.seed),
        show_pipeline,
    )


def denoise(options: argparse.Namespace, console: Console) -> list[DenoiseCost]:
    """Cost of the networks."""
    repeats = options.repeats or (1 if options.quick else 3)
    found = []
    for size in _sizes(options, [256, 512]):
        with console.status(f"networks at {size} x {size}"):
            measured = measure_denoise(size, repeats=repeats, compiled=not options.quick)
        for one in measured:
            show_denoise(one, console)
        found += measured
    return found


def delay(options: argparse.Namespace, console: Console) -> list[Delay]:
    """From the last raw frame to the viewer."""
    found = []
    for size, denoiser in itertools.product(_sizes(options, [256, 512]), ("none", "rdl")):
        with console.status(f"delay at {size} x {size}, denoiser {denoiser}"):
            found.append(measure_delay(size, denoiser, series=5 if options.quick else 60, seed=options.seed))
    show_delay(found, console)
    return found


def demo(options: argparse.Namespace, console: Console) -> list[DemoRates]:
    """The live demo."""
    seconds = options.seconds or (1.0 if options.quick else 15.0)
    with _folder(options.folder) as folder:
        size = 128 if options.quick else DEMO_PX
        return _each([size], console, lambda size: measure_demo(size, seconds, folder), show_demo)


def window(options: argparse.Namespace, console: Console) -> list[WindowRates | PaneCost]:
    """The demo's window: how soon it is there, and what it costs."""
    with console.status("the demo, with its window and without"):
        seconds = options.seconds or (1.0 if options.quick else 15.0)
        found, panes = measure_window(seconds), measure_panes(seconds)
    show_window(found, panes, console)
    return [*found, *panes]


def scale(options: argparse.Namespace, console: Console) -> list[ScaleCost]:
    """How the cost of a recording grows."""
    found = []
    with _folder(options.folder) as folder, console.status("recordings of all sizes") as line:
        for one in measure_scale(folder, quick=options.quick):
            found.append(one)
            line.update(f"{one.axis} {one.value}: {one.ms:.2f} ms a series")
    show_scale(found, console)
    return found


def card(options: argparse.Namespace, console: Console) -> "list[CardRates | SmallCard]":
    """The live path on a graphics card."""
    if not torch.cuda.is_available():
        console.print("card: no NVIDIA GPU can be used here, nothing measured", highlight=False)
        return []
    found: list[CardRates | SmallCard] = []
    for size in _sizes(options, [512]):
        with console.status(f"card at {size} x {size}"):
            found.append(measure_card(size, seconds=options.seconds or (0.5 if options.quick else 5.0)))
        show_card(found[-1], console)
    large = 512 if options.quick else LARGE_PX
    with console.status(f"card of 8 GiB at {large} x {large}"):
        small = measure_small_card(large)
    show_small_card(small, console)
    return [*found, small]


SECTIONS: dict[str, tuple[str, Section]] = {
    "offline": ("measurements", offline),
    "acquire": ("acquire", acquire),
    "pipeline": ("pipeline", pipeline),
    "delay": ("delay", delay),
    "denoise": ("denoise", denoise),
    "demo": ("demo", demo),
    "window": ("window", window),
    "scale": ("scale", scale),
    "card": ("card", card),
}
"""Sections by name, with their keys in the JSON file."""


def _each(
    sizes: Sequence[int],
    console: Console,
    measured: Callable[[int], Found],
    shown: Callable[[Found, Console], None],
) -> list[Found]:
    found = []
    for size in sizes:
        with console.status(f"measuring {size} x {size}"):
            found.append(measured(size))
        shown(found[-1], console)
    return found


def _sizes(options: argparse.Namespace, usual: list[int]) -> list[int]:
    return options.sizes or ([128] if options.quick else usual)


@contextmanager
def _folder(parent: Path) -> Iterator[Path]:
    """A folder for recordings, deleted at the end."""
    try:
        with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=parent) as name:
            yield Path(name)
    except OSError as error:
        raise OutputError(f"{parent}: cannot be written ({error.strerror}); choose another --folder") from error
