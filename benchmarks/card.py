"""The whole live path on a graphics card: images a second, what each part of the way is worth, and memory.

Everything that is compared is measured turn by turn. Without a card the same is run on the processor, to see that it
runs; the figures then say nothing.
"""

import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.scene import Scene, make_scene
from benchmarks.score import nrmse
from benchmarks.timing import median_ms
from rdl_live.files.recorder import FrameTag
from rdl_live.optics import PatternSet, estimate_patterns
from rdl_live.restore import Restorer
from rdl_live.restore.graph import SWITCH
from rdl_live.restore.live import quick_half
from rdl_live.stream import PipelineRecipe, background
from rdl_live.stream.upload import pin

GIB = 2**30
SMALL_CARD_BYTES = 8 * GIB
WARM = 4
PHOTONS = 20.0


@dataclass(frozen=True)
class CardRates:
    """One frame size, the shipped denoiser."""

    size: int
    device: str
    half: bool
    """Whether the network computes in bfloat16, as a live run chooses it."""
    sr_per_s: float
    """Images a second, from frames in memory to images in memory."""
    without_graph_sr_per_s: float
    """Likewise, kernels started one by one."""
    plain_sr_per_s: float
    """Likewise, not denoised."""
    upload_ms: float
    """A series to the card, from memory that the driver knows (pinned)."""
    pageable_ms: float
    """Likewise from plain memory."""
    peak_gib: float | None
    """Most memory that was taken on the card."""
    half_error: float
    """Difference between images in bfloat16 and float32, relative to their deviation from the truth."""


@dataclass(frozen=True)
class SmallCard:
    """A frame size on a card of 8 GiB: the same card, with the rest of its memory forbidden."""

    size: int
    device: str
    strips: int
    """In how many the network computed."""
    ms: float
    peak_gib: float | None
    seam: float
    """Largest difference to the image that was computed in one piece, relative to its largest value; NaN where the
    whole card could not hold that either."""


def measure_card(size: int, *, seconds: float, device: str = "cuda") -> CardRates:
    """Measure the live path at one size."""
    scene = make_scene(size, photons=PHOTONS)
    patterns = estimate_patterns(scene.adu, scene.scope)
    where = torch.device(device)
    half = quick_half(where)
    if where.type == "cuda":
        torch.cuda.reset_peak_memory_stats(where)
    recorded, started, plain = (
        _sr_per_s(scene, patterns, where, seconds, denoise, graphs=graphs)
        for denoise, graphs in (("rdl", True), ("rdl", False), ("none", True))
    )
    peak = torch.cuda.max_memory_allocated(where) / GIB if where.type == "cuda" else None
    return CardRates(
        size,
        _name(where),
        half,
        recorded,
        started,
        plain,
        _upload_ms(scene.adu, where, pinned=True),
        _upload_ms(scene.adu, where, pinned=False),
        peak,
        _half_error(scene, patterns, where),
    )


def measure_small_card(size: int, *, device: str = "cuda", limit: int = SMALL_CARD_BYTES) -> SmallCard:
    """Restore one series with so much memory, and with all there is."""
    scene = make_scene(size, photons=PHOTONS)
    where = torch.device(device)
    half = quick_half(where)

    def restored() -> tuple[Tensor, Restorer, float]:
        restorer = Restorer(scene.scope, scene.patterns, (size, size), "rdl", where, half=half)
        restorer.restore(scene.adu)
        start = time.perf_counter()
        image = restorer.restore(scene.adu).sr.cpu()
        return image, restorer, 1e3 * (time.perf_counter() - start)

    with _limited(where, limit), _graphs(False):
        small, restorer, ms = restored()
        peak = torch.cuda.max_memory_allocated(where) / GIB if where.type == "cuda" else None
    strips = restorer.strips
    del restorer
    try:
        with _graphs(False):
            whole, _, _ = restored()
        seam = float((small - whole).abs().max() / whole.abs().max())
    except torch.OutOfMemoryError:
        seam = float("nan")
    return SmallCard(size, _name(where), strips, ms, peak, seam)


