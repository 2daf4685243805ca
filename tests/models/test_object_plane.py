"""The network: any size, exact scaling, starts as the Wiener image."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rdl_live.errors import ConfigError
from rdl_models import ObjectPlane, ObjectPlaneConfig, architectures, build
from rdl_models.object_plane import LARGE, SHIPPED

SMALL = ObjectPlaneConfig(width=8, blocks=1)
SCALES = ObjectPlaneConfig(width=8, blocks=1, levels=2, before=1, after=1, spread=8)
BOUNDED = ObjectPlaneConfig(width=6, widest=8, blocks=1, levels=3, before=1, after=1, spread=4)


def random_network(config: ObjectPlaneConfig = SMALL) -> ObjectPlane:
    """A network whose head is not zero, so that all its layers count."""
    torch.manual_seed(0)
    network = ObjectPlane(config)
    torch.nn.init.normal_(network.head.weight, std=0.1)
    return network.eval().requires_grad_(False)


@settings(deadline=None, max_examples=15)
@given(y=st.integers(3, 41), x=st.integers(3, 41), n=st.integers(1, 2), config=st.sampled_from([SMALL, SCALES]))
def test_any_size_comes_back_as_it_was(y: int, x: int, n: int, config: ObjectPlaneConfig) -> None:
    out = random_network(config)(torch.randn(n, 4, y, x))
    assert out.shape == (n, y, x)
    assert out.dtype == torch.float32


def test_a_new_network_returns_the_middle_image() -> None:
    x = torch.randn(2, 4, 24, 20)
    assert torch.equal(ObjectPlane(SMALL)(x), x[:, 1])


def test_three_times_the_light_gives_three_times_the_image_and_its_error() -> None:
    network, x = random_network(SCALES), torch.rand(1, 4, 32, 32)
    for bright, dim in zip(network.with_spread(3 * x), network.with_spread(x), strict=True):
        assert bright is not None
        assert dim is not None
        assert torch.allclose(bright, 3 * dim, rtol=1e-4, atol=1e-4)


def test_the_error_is_positive_and_does_not_change_the_image() -> None:
    network, x = random_network(SCALES), torch.randn(1, 4, 24, 40)
    x[:, 3] = x[:, 3].abs() + 0.1
    image, spread = network.with_spread(x)
    assert torch.equal(image, network(x))
    assert spread is not None
    assert spread.shape == image.shape
    assert spread.min() > 0
    assert random_network(SMALL).with_spread(x)[1] is None


@pytest.mark.parametrize("config", [SMALL, SCALES, BOUNDED, ObjectPlaneConfig(width=4, blocks=2, levels=3, spread=4)])
@pytest.mark.parametrize("strips", [2, 3, 7, 100])
def test_strips_have_no_seams(config: ObjectPlaneConfig, strips: int) -> None:
    network, x = random_network(config), torch.rand(1, 4, 200, 72)
    whole, told = network.with_spread(x)
    image, error = network.with_spread(x, strips)
    scale = float(whole.abs().max())
    assert torch.allclose(image, whole, atol=1e-5 * scale)
    assert torch.allclose(network(x, strips), whole, atol=1e-5 * scale)
    if told is not None:
        assert error is not None
        assert torch.allclose(error, told, atol=1e-5 * scale)


def test_no_scale_is_wider_than_the_widest() -> None:
    shapes = [value.shape[:2] for value in ObjectPlane(BOUNDED).body.parameters() if value.shape[-1] == 3]
    assert {shape for shape in shapes} == {(6, 6), (8, 8)}
    with pytest.raises(ValueError, match="widest must be 0 or at least width"):
        ObjectPlaneConfig(width=16, widest=8)


def test_all_that_is_seen_lies_within_reach() -> None:
    """A change further away than `reach` changes nothing, and one within it does: the halo is neither thin nor fat."""
    network, x = random_network(SCALES), torch.rand(1, 4, 480, 64)
    changed = x.clone()
    changed[..., 240, :] += 1
    moved = (network(changed) - network(x))[0].abs().amax(dim=1) > 0
    seen = int(moved[:240].nonzero().min())
    assert 240 - 4 * (network.reach + 1) <= seen <= 240 - 4 * (network.reach - 4)


def test_the_error_teaches_only_its_own_head() -> None:
    torch.manual_seed(0)
    network = ObjectPlane(SCALES)
    _, spread = network.with_spread(torch.rand(1, 4, 32, 32))
    assert spread is not None
    spread.sum().backward()
    taught = {name for name, value in network.named_parameters() if value.grad is not None}
    assert taught == {name for name, _ in network.named_parameters() if name.startswith("spread.")}


def test_a_grown_network_gives_the_same_image_and_can_learn_more() -> None:
    config = ObjectPlaneConfig(width=8, blocks=2)
    network = random_network(config)
    x = torch.rand(1, 4, 32, 32)
    before = network(x)
    larger = network.grown(ObjectPlaneConfig(width=8, blocks=1, levels=2, before=1, after=1))
    assert torch.allclose(larger(x), before, atol=1e-6)
    larger.requires_grad_(True)(x).square().mean().backward()
    scale = dict(larger.named_parameters())
    assert scale["body.up.weight"].grad is not None
    assert scale["body.up.weight"].grad.abs().max() > 0


@pytest.mark.parametrize("config", [{"width": 8, "blocks": 1}, {"width": 16, "blocks": 2}])
def test_a_network_that_does_not_fit_does_not_grow(config: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="does not grow"):
        ObjectPlane(ObjectPlaneConfig(**config)).grown(SCALES)


def test_what_lies_at_an_edge_sees_the_opposite_edge() -> None:
    """Rolling the input rolls the output, but for what the border of the convolutions leaves out."""
    network, x = random_network(), torch.rand(1, 4, 64, 64)
    straight, rolled = network(x).roll((32, 32), (-2, -1)), network(x.roll((32, 32), (-2, -1)))
    assert (rolled - straight).std() < 0.03 * straight.std()


def test_every_weight_takes_part() -> None:
    torch.manual_seed(0)
    network = ObjectPlane(SMALL)
    torch.nn.init.normal_(network.head.weight, std=0.1)
    network(torch.randn(1, 4, 32, 32)).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_the_shipped_size_is_light() -> None:
    for config in (SHIPPED, LARGE):
        count = sum(parameter.numel() for parameter in ObjectPlane(config).parameters())
        assert 0.3e6 < count < 2.5e6  # 5 MB of weights at most, in float16


@pytest.mark.parametrize("bad", [{"width": 0}, {"blocks": 65}, {"width": 1.5}, {"images": True}, {"depth": 3}])
def test_a_configuration_that_makes_no_sense_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="object-plane"):
        build("object-plane", bad)


def test_an_unknown_architecture_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no architecture 'magic'.*object-plane"):
        build("magic", {})
    assert "object-plane" in architectures()
