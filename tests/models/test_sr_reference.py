"""The networks for super-resolution against the papers' layers, written out in plain functions from the same weights.

Each function below is written from the paper that its network's file cites. Spectra of patches are the papers': one
window, as large as the patch.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everywhere

from rdl_models import find_architecture

W = Mapping[str, Tensor]
PATCH = 128
NAMES = (
    "cmgan",
    "densenet",
    "densenet-fca",
    "densenet-sca",
    "dfcan",
    "dfgan",
    "dscan",
    "edsr",
    "pix2pix",
    "rcan",
    "resnet",
    "srcnn",
    "unet",
    "unet-fca",
    "unet-sca",
)
REDUCED: Mapping[str, Mapping[str, Any]] = {
    "cmgan": {"width": 10},
    "densenet": {"stem": 16, "growth": 16, "layers": 3, "bottleneck": 32},
    "densenet-fca": {"stem": 16, "growth": 16, "layers": 3, "bottleneck": 32, "window": 32},
    "densenet-sca": {"stem": 16, "growth": 16, "layers": 3, "bottleneck": 32},
    "dfcan": {"width": 32, "groups": 2, "blocks": 2, "window": 32},
    "dfgan": {"width": 32, "groups": 2, "blocks": 3, "window": 32},
    "dscan": {"width": 32, "groups": 2, "blocks": 2},
    "edsr": {"width": 32, "blocks": 3},
    "pix2pix": {"width": 8, "depth": 5, "normalised": True},
    "rcan": {"width": 32, "groups": 2, "blocks": 2},
    "resnet": {"width": 32, "groups": 2, "blocks": 2},
    "srcnn": {},
    "unet": {"width": 16},
    "unet-fca": {"width": 16, "window": 32},
    "unet-sca": {"width": 16},
}
"""The fast suite's sizes: as deep as two seconds allow, patches of 32 pixels."""


def conv(x: Tensor, w: W, name: str, stride: int = 1) -> Tensor:
    """Convolution with zeros around ("same")."""
    weight = w[f"{name}.weight"]
    pad = 1 if stride == 2 else weight.shape[-1] // 2
    return F.conv2d(x, weight, w[f"{name}.bias"], stride=stride, padding=pad)


def gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.erf(x / 2**0.5))


def waist(pooled: Tensor, w: W, name: str) -> Tensor:
    """1 x 1 - relu - 1 x 1 - sigmoid on (n, channels)."""
    inner = torch.relu(pooled @ w[f"{name}.down.weight"].T + w[f"{name}.down.bias"])
    return torch.sigmoid(inner @ w[f"{name}.up.weight"].T + w[f"{name}.up.bias"])[:, :, None, None]


def spatial(x: Tensor, w: W, name: str, _gamma: float) -> Tensor:
    return x * waist(x.mean((2, 3)), w, name)


