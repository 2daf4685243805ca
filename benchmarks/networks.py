"""What each network that super-resolves costs: parameters, multiplications, and the time of an image.

    python -m benchmarks.networks [--side 512] [--time] [--published]

Multiplications are counted, not timed: one of a convolution or a dense layer is one MAC; Fourier transforms,
activations and interpolations are not counted. `--time` computes an image by the small sizes (and the published ones
with `--published`, which takes minutes and gigabytes).
"""

import argparse
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rdl_models import ARCHITECTURES, Architecture, Task


def networks() -> list[Architecture]:
    """Return the architectures that super-resolve."""
    found = [ARCHITECTURES.find(name) for name in ARCHITECTURES.names()]
    return [one for one in found if one is not None and one.task == Task.SUPER_RESOLUTION]


def parameters(network: nn.Module) -> int:
    """Return how many numbers a network learns."""
    return sum(one.numel() for one in network.parameters())


def gmac(kind: Architecture, fields: Mapping[str, Any], side: int) -> float:
    """Return the multiplications of an image of `side` x `side` raw pixels [10^9]."""
    with torch.device("meta"), torch.no_grad():
        network = kind.network(kind.config(**fields))
        counter = FlopCounterMode(display=False)
        with counter:
            network(torch.empty(1, network.config.channels, side, side))
    return counter.get_total_flops() / 2e9


@torch.no_grad()
def milliseconds(kind: Architecture, fields: Mapping[str, Any], side: int, repeats: int = 3) -> float:
    """Return the time of an image by so many threads as torch has; the shortest of some."""
    network = kind.network(kind.config(**fields)).eval()
    x = torch.rand(1, network.config.channels, side, side)
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        network(x)
        found.append(time.perf_counter() - start)
    return 1e3 * min(found)


def main() -> None:
    """Print the table."""
    line = argparse.ArgumentParser(prog="python -m benchmarks.networks", description=(__doc__ or "").splitlines()[0])
    line.add_argument("--side", type=int, default=512, metavar="N", help="raw pixels each way (512)")
    line.add_argument("--time", action="store_true", help="also compute an image by the small sizes")
    line.add_argument("--published", action="store_true", help="and by the published ones")
    line.add_argument("--threads", type=int, default=2, help="for --time (2)")
    options = line.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{options.side} x {options.side} raw pixels, one frame, factor 2")
    print(f"{'network':<14}{'small':>10}{'GMAC':>9}{'ms':>8}{'published':>13}{'GMAC':>9}{'ms':>9}")
    for kind in networks():
        small = {} if kind.small is None else kind.small.fields
        cells = [f"{kind.name:<14}"]
        for fields, wide, timed in ((small, 10, options.time), ({}, 13, options.published)):
            with torch.device("meta"):
                count = parameters(kind.network(kind.config(**fields)))
            cells.append(f"{count:>{wide},}{gmac(kind, fields, options.side):>9.1f}")
            shown = f"{milliseconds(kind, fields, options.side):.0f}" if timed else "-"
            cells.append(f"{shown:>{8 if wide == 10 else 9}}")
        print("".join(cells), flush=True)


if __name__ == "__main__":
    main()
