"""An `ObjectPlane` as ncnn reads it: text for the layers, bytes for the weights.

The format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure. A line holds kind and name of a layer,
how many blobs it reads and writes, their names, and numbered options.
"""

import torch
from torch import Tensor, nn

from rdl_models.object_plane import UNSHUFFLE, ObjectPlane, _Block, _Scale

CELLS, RESIDUAL, TOLD = "cells", "residual", "told"
"""Blobs: the input, and what the two heads say."""


class Drawing:
    """A network in ncnn's text format (layers and blobs by name) with its weights, in the order of the layers."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._weights: list[bytes] = []
        self._blobs = 0

    def layer(self, kind: str, inputs: tuple[str, ...], options: str = "", outputs: tuple[str, ...] = ()) -> str:
        """Add a layer and return its output, whose name may be chosen."""
        outputs = outputs or (f"b{self._blobs}",)
        self._blobs += len(outputs)
        head = f"{kind} l{len(self._lines)} {len(inputs)} {len(outputs)}"
        self._lines.append(" ".join((head, *inputs, *outputs, options)))
        return outputs[0]

    def forked(self, x: str) -> tuple[str, str]:
        """Return a blob twice: ncnn wants it said that two layers read it."""
        self.layer("Split", (x,), outputs=(f"{x}a", f"{x}b"))
        return f"{x}a", f"{x}b"

    def conv(self, x: str, weight: Tensor, *, relu: bool = False, stride: int = 1, output: tuple[str, ...] = ()) -> str:
        """Convolve with (out, in, k, k) weights; the border is zeros, half a kernel wide unless the stride is k."""
        out, _, size, _ = weight.shape
        padding = 0 if stride == size else size // 2
        # A zero before the weights says that they are plain float32.
        self._weights.append(bytes(4) + weight.detach().float().contiguous().numpy().tobytes())
        options = f"0={out} 1={size} 3={stride} 4={padding} 5=0 6={weight.numel()} 9={int(relu)}"
        return self.layer("Convolution", (x,), options, output)

    def part(self, module: nn.Module, x: str) -> str:
        """Add a part of the body."""
        if isinstance(module, nn.Sequential):
            for one in module:
                x = self.part(one, x)
            return x
        if isinstance(module, _Block):
            kept, x = self.forked(x)
            x = self.conv(self.conv(x, module.first.weight, relu=True), module.second.weight)
            return self.layer("BinaryOp", (kept, x), "0=0")
        if isinstance(module, _Scale):
            fine, x = self.forked(self.part(module.before, x))
            x = self.part(module.inner, self.conv(x, module.down.weight, stride=2))
            x = self.layer("PixelShuffle", (self.conv(x, module.up.weight),), "0=2")
            return self.part(module.after, self.layer("BinaryOp", (fine, x), "0=0"))
        raise TypeError(f"{type(module).__name__} has no counterpart in ncnn")

    def network(self, network: ObjectPlane) -> None:
        """Add everything from the cells to both heads."""
        cells = self.layer("Input", (), outputs=(CELLS,))
        features = self.part(network.body, self.conv(cells, network.stem.weight, relu=True))
        if network.spread is None:
            self.conv(features, network.head.weight, output=(RESIDUAL,))
            return
        # Both heads read the features, so that one convolution does for their first layers.
        hidden = network.spread.first.weight
        both = self.conv(features, torch.cat([network.head.weight, hidden]))
        self.layer("Slice", (both,), f"-23300=2,{UNSHUFFLE**2},{len(hidden)} 1=0", (RESIDUAL, "hidden"))
        self.conv(self.layer("ReLU", ("hidden",)), network.spread.second.weight, output=(TOLD,))

    def text(self) -> str:
        """Return the layers; the number is that of the format."""
        return "\n".join(("7767517", f"{len(self._lines)} {self._blobs}", *self._lines, ""))

    def weights(self) -> bytes:
        """Return all weights."""
        return b"".join(self._weights)