def fourier(x: Tensor, w: W, name: str, gamma: float) -> Tensor:
    """The published layer: (|FFT| + 1e-8)^gamma, zero frequency in the middle, conv - relu - mean."""
    side = x.shape[-1]
    modulus = (torch.fft.fft2(x).abs() + 1e-8) ** gamma
    middle = torch.roll(modulus, (side // 2, side // 2), (2, 3))
    # Our transform is unitary, theirs is not: the same layer has weights of another size.
    mixed = F.conv2d(middle, w[f"{name}.mix.weight"] * float(side) ** -gamma, w[f"{name}.mix.bias"], padding=1)
    return x * waist(torch.relu(mixed).mean((2, 3)), w, name)


def nothing(x: Tensor, _w: W, _name: str, _gamma: float) -> Tensor:
    return x


Attention = Callable[[Tensor, W, str, float], Tensor]


def groups(attention: Attention) -> Callable[[Tensor, W, Any], Tensor]:
    """DFCAN16 and DFGAN50: conv - gelu, groups of blocks, conv - gelu - depth to space - conv."""

    def forward(x: Tensor, w: W, config: Any) -> Tensor:
        gamma = getattr(config, "gamma", 1.0)
        x = gelu(conv(x, w, "stem"))
        for group in range(config.groups):
            outer = x
            for block in range(config.blocks):
                name = f"groups.{group}.blocks.{block}"
                y = gelu(conv(x, w, f"{name}.first"))
                y = gelu(conv(y, w, f"{name}.second"))
                x = x + attention(y, w, f"{name}.attention", gamma)
            x = x + outer
        return conv(F.pixel_shuffle(gelu(conv(x, w, "widen")), config.scale), w, "last")

    return forward


def srcnn(x: Tensor, w: W, config: Any) -> Tensor:
    x = F.interpolate(x, scale_factor=config.scale, mode="bicubic")
    return conv(torch.relu(conv(torch.relu(conv(x, w, "first")), w, "second")), w, "last")


def edsr(x: Tensor, w: W, config: Any) -> Tensor:
    x = first = conv(x, w, "stem")
    for block in range(config.blocks):
        name = f"blocks.{block}"
        x = x + 0.1 * conv(torch.relu(conv(x, w, f"{name}.first")), w, f"{name}.second")
    x = conv(x, w, "end") + first
    return conv(F.pixel_shuffle(conv(x, w, "tail.widen"), config.scale), w, "tail.last")


def rcan(x: Tensor, w: W, config: Any) -> Tensor:
    x = first = conv(x, w, "stem")
    for group in range(config.groups):
        outer = x
        for block in range(config.blocks):
            name = f"groups.{group}.blocks.{block}"
            y = conv(torch.relu(conv(x, w, f"{name}.first")), w, f"{name}.second")
            x = x + spatial(y, w, f"{name}.attention", 1.0)
        x = outer + conv(x, w, f"groups.{group}.end")
    x = first + conv(x, w, "end")
    return conv(F.pixel_shuffle(conv(x, w, "tail.widen"), config.scale), w, "tail.last")


def unet(attention: Attention) -> Callable[[Tensor, W, Any], Tensor]:
    def level(x: Tensor, w: W, name: str, config: Any) -> Tensor:
        x = torch.relu(conv(torch.relu(conv(x, w, f"{name}.0")), w, f"{name}.2"))
        return attention(x, w, f"{name}.4", getattr(config, "gamma", 1.0))

    def forward(x: Tensor, w: W, config: Any) -> Tensor:
        skips = []
        for depth in range(3):
            x = level(x, w, f"down.{depth}", config)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = level(x, w, "bottom", config)
        for depth in (2, 1, 0):
            x = F.conv_transpose2d(x, w[f"rise.{depth}.weight"], w[f"rise.{depth}.bias"], stride=2)
            x = level(torch.cat([skips[depth], x], 1), w, f"up.{depth}", config)
        return conv(F.pixel_shuffle(gelu(conv(x, w, "tail.widen")), config.scale), w, "tail.last")

    return forward


def densenet(attention: Attention) -> Callable[[Tensor, W, Any], Tensor]:
    def forward(x: Tensor, w: W, config: Any) -> Tensor:
        outputs = [torch.relu(conv(x, w, "stem"))]
        for block in range(3):
            made: list[Tensor] = []
            for layer in range(config.layers):
                given = torch.cat([*outputs, *made], 1)
                made.append(torch.relu(conv(given, w, f"blocks.{block}.layers.{layer}")))
            gamma = getattr(config, "gamma", 1.0)
            outputs.append(attention(torch.cat(made, 1), w, f"attentions.{block}", gamma))
        x = torch.relu(conv(torch.cat(outputs, 1), w, "waist"))
        return conv(F.pixel_shuffle(gelu(conv(x, w, "tail.widen")), config.scale), w, "tail.last")

    return forward


def pix2pix(x: Tensor, w: W, config: Any) -> Tensor:
    """C64-...-C512 and CD512-...-C64 with the normalisation of a batch of one, whose scale is 1 and shift 0."""
    x = F.interpolate(x, scale_factor=config.scale, mode="bicubic")
    skips = [conv(x, w, "down.0", stride=2)]
    for level in range(1, config.depth):
        y = conv(F.leaky_relu(skips[-1], 0.2), w, f"down.{level}", stride=2)
        skips.append(y if level == config.depth - 1 else F.instance_norm(y))
    x = skips.pop()
    for level in range(config.depth - 1, -1, -1):
        x = F.conv_transpose2d(torch.relu(x), w[f"up.{level}.weight"], w[f"up.{level}.bias"], stride=2, padding=1)
        if level:
            x = torch.cat([F.instance_norm(x), skips.pop()], 1)
    return torch.tanh(x)


def cmgan(x: Tensor, w: W, config: Any) -> Tensor:
    def three(y: Tensor, name: str) -> Tensor:
        for index in (0, 2, 4):
            y = F.leaky_relu(conv(y, w, f"{name}.{index}"), 0.1)
        return y

    x = F.interpolate(x, scale_factor=config.scale, mode="bicubic")
    skips = []
    for level in range(4):
        y = three(x, f"down.{level}.layers")
        zeros = y.new_zeros(len(x), y.shape[1] - x.shape[1], *x.shape[2:])
        skips.append(torch.cat([x, zeros], 1) + y)
        x = F.avg_pool2d(skips[-1], 2, 2)
    x = conv(x, w, "bottom")
    for level in (3, 2, 1, 0):
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = three(torch.cat([x, skips[level]], 1), f"up.{level}")
    return conv(x, w, "last")


PAPERS: Mapping[str, Callable[[Tensor, W, Any], Tensor]] = {
    "cmgan": cmgan,
    "densenet": densenet(nothing),
    "densenet-fca": densenet(fourier),
    "densenet-sca": densenet(spatial),
    "dfcan": groups(fourier),
    "dfgan": groups(fourier),
    "dscan": groups(spatial),
    "edsr": edsr,
    "pix2pix": pix2pix,
    "rcan": rcan,
    "resnet": groups(nothing),
    "srcnn": srcnn,
    "unet": unet(nothing),
    "unet-fca": unet(fourier),
    "unet-sca": unet(spatial),
}
BOUNDED = {"dfcan": torch.sigmoid, "dfgan": torch.sigmoid, "dscan": torch.sigmoid, "resnet": torch.sigmoid}


def compare(name: str, fields: Mapping[str, Any], side: int, scale: int, channels: int) -> None:
    torch.manual_seed(7)
    kind = find_architecture(name)
    bounded = name in BOUNDED or name == "pix2pix"
    network = kind.network(kind.config(**{**fields, "scale": scale, "channels": channels, "bounded": bounded})).eval()
    for key, one in network.named_parameters():
        if key.endswith("bias"):  # they begin at 0, where a forgotten one would not show
            nn.init.normal_(one, std=0.05)
    x = torch.rand(1, channels, side, side) * 3
    with torch.no_grad():
        ours = network(x)
        papers = PAPERS[name](x, dict(network.state_dict()), network.config)[:, 0]
        papers = BOUNDED.get(name, lambda image: image)(papers)
    assert ours.shape == (1, scale * side, scale * side)
    assert float(papers.std()) > 1e-3
    torch.testing.assert_close(ours, papers, rtol=2e-3, atol=2e-4 * float(papers.std()))


@pytest.mark.parametrize(
    ("name", "scale", "channels"), [(name, *((2, 1) if index % 2 else (3, 9))) for index, name in enumerate(NAMES)]
)
def test_reduced_networks_are_the_papers_layers(name: str, scale: int, channels: int) -> None:
    compare(name, REDUCED[name], 32, scale, channels)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_published_networks_are_the_papers_layers(name: str) -> None:
    fields: dict[str, Any] = {"normalised": True} if name == "pix2pix" else {}
    if name.endswith("fca"):
        assert find_architecture(name).config().window == PATCH
    compare(name, fields, PATCH, 2, 1)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("dfcan", 1_930_753),
        ("rcan", 15_442_337),  # 15.44 M for three colours; two channels less of the first and the last convolution
        ("edsr", 40_720_385),  # 40.73 M for three colours
        ("pix2pix", 54_403_457),  # 54.4 M for three colours
        ("srcnn", 8_032 + 97),
    ],
)
def test_parameters_are_as_many_as_published(name: str, count: int) -> None:
    kind = find_architecture(name)
    with torch.device("meta"):
        network = kind.network(kind.config())
    assert sum(one.numel() for one in network.parameters()) == count


def test_the_published_depths() -> None:
    rcan, edsr = find_architecture("rcan").config(), find_architecture("edsr").config()
    assert (rcan.groups, rcan.blocks, rcan.width) == (10, 20, 64)
    assert (edsr.blocks, edsr.width, edsr.share) == (32, 256, 0.1)
    dfgan = find_architecture("dfgan").config()
    assert (dfgan.groups, dfgan.blocks, dfgan.width) == (5, 10, 64)
