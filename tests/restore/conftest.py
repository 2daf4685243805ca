"""Scenes and networks of the restoration's tests."""

from collections.abc import Callable, Iterator

import pytest
import torch

from rdl_live.optics import Camera, Channel, Microscope, Optics
from rdl_live.specimen import SimulatedSeries, SpecimenSettings, simulate
from rdl_models import Card, ObjectPlane, ObjectPlaneConfig, Span, Weights

Recorder = Callable[..., SimulatedSeries]


@pytest.fixture(scope="session")
def scope() -> Microscope:
    return Microscope(
        name="test",
        optics=Optics(na=1.4, pixel_size_um=0.07),
        channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
        camera=Camera(offset_adu=100.0, gain_e_per_adu=0.5, read_noise_e=1.0),
    )


@pytest.fixture(scope="session")
def record(scope: Microscope) -> Recorder:
    """Return a function (photons, shape, kind, seed) that records one series."""

    def recorded(
        photons: float, shape: tuple[int, int] = (64, 64), kind: str = "filaments", seed: int = 3
    ) -> SimulatedSeries:
        return simulate(scope, SpecimenSettings(kind=kind, seed=seed), photons=photons, shape=shape, seed=1).series(0)

    return recorded


def card(**changes: object) -> Card:
    """Metadata of weights for tests."""
    fields = {
        "name": "test",
        "architecture": "object-plane",
        "config": {},
        "trained_on": {},
        "steps": 0,
        "minutes": 0,
        "valid": {
            "na": Span(low=1.2, high=1.49),
            "pixel_size_um": Span(low=0.05, high=0.085),
            "harmonics": Span(low=1, high=1),
            "photons": Span(low=1, high=2000),
        },
    }
    return Card.model_validate({**fields, **changes})


@pytest.fixture
def untrained() -> Weights:
    """A network that returns the Wiener image."""
    return Weights(ObjectPlane(ObjectPlaneConfig(width=8, blocks=1)).eval().requires_grad_(False), card())


@pytest.fixture
def wrong() -> Weights:
    """A network that makes things up."""
    torch.manual_seed(1)
    network = ObjectPlane(ObjectPlaneConfig(width=8, blocks=1))
    torch.nn.init.normal_(network.head.weight, std=0.02)
    return Weights(network.eval().requires_grad_(False), card())


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Arrays here are so small that threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
