"""What the denoising networks cost: parameters, multiplications, milliseconds, against what the machine can do.

One series of 3 x 3 frames. Our network sees the object once, on its own grid; the published one (Qiao et al. 2022) the
raw frames of every orientation.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from benchmarks.scene import make_scene, microscope
from benchmarks.timing import interleaved
from rdl_live.optics import Otf
from rdl_live.optics.nominal import nominal_patterns
from rdl_live.optics.reconstruct.apodization import Apodization, apodization
from rdl_live.optics.reconstruct.plan import build_geometry
from rdl_live.restore import Restorer
from rdl_live.restore.live import quick_half
from rdl_live.restore.sampling import working_grid
from rdl_models import ObjectPlane, RdlSim, Weights, load_weights
from rdl_models.quick import installed

ANGLES, PHASES = 3, 3
CPU_PX = 64
"""The published network is timed on a CPU at this size and scaled by the pixels: 512 x 512 would take minutes."""
PHOTONS = 20.0
"""Of the whole series; it takes as long in any light."""
_MATRIX, _CONV_PX, _CONV_WIDTH = 1024, 128, 64


@dataclass(frozen=True)
class NetworkCost:
    """Of one network."""

    parameters: int
    gmac: float
    """10^9 multiplications a series."""
    eager_ms: float
    ncnn_ms: float | None
    """By ncnn, measured turn by turn with torch; None where it is not installed, or does not take the network."""
    compiled_ms: float | None
    """By torch.compile; None where it does not work here, or was not tried."""
    half_ms: float | None
    """In bfloat16; None where the chip has no instructions for it, and would be slower by far."""
    gflop_per_s: float
    """Reached in float32."""
    share_of_matrix_rate: float
    timed_px: int
    """Raw pixels each way of what was timed; the times are scaled to the size."""


@dataclass(frozen=True)
class DenoiseCost:
    """Of one size on one device."""

    size: int
    device: str
    threads: int
    matrix_gflop_per_s: float
    """Measured on two matrices of 1024 x 1024, float32."""
    matrix_half_gflop_per_s: float | None
    """In bfloat16, as above."""
    conv_gflop_per_s: float
    """Measured on a 3 x 3 convolution of 64 to 64 channels at 128 x 128, float32."""
    networks: dict[str, NetworkCost]
    series_ms: dict[str, float]
    """From a raw series to its denoised image by our network, computed by torch and by ncnn, turn by turn."""


def measure_denoise(size: int, *, repeats: int = 3, compiled: bool = True, weights: str = "rdl") -> list[DenoiseCost]:
    """Measure on the CPU, and on the GPU where there is one."""
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    return [_measure(size, torch.device(device), repeats, compiled, weights) for device in devices]


def count_macs(network: nn.Module, call: Callable[[], object]) -> int:
    """Return the multiplications of all convolutions and linear layers in a call."""
    total = 0

    def count(layer: nn.Module, _: object, out: Tensor) -> None:
        nonlocal total
        weight = layer.weight
        assert isinstance(weight, Tensor)
        total += out.numel() * (weight.numel() // len(weight))

    kinds = (nn.Conv2d, nn.Conv3d, nn.Linear)
    hooks = [one.register_forward_hook(count) for one in network.modules() if isinstance(one, kinds)]
    try:
        with _by_torch(network):
            call()
    finally:
        for hook in hooks:
            hook.remove()
    return total


def shown_grid(size: int, sampling: float) -> tuple[int, int]:
    """Return the (y, x) of the images that our network is shown of `size` x `size` raw pixels of the benchmark."""
    scope = microscope()
    geometry = build_geometry(Otf.of(scope), nominal_patterns(scope), (size, size), factor=scope.pattern.sr_factor)
    return working_grid(apodization(Apodization.OTF, geometry.radius(), geometry.cutoff), sampling)


@torch.no_grad()
def _measure(size: int, device: torch.device, repeats: int, compiled: bool, weights: str) -> DenoiseCost:
    matrix = _rate(device, torch.float32, repeats)
    loaded = load_weights(weights, device)
    ours = loaded.network
    shown = torch.rand(1, ours.config.images + ours.config.maps, *shown_grid(size, ours.config.sampling), device=device)
    published = RdlSim().eval().requires_grad_(False).to(device)
    side = size if device.type == "cuda" else min(size, CPU_PX)
    frames = torch.rand(ANGLES, PHASES, side, side, device=device)
    found = {
        weights: _network(ours, (shown,), device, repeats, compiled, matrix, size, size),
        "published": _network(published, (frames, frames), device, repeats, compiled, matrix, size, side),
    }
    return DenoiseCost(
        size,
        torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        torch.get_num_threads(),
        matrix,
        _rate(device, torch.bfloat16, repeats) if quick_half(device) else None,
        _conv_rate(device, repeats),
        found,
        _series_ms(loaded, size, device, repeats),
    )


def _series_ms(loaded: Weights, size: int, device: torch.device, repeats: int) -> dict[str, float]:
    scene = make_scene(size, photons=PHOTONS)
    restorer = Restorer(scene.scope, scene.patterns, (size, size), loaded, device)
    return {name: 1e3 * s for name, s in _by_each(loaded.network, lambda: restorer(scene.adu), device, repeats).items()}


def _by_each(network: nn.Module, work: Callable[[], object], device: torch.device, repeats: int) -> dict[str, float]:
    """Return the seconds of work by torch, and by ncnn if it takes this network here."""
    if device.type != "cpu" or not isinstance(network, ObjectPlane) or network.quick is None or not installed():
        return {"torch": _median_s(work, device, repeats)}

    def torch_only() -> None:
        with _by_torch(network):
            work()

    found = interleaved({"torch": torch_only, "ncnn": work}, repeats)
    return {name: 1e-3 * one.median_ms for name, one in found.items()}


@contextmanager
def _by_torch(network: nn.Module) -> Iterator[None]:
    """Have torch compute everything: its layers are counted, or compiled."""
    quick = getattr(network, "quick", None)
    if isinstance(network, ObjectPlane):
        network.quick = None
    try:
        yield
    finally:
        if isinstance(network, ObjectPlane):
            network.quick = quick


def _network(
    network: nn.Module,
    inputs: tuple[Tensor, ...],
    device: torch.device,
    repeats: int,
    compiled: bool,
    matrix: float,
    size: int,
    side: int,
) -> NetworkCost:
    scale = (size / side) ** 2
    seconds = _by_each(network, lambda: network(*inputs), device, repeats)
    eager, ncnn = seconds["torch"], seconds.get("ncnn")
    half = None
    macs = count_macs(network, lambda: network(*inputs))
    with _by_torch(network):
        if quick_half(device):
            with torch.autocast(device.type, torch.bfloat16):
                half = _median_s(lambda: network(*inputs), device, repeats)
        fast = _compiled_s(network, inputs, device, repeats) if compiled else None
    rate = 2e-9 * macs / eager
    return NetworkCost(
        parameters=sum(one.numel() for one in network.parameters()),
        gmac=1e-9 * macs * scale,
        eager_ms=1e3 * eager * scale,
        ncnn_ms=None if ncnn is None else 1e3 * ncnn * scale,
        compiled_ms=None if fast is None else 1e3 * fast * scale,
        half_ms=None if half is None else 1e3 * half * scale,
        gflop_per_s=rate,
        share_of_matrix_rate=rate / matrix,
        timed_px=side,
    )


def _compiled_s(network: nn.Module, inputs: tuple[Tensor, ...], device: torch.device, repeats: int) -> float | None:
    """Time the compiled network; None without a compiler (its errors are many, and none of them is ours)."""
    try:
        made = torch.compile(network)
        made(*inputs)
    except Exception:  # whatever the compiler lacks
        return None
    return _median_s(lambda: made(*inputs), device, repeats)


def _rate(device: torch.device, dtype: torch.dtype, repeats: int) -> float:
    """Return 10^9 operations a second in multiplying matrices."""
    one = torch.rand(_MATRIX, _MATRIX, device=device).to(dtype)
    return 2e-9 * _MATRIX**3 / _median_s(lambda: one @ one, device, repeats)


def _conv_rate(device: torch.device, repeats: int) -> float:
    layer = nn.Conv2d(_CONV_WIDTH, _CONV_WIDTH, 3, padding=1, bias=False).to(device)
    image = torch.rand(1, _CONV_WIDTH, _CONV_PX, _CONV_PX, device=device)
    image = image.contiguous(memory_format=torch.channels_last)
    layer = layer.to(memory_format=torch.channels_last)
    seconds = _median_s(lambda: layer(image), device, repeats)
    return 2e-9 * 9 * _CONV_WIDTH**2 * _CONV_PX**2 / seconds


def _median_s(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    work()
    times = []
    for _ in range(repeats):
        with _finished(device):
            start = time.perf_counter()
            work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


@contextmanager
def _finished(device: torch.device) -> Iterator[None]:
    """Have a GPU done with everything before and after."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    yield
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def show_denoise(found: DenoiseCost, console: Console) -> None:
    """Print one size on one device."""
    table = Table(title=f"networks, {found.size} x {found.size}, {found.device}, {found.threads} threads")
    for heading in ("", *found.networks):
        table.add_column(heading, justify="left" if not heading else "right")
    rows: dict[str, Callable[[NetworkCost], str]] = {
        "parameters": lambda one: f"{one.parameters:,}",
        "GMAC a series": lambda one: f"{one.gmac:.1f}",
        "ms, float32": lambda one: f"{one.eager_ms:.0f}",
        "ms, ncnn": lambda one: "-" if one.ncnn_ms is None else f"{one.ncnn_ms:.0f}",
        "ms, compiled": lambda one: "-" if one.compiled_ms is None else f"{one.compiled_ms:.0f}",
        "ms, bfloat16": lambda one: "-" if one.half_ms is None else f"{one.half_ms:.0f}",
        "GFLOP/s": lambda one: f"{one.gflop_per_s:.0f}",
        "of the matrix rate": lambda one: f"{one.share_of_matrix_rate:.2f}",
    }
    for name, text in rows.items():
        table.add_row(name, *(text(one) for one in found.networks.values()))
    console.print(table)
    half = found.matrix_half_gflop_per_s
    console.print(
        f"measured here: matrices {found.matrix_gflop_per_s:.0f} GFLOP/s"
        f"{'' if half is None else f' ({half:.0f} in bfloat16)'}, 3 x 3 convolution {found.conv_gflop_per_s:.0f}",
        highlight=False,
    )
    series = ", ".join(f"{ms:.0f} ms by {name}" for name, ms in found.series_ms.items())
    console.print(f"whole denoised series: {series}", highlight=False)
    for name, one in found.networks.items():
        if one.timed_px != found.size:
            console.print(f"{name}: timed at {one.timed_px} x {one.timed_px} and scaled", highlight=False)
    console.print()
