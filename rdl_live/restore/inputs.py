"""What the network is shown: the series as Wiener images of three dampings, and where how much noise is to be expected.

Everything is in units of the series' mean, so that one network serves all light levels; photon noise grows with the
local light, which the noise map gives. The pixels are as large as the optics allow (`rdl_live.restore.sampling`).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rdl_live.restore.evidence import Evidence
from rdl_live.restore.memory import Recalled
from rdl_live.restore.sampling import MULTIPLE, image_on, interpolated, resized, spectrum_of, working_grid
from rdl_models.architecture import EstimatesError

PLAIN, NOISE = 1, 3
"""Places of the Wiener estimate and of the noise map among the inputs."""
DAMPINGS = (0.2, 1.0, 30.0)
"""Multiples of the measured damping: sharp and noisy, the Wiener estimate, smooth."""
MOST_STRIPS = 64
_DARKEST = 0.05
"""The noise of darker places is mostly that of their surroundings, which the filters mix in."""


@dataclass(frozen=True)
class Answer:
    """What a network says of a batch of series, in units of their means."""

    inputs: Tensor
    """What it was shown, (n, 4, y, x) float32 on its own grid."""
    spectrum: Tensor
    """X0, its image on the evidence's half-plane, (n, rows, columns) complex64."""
    sigma: Tensor | None
    """The standard error that it estimates, (n, y, x) float32 on the evidence's grid; None if it estimates none."""
    noise: Tensor
    """The noise map that it was shown, likewise."""
    strips: int = 1
    """In how many strips it was computed."""


def network_inputs(relative: Evidence, grid: tuple[int, int] | None = None) -> Tensor:
    """Return (n, 4, y, x) float32: three images, from sharp to smooth, and the expected noise, in units of the mean.

    Args:
        relative: `Evidence.relative()`.
        grid: (y, x) of the images; that of the evidence where left out.
    """
    grid = grid or relative.grid
    images = [image_on(relative.wiener_spectrum(scale), relative.grid, grid) for scale in DAMPINGS]
    local = images[-1].clamp(min=_DARKEST).sqrt()
    images.append(relative.wiener_deviation()[:, None, None] * local)
    return torch.stack(images, dim=1)


def _remembered_inputs(recalled: Recalled, grid: tuple[int, int]) -> Tensor:
    """Return the inputs of a mean of series that is worth more in one place than in another.

    A frequency that passes with D / (D + w^2 / worth) is, between the least and the largest worth, nearly linear in
    the worth's logarithm; the noise falls with its root.
    """
    one, most = (network_inputs(each, grid) for each in (recalled.evidence, recalled.best()))
    worth = interpolated(recalled.tiles, grid)
    one[:, NOISE] /= worth.sqrt()
    most[:, NOISE] *= (recalled.most / worth).sqrt()
    return torch.lerp(one, most, recalled.nearness(grid)[:, None])


def ask(
    network: nn.Module,
    relative: Evidence,
    *,
    recalled: Recalled | None = None,
    half: bool = False,
    strips: int = 1,
    grid: tuple[int, int] | None = None,
) -> Answer:
    """Show a batch of series to a network of images (no gradients flow into the inputs).

    Args:
        network: one that `EstimatesError`, or what takes the same inputs (on the finest grid if it has no `sampling`).
        relative: `Evidence.relative()`.
        recalled: the same together with the series before, shown where nothing moved.
        half: compute the convolutions in bfloat16.
        strips: compute in so many strips one after the other, or in more where the memory does not hold one.
        grid: `grid_of` the network and these series, where it is known: finding it out makes a graphics card wait.

    Raises:
        RuntimeError: torch's, where the memory does not hold the smallest strip.
    """
    grids = [grid] if grid else [grid_of(network, target) for target in relative.target]
    if len(set(grids)) > 1:
        # Other optics, other pixels: side by side they cannot be.
        return _together([ask(network, relative.one(i), half=half) for i in range(len(grids))])
    inputs = network_inputs(relative, grids[0]) if recalled is None else _remembered_inputs(recalled, grids[0])
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=half):
        image, sigma, strips = _answered(network, inputs, strips)
    noise, full = resized(inputs[:, NOISE], relative.grid), relative.grid
    return Answer(inputs, spectrum_of(image, full), None if sigma is None else resized(sigma, full), noise, strips)


def grid_of(network: nn.Module, target: Tensor) -> tuple[int, int]:
    """Return the size (y, x) of the images that a network is shown of a series with this target (rows, columns)."""
    sampling, multiple = getattr(network, "sampling", 0.0), getattr(network, "multiple", MULTIPLE)
    return working_grid(target, float(sampling), int(multiple))


def _answered(network: nn.Module, inputs: Tensor, strips: int) -> tuple[Tensor, Tensor | None, int]:
    """Return a network's image, the standard error that it gives, each (n, y, x) float32, and the strips it took."""
    if not isinstance(network, EstimatesError):
        return network(inputs).float(), None, 1
    while True:
        try:
            image, sigma = network.with_spread(inputs, strips)
        except RuntimeError as error:
            # A training keeps what the gradients need, of all strips together.
            if not short_of_memory(error) or torch.is_grad_enabled() or strips >= MOST_STRIPS:
                raise
        else:
            return image.float(), None if sigma is None else sigma.float(), strips
        # Outside of the handler, so that the failed attempt's tensors are free.
        strips *= 2
        quick = getattr(network, "quick", None)
        if quick is not None:
            quick.give_back()
        if inputs.device.type == "cuda":
            torch.cuda.empty_cache()


def short_of_memory(error: RuntimeError) -> bool:
    """Whether this is what torch raises where memory does not suffice, of a graphics card or the computer."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _together(answers: list[Answer]) -> Answer:
    """Return answers of one series each as that of a batch; what was shown is that of the first one."""
    sigmas = [answer.sigma for answer in answers if answer.sigma is not None]
    return Answer(
        answers[0].inputs,
        torch.cat([answer.spectrum for answer in answers]),
        torch.cat(sigmas) if sigmas else None,
        torch.cat([answer.noise for answer in answers]),
    )
