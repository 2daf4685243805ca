"""The test of a package: what a network makes of its architecture's sample, and how tensors are described."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from rdl_models import Weights, find_architecture
from rdl_models.sample import Sample


def sample_inputs(weights: Weights) -> tuple[Sample, ...]:
    """Return inputs for a network, all of one batch."""
    return find_architecture(weights.card.architecture).sample(weights.network.config)


@torch.no_grad()
def output_of(network: nn.Module, inputs: Sequence[Sample]) -> Sample:
    """Return what the network makes of its inputs."""
    values: npt.NDArray[np.float32] = network(*(torch.from_numpy(one.values) for one in inputs)).numpy()
    axes = {3: ("batch", "y", "x"), 4: ("batch", "channel", "y", "x"), 5: ("batch", "channel", "z", "y", "x")}
    return Sample("restored", axes[values.ndim], values)


def described(sample: Sample, *, reference: Sample | None = None) -> dict[str, Any]:
    """Return a tensor's entry in the description.

    Args:
        sample: the tensor.
        reference: of an output: the input whose size it follows.
    """
    axes = []
    for axis, size in zip(sample.axes, sample.values.shape, strict=True):
        axes.append(_axis(axis, size, sample.name, reference))
    return {"id": sample.name, "axes": axes, "data": {"type": "float32"}}


def _axis(axis: str, size: int, name: str, reference: Sample | None) -> dict[str, Any]:
    if axis == "batch":
        return {"type": "batch"}
    if axis == "channel":
        return {"type": "channel", "channel_names": [f"{name}{index}" for index in range(size)]}
    entry: dict[str, Any] = {"type": "space", "id": axis}
    if reference is None:
        return entry | {"size": {"min": min(size, 32 if axis != "z" else 8), "step": 1}}
    there = reference.values.shape[reference.axes.index(axis)]
    if size != there:
        entry["scale"] = there / size
    return entry | {"size": {"tensor_id": reference.name, "axis_id": axis}}
