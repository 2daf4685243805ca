"""Curves, nets and drawing."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rdl_live.specimen.cloud import Cloud, Motion, join
from rdl_live.specimen.curves import Curves, sites, worm_like_chains
from rdl_live.specimen.domain import Domain
from rdl_live.specimen.splat import blur_matrix, splat
from rdl_live.specimen.voronoi import voronoi


def test_persistence_length() -> None:
    """In the plane the direction is forgotten as exp(-s / (2 P))."""
    rng = np.random.default_rng(0)
    n, persistence = 3000, 4.0
    chains = worm_like_chains(np.zeros((n, 2)), np.zeros(n), np.full(n, 8.0), persistence, rng)
    nodes = chains.node_um.reshape(n, -1, 2)
    step = np.diff(nodes, axis=1)
    angle = np.arctan2(step[..., 1], step[..., 0])
    for s in (1.0, 3.0, 6.0):
        found = np.cos(angle[:, round(s / 0.1)] - angle[:, 0]).mean()
        assert found == pytest.approx(math.exp(-s / (2 * persistence)), abs=0.04)


def test_chains_have_their_lengths_and_starts() -> None:
    rng = np.random.default_rng(1)
    start, length = rng.random((50, 2)), rng.uniform(0.05, 7.0, 50)
    chains = worm_like_chains(start, np.zeros(50), length, 5.0, rng)
    for index in range(50):
        nodes = chains.node_um[chains.curve == index]
        np.testing.assert_allclose(nodes[0], start[index])
        assert np.hypot(*np.diff(nodes, axis=0).T).sum() == pytest.approx(length[index])


def test_sites_lie_on_the_curves() -> None:
    nodes = np.array([[0.0, 0], [1, 0], [1, 2], [5, 5], [5, 6]])
    found = sites(Curves(nodes, np.array([0, 0, 0, 1, 1])), 0.1)
    assert len(found.curve) == 40
    assert (found.curve == 0).sum() == 30
    np.testing.assert_allclose(found.length_um[found.curve == 0], 3.0)
    np.testing.assert_allclose(found.arc_um[:30], 0.05 + 0.1 * np.arange(30))
    np.testing.assert_allclose(found.position_um[:10, 1], 0.0, atol=1e-12)
    np.testing.assert_allclose(found.position_um[10:30, 0], 1.0, atol=1e-12)
    np.testing.assert_allclose(found.position_um[30:, 0], 5.0, atol=1e-12)
    np.testing.assert_allclose(found.normal[:10], [[0, 1]] * 10, atol=1e-12)
    moved = found.offset(np.full(40, 0.2), 0.03)
    np.testing.assert_allclose(moved[:10], found.position_um[:10] + np.array([0.03, 0.2]), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(x=st.floats(-3, 9), y=st.floats(-3, 9), rows=st.integers(3, 9), columns=st.integers(3, 9))
def test_splat_keeps_light_and_place(x: float, y: float, rows: int, columns: int) -> None:
    size = (0.25 * rows, 0.5 * columns)
    image = splat(
        torch.tensor([[x, y]], dtype=torch.float64),
        torch.tensor([3.0], dtype=torch.float64),
        (rows, columns),
        size,
    )
    assert image.sum().item() == pytest.approx(3.0)
    assert image.min() >= 0
    for profile, place, pixel in ((image.sum(0), x, 0.5), (image.sum(1), y, 0.25)):
        nearest = round(place / pixel - 0.5)
        offset = torch.arange(-1, 2)
        weight = profile[(nearest + offset) % len(profile)] / 3
        centre = (nearest + 0.5 + (weight * offset).sum().item()) * pixel
        assert centre == pytest.approx(place, abs=1e-6)


def test_blur_is_a_gaussian_that_keeps_light_and_place() -> None:
    size, coarse, fine, sigma = 6.0, 60, 240, 0.5
    matrix = blur_matrix(fine, size / fine, 0.0, coarse, size, sigma)
    assert matrix.dtype == torch.float32
    torch.testing.assert_close(matrix.sum(1), torch.ones(fine))
    point = matrix[:, 30].double() / matrix[:, 30].double().sum()
    at = (torch.arange(fine) + 0.5) * size / fine
    mean = (point * at).sum()
    assert mean.item() == pytest.approx(30.5 * 0.1, abs=1e-4)
    assert (point * (at - mean) ** 2).sum().sqrt().item() == pytest.approx(sigma, rel=1e-3)
    cut = blur_matrix(50, size / fine, 40 * size / fine, coarse, size, sigma)
    torch.testing.assert_close(cut, matrix[40:90])


class TestVoronoi:
    """The periodic net of random centres."""

    size = (9.0, 12.0)
    net = voronoi(np.random.default_rng(2).random((80, 2)) * (12.0, 9.0), size)

    def test_euler(self) -> None:
        """On a torus faces - edges + corners = 0, and corners join three edges: three edges a mesh."""
        assert len(self.net.edge_um) == 3 * 80

    def test_edges_are_as_far_from_both_centres(self) -> None:
        for end in (0, 1):
            one, other = (
                np.linalg.norm(self.net.edge_um[:, end] - self.net.middle_um[:, side], axis=1) for side in (0, 1)
            )
            np.testing.assert_allclose(one, other, rtol=1e-6)

    def test_no_centre_is_nearer(self) -> None:
        corners = self.net.edge_um.reshape(-1, 2)
        apart = corners[:, None] - self.net.centre_um[None]
        apart -= np.array([12.0, 9.0]) * np.rint(apart / [12.0, 9.0])
        nearest = np.linalg.norm(apart, axis=2).min(1)
        own = np.linalg.norm(self.net.edge_um - self.net.middle_um[:, :1], axis=2).reshape(-1)
        np.testing.assert_allclose(nearest, own, rtol=1e-6)

    def test_meshes_cover_the_torus(self) -> None:
        u = self.net.edge_um[:, 0, None] - self.net.middle_um
        v = self.net.edge_um[:, 1, None] - self.net.middle_um
        assert 0.5 * np.abs(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]).sum() == pytest.approx(108.0)


def test_places() -> None:
    domain = Domain((5.0, 8.0), np.random.default_rng(0), density=2.0)
    assert domain.count(0.5) == 40
    assert domain.count(1e-9) == 1
    for clumping in (0.0, 0.9):
        places = domain.places(500, clumping=clumping)
        assert places.shape == (500, 2)
        assert (places >= 0).all()
        assert (places < [8.0, 5.0]).all()


def test_clumping_makes_places_uneven() -> None:
    def unevenness(clumping: float) -> float:
        spread = []
        for seed in range(10):
            places = Domain((20.0, 20.0), np.random.default_rng(seed)).places(2000, clumping=clumping)
            counts, _, _ = np.histogram2d(*places.T, bins=20, range=[[0, 20], [0, 20]])
            spread.append(counts.var() / counts.mean())
        return float(np.mean(spread))

    assert unevenness(0.0) == pytest.approx(1.0, abs=0.1)
    assert unevenness(0.9) > 2.0


def cloud(members: list[int], light: float = 1.0) -> Cloud:
    n = len(members)
    return Cloud(np.zeros((n, 2)), np.full(n, light), np.array(members), Motion(drift=light))


def test_join() -> None:
    apart = join([cloud([0, 1, 1]), cloud([0, 2], light=2.0)])
    assert apart.member.tolist() == [0, 1, 1, 2, 4]
    assert apart.motion.drift == 1.0
    assert join([cloud([0, 1]), cloud([0, 1])], same_members=True).member.tolist() == [0, 1, 0, 1]
    assert apart.share(10.0).brightness.sum() == pytest.approx(10.0)


def test_a_cloud_holds_together() -> None:
    with pytest.raises(ValueError, match="fluorophores"):
        Cloud(np.zeros((3, 2)), np.ones(2), np.zeros(3, np.int64))
