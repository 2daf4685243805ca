"""Laws that hold for every kind of specimen."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from rdl_live.specimen import Cloud, Domain, Motion, Specimen, SpecimenSettings, kind, kind_names
from rdl_live.specimen.motion import Trajectories

SHAPE = (250, 320)
PIXEL_UM = 0.02
KINDS = ("actin", "beads", "collage", "filaments", "mitochondria", "mixed", "reticulum", "rings")


def grow(kind: str = "filaments", shape: tuple[int, int] = SHAPE, **settings: float) -> Specimen:
    return Specimen(SpecimenSettings.model_validate({"kind": kind, "seed": 3, **settings}), shape, PIXEL_UM)


def likeness(a: torch.Tensor, b: torch.Tensor) -> float:
    """Correlation of two images."""
    return float(np.corrcoef(a.flatten().numpy(), b.flatten().numpy())[0, 1])


def test_all_kinds_are_there() -> None:
    assert set(kind_names()) == {*KINDS, "empty"}


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    """What is true of each kind."""

    def test_light(self, kind: str) -> None:
        image = grow(kind).density()
        assert image.shape == SHAPE
        assert image.dtype == torch.float32
        assert image.min() >= 0
        assert image.mean().item() == pytest.approx(1.0, rel=1e-4)
        assert image.std() > 0.5

    def test_seed(self, kind: str) -> None:
        first = grow(kind, haze=0.3, background=0.1, speed_um_s=0.1)
        again = grow(kind, haze=0.3, background=0.1, speed_um_s=0.1)
        other = grow(kind, haze=0.3, background=0.1, speed_um_s=0.1, seed=4)
        assert torch.equal(first.density(7.0), again.density(7.0))
        assert torch.equal(first.haze(7.0), again.haze(7.0))
        assert likeness(first.density(), other.density()) < 0.3

    def test_still_without_speed(self, kind: str) -> None:
        specimen = grow(kind)
        assert torch.equal(specimen.density(0.0), specimen.density(100.0))

    def test_moves_smoothly(self, kind: str) -> None:
        specimen = grow(kind, speed_um_s=0.2)
        start = specimen.density(5.0)
        small, large = ((specimen.density(5.0 + dt) - start).abs().mean().item() for dt in (0.002, 0.02))
        assert 0 < small < 0.3 * large
        assert likeness(start, specimen.density(35.0)) < 0.7
        assert specimen.density(35.0).mean().item() == pytest.approx(1.0, abs=0.7)

    def test_time_is_asked_in_any_order(self, kind: str) -> None:
        specimen = grow(kind, speed_um_s=0.2)
        before = specimen.density(3.0)
        specimen.density(9.0)
        assert torch.equal(specimen.density(3.0), before)

    def test_nothing_ends_at_the_edge(self, kind: str) -> None:
        """Over many seeds the rim of the view is as bright as its middle."""
        shape = (128, 128)
        images = [grow(kind, shape, seed=seed, density=4.0).density() for seed in range(24)]
        image = torch.stack(images).mean(0)
        rim = torch.ones(shape, dtype=torch.bool)
        rim[16:-16, 16:-16] = False
        assert image[rim].mean().item() == pytest.approx(image[~rim].mean().item(), abs=0.35)
        for side in (image[:10], image[-10:], image[:, :10], image[:, -10:]):
            assert side.mean() > 0.4

    def test_density(self, kind: str) -> None:
        crowded, sparse = grow(kind, density=3.0).density(), grow(kind, density=0.3).density()
        assert (crowded > 0.2).float().mean() > (sparse > 0.2).float().mean()


def test_bleaching() -> None:
    specimen = grow("rings", bleach_time_s=20.0, haze=0.5, background=0.2)
    for image in (specimen.density, specimen.haze):
        torch.testing.assert_close(image(20.0), image(0.0) / math.e, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_share_of_haze(share: float) -> None:
    specimen = grow("actin", haze=share)
    density, haze = specimen.density(), specimen.haze()
    assert haze.mean().item() == pytest.approx(share, abs=1e-4)
    assert (density + haze).mean().item() == pytest.approx(1.0, rel=1e-4)
    assert haze.min() >= 0


@pytest.mark.parametrize("kind", ["filaments", "beads"])
def test_haze_is_smooth(kind: str) -> None:
    haze = grow(kind, haze=0.5).haze()
    power = (
        torch.fft.rfft2((haze - haze.mean()) * torch.hann_window(SHAPE[0])[:, None] * torch.hann_window(SHAPE[1])).abs()
        ** 2
    )
    ky, kx = torch.fft.fftfreq(SHAPE[0], PIXEL_UM)[:, None], torch.fft.rfftfreq(SHAPE[1], PIXEL_UM)
    assert power[torch.hypot(kx, ky) > 2.0].sum() < 1e-3 * power.sum()


def test_haze_is_other_structure_and_moves_too() -> None:
    specimen = grow("mitochondria", haze=0.5, speed_um_s=0.2)
    assert likeness(specimen.density(), specimen.haze()) < 0.5
    assert 0.5 < likeness(specimen.haze(0.0), specimen.haze(1.0)) < 1 - 1e-6


def test_background_is_smooth_dye() -> None:
    dye, sharp, half = (grow("beads", background=b).density() for b in (1.0, 0.0, 0.5))
    torch.testing.assert_close(half, 0.5 * (dye + sharp))
    assert dye.mean().item() == pytest.approx(1.0, rel=1e-4)
    assert dye.min() > 0.1
    assert 0.02 < dye.std() < 0.8


def test_a_member_crosses_the_seam_unseen() -> None:
    """Light goes round the torus: what leaves on one side is not lost."""
    cloud = Cloud(np.array([[0.5, 0.5]]), np.ones(1), np.zeros(1, np.int64), Motion(drift=1.0, flow=0.0))
    way = Trajectories(cloud, Domain((3.0, 3.0), np.random.default_rng(0)), 1.0)
    assert way.positions(1000.0).abs().max() > 10


@pytest.mark.parametrize("motion", [Motion(1.0, 0.0), Motion(0.0, 1.0), Motion(0.6, 0.8)])
@pytest.mark.parametrize("speed", [0.01, 0.3, 5.0])
def test_speed_is_the_root_mean_square(motion: Motion, speed: float) -> None:
    rng = np.random.default_rng(5)
    n = 4000
    cloud = Cloud(rng.random((n, 2)) * 20, np.ones(n), np.arange(n), motion)
    way = Trajectories(cloud, Domain((20.0, 20.0), rng), speed)
    dt = 0.01
    moved = [
        (way.positions(t + dt) - way.positions(t)).double().square().sum(1).mean().item() / dt**2
        for t in np.linspace(0, 200, 40)
    ]
    assert math.sqrt(float(np.mean(moved))) == pytest.approx(speed, rel=0.15)


def test_swaying_keeps_shapes_whole() -> None:
    """However fast, neighbours stay neighbours: strain stays below one."""
    line = np.stack([np.linspace(0, 10, 1000), np.full(1000, 4.0)], axis=1)
    cloud = Cloud(line, np.ones(1000), np.zeros(1000, np.int64), Motion(0.0, 1.0, (1.5, 6.0)))
    way = Trajectories(cloud, Domain((10.0, 10.0), np.random.default_rng(1)), 20.0)
    for time in (0.0, 0.37, 12.0):
        links = way.positions(time).diff(dim=0).norm(dim=1) / 0.01
        assert links.max() < 2.9
        assert links.min() > 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "unicorns"),
        ("haze", 1.1),
        ("density", 0),
        ("speed_um_s", -1),
        ("bleach_time_s", 0),
        ("colour", 1),
    ],
)
def test_bad_settings(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        SpecimenSettings.model_validate({field: value})


def test_an_unknown_kind_is_told_the_known_ones() -> None:
    with pytest.raises(ValidationError, match="filaments"):
        SpecimenSettings(kind="unicorns")


def test_bad_view() -> None:
    for shape, pixel in (((0, 5), 0.02), ((5, 5), 0.0)):
        with pytest.raises(ValueError, match="view"):
            Specimen(SpecimenSettings(), shape, pixel)


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="filaments"):
        kind("filaments")(lambda _: [])
