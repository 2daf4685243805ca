"""What a network is shown in the test of a package: small random tensors with named axes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from rdl_live.errors import ConfigError
from rdl_models import Dfcan, ObjectPlane, Rcan3d, RdlSim

SIDE, PLANES = 64, 12
_SEED = 0xB10


@dataclass(frozen=True)
class Sample:
    """One input or output."""

    name: str
    axes: tuple[str, ...]
    """batch, channel, z, y, x."""
    values: npt.NDArray[np.float32]

    @property
    def file(self) -> str:
        """Name in the package."""
        return f"test-{self.name}.npy"


def sample_inputs(network: nn.Module) -> list[Sample]:
    """Return inputs for a network, all of one batch.

    Raises:
        ConfigError: an architecture whose inputs are not known here.
    """
    rng = np.random.default_rng(_SEED)

    def light(*shape: int) -> npt.NDArray[np.float32]:
        return (rng.poisson(5.0, (1, *shape)) / 5.0).astype(np.float32)

    plane = ("batch", "channel", "y", "x")
    if isinstance(network, ObjectPlane):
        channels = network.config.images + network.config.maps
        return [Sample("images", plane, light(channels, SIDE, SIDE))]
    if isinstance(network, Dfcan):
        return [Sample("frames", plane, light(network.config.channels, SIDE, SIDE))]
    pixel = Sample("pixel", ("batch",), np.array([0.4], np.float32))
    if isinstance(network, Rcan3d):
        stack = light(network.config.channels, PLANES, SIDE, SIDE)
        return [Sample("stack", ("batch", "channel", "z", "y", "x"), stack), pixel]
    if isinstance(network, RdlSim):
        phases = network.config.phases
        return [Sample(name, plane, light(phases, SIDE, SIDE)) for name in ("generated", "noisy")] + [pixel]
    raise ConfigError(f"networks of {type(network).__name__} are not exchanged")


@torch.no_grad()
def output_of(network: nn.Module, inputs: list[Sample]) -> Sample:
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