def show_card(found: CardRates, console: Console) -> None:
    """Print one size."""
    table = Table(title=f"live path, {found.size} x {found.size}, {found.device}", title_justify="left")
    for heading in ("what", "value"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    table.add_row(f"denoised images a second ({'bfloat16' if found.half else 'float32'})", f"{found.sr_per_s:.1f}")
    table.add_row("without a CUDA graph", f"{found.without_graph_sr_per_s:.1f}")
    table.add_row("not denoised", f"{found.plain_sr_per_s:.1f}")
    table.add_row("series to the card, pinned / plain memory", f"{found.upload_ms:.2f} / {found.pageable_ms:.2f} ms")
    table.add_row("most memory", "-" if found.peak_gib is None else f"{found.peak_gib:.2f} GiB")
    table.add_row("bfloat16 differs by, of the error", f"{found.half_error:.1%}")
    console.print(table)


def show_small_card(found: SmallCard, console: Console) -> None:
    """Print one size."""
    peak = "-" if found.peak_gib is None else f"{found.peak_gib:.2f} GiB"
    console.print(
        f"{found.size} x {found.size} on 8 GiB ({found.device}): {found.ms:.0f} ms in {found.strips} strips, at most "
        f"{peak}; largest difference to one piece {found.seam:.1e}",
        highlight=False,
    )


def _sr_per_s(
    scene: Scene, patterns: PatternSet, device: torch.device, seconds: float, denoise: str, *, graphs: bool
) -> float:
    """Return images a second through the pipeline, each copied into memory as the worker process does."""
    recipe = PipelineRecipe(
        scene.scope,
        scene.scope.channels[:1],
        scene.adu.shape[-2:],
        dtype=str(scene.adu.dtype),
        patterns=(patterns,),
        denoise=denoise,
        device=str(device),
        threads=torch.get_num_threads(),
    )
    executor = background()
    side = 2 * scene.adu.shape[-1]
    places = {name: np.zeros((side, side), np.float32) for name in ("sr", "sim", "sigma")}
    for place in places.values():
        pin(place, device)
    try:
        with _graphs(graphs):
            pipeline = recipe.build(executor, lambda _: None)
            images, begun = 0, 0.0
            for frame, tag in _frames(scene):
                result = pipeline.push(frame, tag, time.perf_counter())
                if result is None:
                    continue
                for name, place in places.items():
                    image = getattr(result, name)
                    if image is not None:
                        torch.from_numpy(place).copy_(image)
                images += 1
                if images == WARM:
                    begun = time.perf_counter()
                elif images > WARM and time.perf_counter() - begun > seconds:
                    break
            return (images - WARM) / (time.perf_counter() - begun)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _frames(scene: Scene) -> Iterator[tuple[np.ndarray, FrameTag]]:
    angles, phases = scene.adu.shape[:2]
    for number in itertools.count():
        for angle, phase in itertools.product(range(angles), range(phases)):
            yield scene.adu[angle, phase], FrameTag(number, angle, phase, pattern_id=phases * angle + phase)


def _upload_ms(adu: np.ndarray, device: torch.device, *, pinned: bool, repeats: int = 20) -> float:
    memory = adu.copy()
    if pinned:
        pin(memory, device)
    host = torch.from_numpy(memory)
    there = torch.empty_like(host, device=device)

    def once() -> None:
        there.copy_(host, non_blocking=True)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return median_ms(once, repeats)


def _half_error(scene: Scene, patterns: PatternSet, device: torch.device) -> float:
    truth = scene.truth.astype(np.float64)
    full, half = (
        Restorer(scene.scope, patterns, scene.adu.shape[-2:], "rdl", device, half=half)(scene.adu).cpu().numpy()
        for half in (False, True)
    )
    return nrmse(half, full.astype(np.float64)) / nrmse(full, truth)


@contextmanager
def _graphs(wanted: bool) -> Iterator[None]:
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = "1" if wanted else "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SWITCH]
        else:
            os.environ[SWITCH] = before


@contextmanager
def _limited(device: torch.device, limit: int) -> Iterator[None]:
    """Forbid torch all memory of a card but so many bytes."""
    if device.type != "cuda":
        yield
        return
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, limit / total), device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
