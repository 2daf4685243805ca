"""The truth that a simulated world gives beside its frames, and tiles that join without a seam."""

import numpy as np
import pytest
import torch

from rdl_devices.sim import World, WorldSettings, draw
from rdl_devices.sim.scene import Scene, Window
from rdl_devices.sim.view import Region
from rdl_live.app.live.truth import nrmse
from rdl_live.specimen import SpecimenSettings

REGION = Region(16, 16, 64, 64)
CUTOFF = 10.0


@pytest.fixture
def world() -> World:
    """A small chip under bright, even light."""
    world = World(WorldSettings(sensor_px=96, slm_px=512, chip="ideal"))
    world.light.shutter_open = True
    line = world.light.lines[488]
    line.enabled, line.aotf_percent = True, 100.0
    world.display.show(draw(5.2, 0, 0, world.geometry))
    return world


def test_the_truth_has_the_photons_and_the_pixels_of_a_super_resolved_image(world: World) -> None:
    _, exposure = world.expose(REGION, 10.0, 1)
    truth = world.truth(REGION, exposure.start_s, CUTOFF)
    assert truth is not None
    assert truth.shape == (128, 128)
    # An ideal transfer keeps the mean; what lies beyond the edges shines in on both sides.
    assert truth.mean() == pytest.approx(exposure.photons_per_pixel, rel=0.1)


def test_an_exposure_that_was_not_made_has_no_truth(world: World) -> None:
    world.expose(REGION, 10.0, 1)
    assert world.truth(REGION, 1e6, CUTOFF) is None


def test_tiles_join_without_a_step() -> None:
    settings = WorldSettings().with_dye(
        488, specimen=SpecimenSettings(kind="filaments", seed=5, haze=1.0, background=0)
    )
    scene = Scene(settings, 256, 0.0325)
    haze = scene.haze(488, Window(128, 0, (256, 256)), 0.0)
    assert haze is not None
    steps = haze.diff(dim=0).abs().mean(dim=1)
    assert float(steps.max()) < 3 * float(steps.median())


def test_a_tile_is_seen_alone_where_the_chip_is_at_first() -> None:
    settings = WorldSettings().with_dye(488, specimen=SpecimenSettings(kind="filaments", seed=5))
    scene = Scene(settings, 256, 0.0325)
    whole = scene.density(488, Window(0, 0, (256, 256)), 0.0)
    assert len(scene._grown) == 1
    part = scene.density(488, Window(10, 20, (100, 80)), 0.0)
    assert torch.equal(part, whole[10:110, 20:100])


def test_errors_are_those_of_the_formula_whatever_the_pixels() -> None:
    rng = np.random.default_rng(1)
    coarse = torch.from_numpy(rng.random((32, 32), np.float32))
    truth = coarse.repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert nrmse(truth, truth) == 0
    grey = torch.full_like(truth, float(truth[4:-4, 4:-4].mean()))
    assert nrmse(grey, truth) == pytest.approx(1, rel=1e-4)
    assert 0 < nrmse(coarse, truth) < 1
