"""A network of somebody else's: all of it is in this file, and nothing of the program knows it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rdl_models.architecture import Architecture, Image, Task
from rdl_models.sample import Light, Sample


@dataclass(frozen=True)
class ToyConfig:
    """Size of the network."""

    size: int = 3
    """Pixels each way of its only kernel; odd."""

    def __post_init__(self) -> None:
        if self.size not in (1, 3, 5, 7):
            raise ValueError(f"size must be 1, 3, 5 or 7, got {self.size!r}")


class Toy(nn.Module):
    """One learnt blur of the Wiener image: (n, 4, y, x) -> (n, y, x)."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config = config
        self.blur = nn.Conv2d(1, 1, config.size, padding=config.size // 2, padding_mode="circular", bias=False)
        with torch.no_grad():
            self.blur.weight.zero_()
            self.blur.weight[..., config.size // 2, config.size // 2] = 1.0

    def forward(self, x: Tensor) -> Tensor:
        blurred: Tensor = self.blur(x[:, 1:2])[:, 0]
        return blurred


def _sample(_config: ToyConfig) -> tuple[Sample, ...]:
    return (Light().images("images", 4),)


ARCHITECTURE = Architecture(
    name="toy",
    config=ToyConfig,
    network=Toy,
    takes=Image.OBJECT_PLANE,
    gives=Image.OBJECT_PLANE,
    task=Task.OBJECT_PLANE,
    words="blurs the Wiener image a little",
    sample=_sample,
    learning_rate=1e-2,
    sees_patterns=False,
)
