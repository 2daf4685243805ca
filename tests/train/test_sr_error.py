"""The error that a network for single frames says of itself: nine in ten pixels lie within it, and images stay."""

import torch
from torch import Tensor

from rdl_live.train.loop.super_resolution import WITHIN, SrBatch, judge_sr
from rdl_models import find_architecture

NOISE = (0.2, 0.6)
"""Standard deviation of the truth's left and right halves, which nothing can foresee."""


def batch(seed: int) -> SrBatch:
    """Return even fields whose right half is brighter, and truths that differ from them by noise."""
    generator = torch.Generator().manual_seed(seed)
    frames = torch.ones(2, 1, 16, 16)
    frames[..., 8:] = 1.4
    truth = frames[:, 0].repeat_interleave(2, -1).repeat_interleave(2, -2)
    noise = torch.randn(truth.shape, generator=generator)
    noise[..., :16] *= NOISE[0]
    noise[..., 16:] *= NOISE[1]
    return SrBatch(frames, truth + noise)


def test_nine_in_ten_pixels_lie_within_the_error() -> None:
    kind = find_architecture("srcnn")
    torch.manual_seed(1)
    network = kind.network(kind.config(residual=True, width=4, waist=4, spread=8))
    head = network.spread
    assert head is not None
    before = {name: one.clone() for name, one in network.state_dict().items() if not name.startswith("spread")}
    optimiser = torch.optim.Adam(head.parameters(), 1e-2)
    for step in range(250):
        optimiser.zero_grad()
        judge_sr(network, batch(step)).loss.backward()
        optimiser.step()
    for name, one in before.items():
        assert torch.equal(network.state_dict()[name], one), name
    fresh = batch(10_000)
    made, told = network.with_spread(fresh.frames)
    assert told is not None
    within = ((made - fresh.truth).abs() <= WITHIN * told).float()
    assert abs(float(within.mean()) - 0.9) < 0.04
    for half, wanted in ((told[..., 2:14], NOISE[0]), (told[..., 18:30], NOISE[1])):
        assert abs(float(half.detach().median()) / wanted - 1) < 0.25


def test_what_is_said_of_the_error_teaches_the_image_nothing() -> None:
    kind = find_architecture("resnet")
    torch.manual_seed(2)
    small = {"residual": True, "width": 4, "groups": 1, "blocks": 1}
    plain, telling = kind.network(kind.config(**small)), kind.network(kind.config(**small, spread=4))
    telling.load_state_dict(plain.state_dict(), strict=False)
    gradients: list[dict[str, Tensor]] = []
    for network in (plain, telling):
        judge_sr(network, batch(3)).loss.backward()
        gradients.append({name: one.grad for name, one in network.named_parameters() if "spread" not in name})
    for name, one in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], one, msg=name)
