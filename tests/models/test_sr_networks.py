"""Laws of the networks for super-resolution: any size, exact tiles, attention of any field, photons."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from rdl_live.restore.stages import single_image
from rdl_models import find_architecture
from rdl_models.sr import tiles
from rdl_models.sr.attention import FourierChannelAttention, Gate, SpatialAttention, gates
from rdl_models.sr.critics import FieldCritic, PatchCritic
from rdl_models.sr.network import SrNetwork
from rdl_models.sr.tiles import by_tiles

from .test_sr_reference import NAMES

TINY = {
    "cmgan": {"width": 4},
    "densenet": {"stem": 4, "growth": 4, "blocks": 2, "layers": 2, "bottleneck": 8},
    "dfcan": {"width": 6, "groups": 1, "blocks": 2},
    "dfgan": {"width": 6, "groups": 1, "blocks": 2},
    "dscan": {"width": 6, "groups": 1, "blocks": 2},
    "edsr": {"width": 6, "blocks": 2},
    "pix2pix": {"width": 4, "depth": 3},
    "rcan": {"width": 6, "groups": 1, "blocks": 2},
    "resnet": {"width": 6, "groups": 1, "blocks": 2},
    "srcnn": {"width": 6, "waist": 4},
    "unet": {"width": 4, "depth": 2},
}


def tiny(name: str, **more: object) -> SrNetwork:
    kind = find_architecture(name)
    fields = dict(TINY[name.split("-")[0]]) | ({"window": 16} if name in ("dfcan", "dfgan") or "fca" in name else {})
    torch.manual_seed(3)
    network = kind.network(kind.config(**{**fields, **more})).eval().requires_grad_(False)
    for one in network.parameters():
        if not one.any():
            nn.init.normal_(one, std=0.05)
    assert isinstance(network, SrNetwork)
    return network


def image(rows: int, columns: int) -> Tensor:
    """Return blobs on a slope: an image that is not alike anywhere."""
    torch.manual_seed(5)
    slope = torch.linspace(0.2, 2, rows)[:, None] * torch.linspace(0.5, 1.5, columns)
    return (slope * torch.rand(rows, columns) * 2)[None, None]


@pytest.mark.parametrize("name", NAMES)
def test_any_size(name: str) -> None:
    network = tiny(name, scale=3, residual=True)
    for rows, columns in ((17, 30), (16, 16)):
        assert network(image(rows, columns)).shape == (1, 3 * rows, 3 * columns)


@pytest.mark.parametrize(
    ("name", "scale"),
    [pytest.param(name, scale, marks=[pytest.mark.slow] if scale == 3 else []) for name in NAMES for scale in (2, 3)],
)
def test_tiles_are_the_field_in_one_piece(name: str, scale: int) -> None:
    network = tiny(name, scale=scale, residual=True)
    x = image(150, 61)
    whole = network(x)
    tiled = by_tiles(network, x, 48)
    assert float((tiled - whole).abs().max()) <= 2e-5 * float(whole.abs().max())
    for one in gates(network):
        assert one.part is None
        assert one.held is None


@pytest.mark.parametrize("name", NAMES)
def test_what_lies_beyond_the_reach_does_not_count(name: str) -> None:
    """The reach is stated by formula; it must be large enough, or tiles would have seams."""
    network = tiny(name)
    for one in gates(network):
        one.held = one.statistic(torch.rand(1, _channels(one), 32, 32))
    side = network.multiple * (-(-(network.reach + 8) // network.multiple))
    x = image(8, 2 * side)
    other = x.clone()
    other[..., side + network.reach :] += 1
    difference = (network(x) - network(other)).abs()
    assert float(difference[..., : network.config.scale * side].max()) <= 1e-5
    assert float(difference.max()) > 1e-3


def _channels(one: Gate) -> int:
    assert isinstance(one, SpatialAttention | FourierChannelAttention)
    return one.up.out_features


@pytest.mark.parametrize("attention", [SpatialAttention(8), FourierChannelAttention(8, 0.8, 32)])
def test_attention_is_the_same_whatever_the_field_of_view(attention: Gate) -> None:
    torch.manual_seed(2)
    for one in attention.parameters():
        nn.init.normal_(one, std=0.2)
    with torch.no_grad():
        x = torch.rand(1, 8, 32, 32)
        one = attention(x)
        four = attention(x.repeat(1, 1, 2, 2))
    torch.testing.assert_close(four, one.repeat(1, 1, 2, 2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_an_untrained_correction_is_the_enlarged_image(name: str) -> None:
    """So photons come back from the first step on."""
    kind = find_architecture(name)
    torch.manual_seed(1)
    fields = TINY[name.split("-")[0]]
    network = kind.network(kind.config(**{**fields, "channels": 9, "residual": True}))
    x = torch.rand(1, 9, 16, 16)
    wanted = functional.interpolate(x.mean(1, keepdim=True), scale_factor=2, mode="bicubic")[:, 0]
    torch.testing.assert_close(network(x), wanted, rtol=1e-5, atol=1e-5)


def test_a_field_that_does_not_fit_into_memory_is_computed_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny("dfcan", residual=True)
    x = 20 * image(120, 100)[0]
    whole = single_image.super_resolved(network, x)
    bytes_a_pixel = tiles.feature_bytes(network)
    assert bytes_a_pixel > 2 * 6 * 4 * 4  # at least the widened features, in and out
    assert tiles.tile_for(network, (120, 100), 1e9) == 120
    sizes: list[int] = []

    def noted(*given: object) -> Tensor:
        sizes.append(int(given[2]))  # type: ignore[call-overload]
        return by_tiles(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(single_image, "FREE_BYTES", 90 * 90 * bytes_a_pixel)
    monkeypatch.setattr(single_image, "by_tiles", noted)
    tiled = single_image.super_resolved(network, x)
    assert sizes == [64]
    assert float((tiled - whole).abs().max()) <= 2e-5 * float(whole.abs().max())


def test_pix2pix_as_published_is_not_computed_in_tiles() -> None:
    network = tiny("pix2pix", normalised=True)
    x = image(70, 40)
    assert not network.tiles
    torch.testing.assert_close(by_tiles(network, x, 32), network(x))


def test_a_patch_critic_judges_patches_of_70_pixels() -> None:
    """From Isola et al. 2017: one number for each patch of 70 x 70."""
    torch.manual_seed(0)
    critic = PatchCritic(4)
    field = torch.rand(1, 1, 142, 142, requires_grad=True)
    logits = critic.last(_features(critic, torch.cat([field, field], 1)))
    middle = logits.shape[-1] // 2
    (slope,) = torch.autograd.grad(logits[0, 0, middle, middle], field)
    seen = slope[0, 0].abs().sum(0).nonzero()
    assert int(seen.max() - seen.min()) + 1 == 70


def _features(critic: PatchCritic, x: Tensor) -> Tensor:
    """Without the normalisation, which sees all of a field."""
    for layer in critic.layers:
        x = functional.leaky_relu(layer(x), 0.2)
    return x


def test_critics_of_the_papers_sizes() -> None:
    with torch.device("meta"):
        dfgan = FieldCritic(32, 5, strided=False, first=True, hidden=256)
        cmgan = FieldCritic(64, 5, strided=True, first=False, hidden=None)
    widths = [layer.out_channels for layer in dfgan.layers if isinstance(layer, nn.Conv2d)]
    assert widths == [32, 32, 32, 64, 64, 128, 128, 256, 256, 512, 512]
    widths = [layer.out_channels for layer in cmgan.layers if isinstance(layer, nn.Conv2d)]
    assert widths == [64, 64, 128, 128, 256, 256, 512, 512, 1024, 1024, 2048]
    assert cmgan.dense[0].in_features == 2048


def test_the_error_shares_nothing_with_the_image_and_scales_with_it() -> None:
    network = tiny("resnet", residual=True, spread=4)
    plain = tiny("resnet", residual=True)
    plain.load_state_dict({name: one for name, one in network.state_dict().items() if not name.startswith("spread")})
    x = image(20, 31)
    made, told = network.with_spread(x)
    torch.testing.assert_close(made, plain(x))
    assert told is not None
    assert told.shape == made.shape
    assert float(told.min()) > 0
    assert plain.with_spread(x)[1] is None
    for bright, dim in zip(
        single_image.with_error(network, 50 * x[0]), single_image.with_error(network, x[0]), strict=True
    ):
        assert bright is not None
        assert dim is not None
        torch.testing.assert_close(bright, 50 * dim, rtol=1e-4, atol=1e-4)


def test_the_error_of_tiles_is_that_of_the_field(monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny("dfcan", residual=True, spread=4)
    x = image(120, 100)[0]
    whole = single_image.with_error(network, x)[1]
    monkeypatch.setattr(single_image, "FREE_BYTES", 1)
    tiled = single_image.with_error(network, x)[1]
    assert whole is not None
    assert tiled is not None
    torch.testing.assert_close(tiled, whole, rtol=1e-3, atol=1e-4)
