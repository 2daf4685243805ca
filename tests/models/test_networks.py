"""The published networks: their size, the laws that their parts obey, and their way through weight files."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from rdl_live.errors import ConfigError
from rdl_models import (
    Card,
    Dfcan,
    DfcanConfig,
    FnsmConfig,
    FourierMask,
    Rcan3d,
    Rcan3dConfig,
    RdlSim,
    RdlSimConfig,
    build,
    load_weights,
    save_weights,
)
from rdl_models.blocks import ChannelAttention, attentions
from rdl_models.dfcan import FourierChannelAttention
from rdl_models.tiles import by_tiles, field_means, held

SMALL = RdlSimConfig(width=16, generated_groups=1, noisy_groups=1, trunk_groups=1, blocks=1, fnsm=True)
SMALL_3D = Rcan3dConfig(width=16, groups=1, blocks=1)
SMALL_SR = DfcanConfig(width=16, groups=1, blocks=1, window=16)


def parameters(network: nn.Module) -> int:
    return sum(one.numel() for one in network.parameters())


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(4)


def lively(network: nn.Module) -> nn.Module:
    """Give every layer weights of some size, so that nothing passes by being zero."""
    for name, one in network.named_parameters():
        if one.ndim > 1 or name.endswith("bias"):
            nn.init.normal_(one, std=0.1)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize(
    ("network", "millions"),
    [(RdlSim, 4.74), (Rcan3d, 3.78), (Dfcan, 1.93)],
)
def test_the_published_sizes(network: type[nn.Module], millions: float) -> None:
    assert round(parameters(network()) / 1e6, 2) == millions


def test_parameters_of_the_published_denoiser_to_the_last() -> None:
    assert parameters(RdlSim()) == 4_743_619
    # Cut-off and slope are all that FNSM adds.
    assert parameters(RdlSim(RdlSimConfig(fnsm=True))) == 4_743_621


@pytest.mark.parametrize("size", [(16, 16), (19, 30), (33, 12)])
def test_any_frame_size(size: tuple[int, int]) -> None:
    frames = torch.randn(2, 3, *size)
    assert RdlSim(SMALL)(frames, frames, 0.06).shape == (2, 3, *size)
    assert Rcan3d(SMALL_3D)(torch.randn(1, 1, 4, *size), 0.06).shape == (1, 1, 4, *size)
    image = Dfcan(SMALL_SR)(frames[:, :1])
    assert image.shape == (2, 2 * size[0], 2 * size[1])


@pytest.mark.parametrize("phases", [3, 5])
def test_as_many_phases_as_are_asked_for(phases: int) -> None:
    frames = torch.randn(1, phases, 16, 16)
    made = build("rdl-sim", {**vars(SMALL), "phases": phases})
    assert made(frames, frames, 0.06).shape == frames.shape


def test_every_parameter_learns() -> None:
    frames, stack = torch.randn(1, 3, 16, 16), torch.randn(1, 1, 4, 16, 16)
    # Mild slopes: a steep mask learns only from samples that happen to lie on it.
    cases = [
        (RdlSim(RdlSimConfig(**{**vars(SMALL), "slope": 1.0})), lambda net: net(frames, 2 * frames, 0.06)),
        (Rcan3d(Rcan3dConfig(width=16, groups=1, blocks=1, slope=1.0)), lambda net: net(stack, 0.06)),
        (Dfcan(SMALL_SR), lambda net: net(frames[:, :1])),
    ]
    for network, call in cases:
        for name, one in network.named_parameters():
            # The rectifiers of an attention's narrow waist may all be dead at the start.
            if "attention" in name:
                nn.init.uniform_(one, 0.0, 0.1)
        (call(network) ** 2).sum().backward()
        for name, one in network.named_parameters():
            assert one.grad is not None, name
            assert float(one.grad.abs().max()) > 0, name


def wave(k_per_um: float, pixel_um: float, size: int) -> Tensor:
    """Return a wave of a whole number of periods along x."""
    x = (torch.arange(size) + 0.5) * pixel_um
    return torch.cos(2 * torch.pi * k_per_um * x).expand(1, 1, size, size)


@pytest.mark.parametrize(("pixel_um", "size"), [(0.05, 64), (0.0625, 128), (0.08, 100)])
def test_the_mask_leaves_what_is_in_band_and_removes_the_rest_whatever_the_pixel(pixel_um: float, size: int) -> None:
    mask = FourierMask(FnsmConfig(cutoff=4.0))
    step = 1 / (size * pixel_um)
    for k, kept in ((round(3.5 / step) * step, 1.0), (round(4.6 / step) * step, 0.0)):
        image = wave(k, pixel_um, size)
        assert torch.allclose(mask(image, pixel_um), kept * image, atol=1e-4)


def test_a_mask_in_units_of_the_cutoff_moves_with_the_microscope() -> None:
    mask, otf = FourierMask(FnsmConfig(cutoff=1.0)), 2 * 1.4 / 0.525
    image = wave(4 / (64 * 0.08), 0.08, 64) + wave(30 / (64 * 0.08), 0.08, 64)
    assert torch.allclose(mask(image, 0.08 * otf), wave(4 / (64 * 0.08), 0.08, 64), atol=1e-4)
    pair = mask(image.expand(2, 1, 64, 64), torch.tensor([0.08 * otf, 10.0]))
    assert torch.allclose(pair[1:], image, atol=1e-4)


def test_the_mask_learns_where_the_signal_ends() -> None:
    mask = FourierMask(FnsmConfig(cutoff=6.0, slope=4.0))
    clean = wave(3.125, 0.0625, 64)
    noisy = clean + wave(5.0, 0.0625, 64)
    optimizer = torch.optim.Adam(mask.parameters(), 0.1)
    for _ in range(60):
        optimizer.zero_grad()
        ((mask(noisy, 0.0625) - clean) ** 2).mean().backward()
        optimizer.step()
    assert 3.125 < float(mask.cutoff.detach()) < 5.0


def test_masked_frames_are_free_of_noise_beyond_the_support_for_the_denoiser_as_well() -> None:
    network, frames = RdlSim(SMALL), torch.randn(1, 3, 64, 64)
    inputs = network.inputs(frames, frames, 0.06).detach()
    assert inputs.shape == (1, 9, 64, 64)
    spectrum = torch.fft.rfft2(inputs[:, 6:])
    beyond = torch.hypot(torch.fft.fftfreq(64)[:, None], torch.fft.rfftfreq(64)[None]) / 0.06 > 5.2
    assert float(spectrum[..., beyond].abs().max()) < 1e-3


@pytest.mark.parametrize("tiles", [(2, 1), (2, 3)])
def test_fourier_attention_does_not_depend_on_the_field_of_view(tiles: tuple[int, int]) -> None:
    attention = lively(FourierChannelAttention(16, 0.8, 32))
    field = torch.randn(1, 16, 32, 64)
    larger = field.repeat(1, 1, *tiles)
    assert torch.allclose(attention(larger), attention(field).repeat(1, 1, *tiles), atol=1e-5)


def test_fourier_attention_of_a_texture_is_that_of_any_part_of_it() -> None:
    attention = FourierChannelAttention(16, 0.8, 32)
    texture = torch.randn(1, 16, 256, 256)
    whole, part = attention.spectrum(texture), attention.spectrum(texture[..., :101, :77])
    assert float(part.mean() / whole.mean()) == pytest.approx(1, abs=0.02)
    # The published way, the spectrum of the whole field without a norm, would differ by the root of the areas' ratio.
    assert float((part - whole).abs().mean() / whole.mean()) < 0.3


def test_channel_attention_is_that_of_the_field_repeated() -> None:
    attention = lively(ChannelAttention(32))
    field = torch.randn(1, 32, 8, 8)
    assert torch.allclose(attention(field.repeat(1, 1, 2, 3)), attention(field).repeat(1, 1, 2, 3), atol=1e-6)


def test_what_moves_in_moves_out() -> None:
    network = lively(RdlSim(SMALL))
    assert isinstance(network, RdlSim)
    frames = torch.randn(1, 9, 40, 40)
    field_means(network, frames, 64)
    means = [one.seen for one in attentions(network)]
    with held(network, [one for one in means if one is not None]):
        still, moved = network.local(frames), network.local(frames.roll((3, 5), (-2, -1)))
    inner = (..., slice(15, 25), slice(15, 25))
    back = moved.roll((-3, -5), (-2, -1))
    assert torch.allclose(back[inner], still[inner], atol=1e-4)


def test_tiles_have_no_seams() -> None:
    network = lively(RdlSim(SMALL))
    assert isinstance(network, RdlSim)
    inputs = torch.randn(2, 9, 61, 48)
    whole = network.local(inputs)
    assert torch.equal(by_tiles(network, inputs, 64), whole)
    means = [one.seen for one in attentions(network) if one.seen is not None]
    # With the field's own means tiles give the whole field to rounding, whatever their size.
    for tile in (16, 25):
        assert torch.allclose(by_tiles(network, inputs, tile, means=means), whole, atol=1e-5)
    # With means measured in tiles the difference is far below what the network does.
    measured = by_tiles(network, inputs, 24)
    assert float((measured - whole).abs().mean()) < 0.05 * float(whole.std())
    assert all(one.held is None for one in attentions(network))


def test_a_residual_network_starts_from_what_it_is_given() -> None:
    generated, noisy = torch.randn(1, 3, 16, 16), torch.randn(1, 3, 16, 16)
    config = {**vars(SMALL), "residual": True}
    assert torch.equal(RdlSim(RdlSimConfig(**config))(generated, noisy, 0.06), generated)
    alone = RdlSim(RdlSimConfig(**{**config, "generated_groups": 0}))
    assert torch.equal(alone(generated, noisy, 0.06), noisy)
    flat = Dfcan(DfcanConfig(width=8, groups=1, blocks=1, window=16, residual=True))
    assert torch.allclose(flat(torch.full((1, 1, 16, 16), 3.0)), torch.tensor(3.0))


@torch.no_grad()
def test_a_deep_network_neither_dies_nor_explodes_at_first() -> None:
    frames = torch.randn(1, 3, 24, 24)
    for out in (RdlSim()(frames, frames), Dfcan()(frames[:, :1]), Rcan3d()(frames[:, None], 0.06)):
        assert 0.02 < float(out.std()) < 50


def test_a_bounded_image_stays_within_its_bounds() -> None:
    network = Dfcan(DfcanConfig(width=8, groups=1, blocks=1, window=16, bounded=True))
    image = network(100 * torch.randn(1, 1, 20, 20)).detach()
    assert 0 <= float(image.min()) <= float(image.max()) <= 1


@pytest.mark.parametrize(
    ("architecture", "config", "words"),
    [
        ("rdl-sim", {"width": 10**6}, "width must be a whole number from 2 to 512"),
        ("rdl-sim", {"fnsm": 1}, "fnsm must be true or false"),
        ("rdl-sim", {"cutoff": float("nan")}, "cutoff must be a number"),
        ("rdl-sim", {"phases": True}, "phases"),
        ("rcan3d", {"blocks": 0}, "blocks"),
        ("dfcan", {"scale": 9}, "scale"),
        ("dfcan", {"magic": 1}, "magic"),
    ],
)
def test_sizes_without_sense_are_refused(architecture: str, config: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build(architecture, config)


@pytest.mark.parametrize(
    ("architecture", "network"),
    [("rdl-sim", RdlSim(SMALL)), ("rcan3d", Rcan3d(SMALL_3D)), ("dfcan", Dfcan(SMALL_SR))],
)
def test_weights_come_back_from_their_file(tmp_path: Path, architecture: str, network: nn.Module) -> None:
    card = Card(name="one", architecture=architecture, config=vars(network.config), trained_on={}, steps=1, minutes=0.1)
    save_weights(tmp_path / "one.safetensors", network, card)
    loaded = load_weights(tmp_path / "one.safetensors")
    assert loaded.card == card
    assert loaded.network.config == network.config
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], value), name
