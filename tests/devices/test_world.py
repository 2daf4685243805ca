"""The world without a core: light, sample, optics, dose."""

import math

import numpy as np
import pytest
import torch

from rdl_devices.sim import World, WorldSettings, draw
from rdl_devices.sim.grating import Fringe
from rdl_devices.sim.light import Blanking
from rdl_devices.sim.view import Region
from rdl_live.optics import Microscope, PatternGeometry
from rdl_live.optics.estimate import estimate_patterns
from rdl_live.optics.microscope import Channel
from rdl_live.specimen import SpecimenSettings

SIDE = 128
WHOLE = Region(0, 0, SIDE, SIDE)
EVEN = Fringe(0.0, 0.0, 0.0, 0.0, 1.0)
FOCUS = (0.0, 0.0, 0.0)


def still(**fields: object) -> World:
    """Return a world whose specimen keeps still, without haze."""
    specimen = SpecimenSettings(kind="filaments", seed=4)
    settings = WorldSettings(sensor_px=SIDE, pixel_maps=False, hot_pixels=0.0, slm_px=512, **fields)
    return World(settings.with_dye(488, specimen=specimen))


def lit(world: World, percent: float = 100.0) -> World:
    """Switch the 488 line on, under a good pattern."""
    line = world.light.lines[488]
    line.enabled, line.aotf_percent, world.light.shutter_open = True, percent, True
    world.display.show(draw(5.2, 0, 0, world.geometry))
    return world


def photons(world: World, exposure_ms: float = 5.0) -> float:
    """Return mean measured photons of one exposure."""
    frame, _ = world.expose(WHOLE, exposure_ms, 1)
    return (float(frame.mean()) - 100) * 0.46


def test_photons_follow_power_and_exposure() -> None:
    world = lit(still())
    # The whole field has the mean 1; a view of it is darker or lighter by what happens to be there.
    full = photons(world)
    assert full == pytest.approx(50, rel=0.15)
    assert photons(world, 10) == pytest.approx(2 * full, rel=0.02)
    world.light.lines[488].aotf_percent = 50
    assert photons(world) == pytest.approx(0.5 * full, rel=0.02)
    world.light.lines[488].power_mw = 50
    assert photons(world) == pytest.approx(0.25 * full, rel=0.03)
    world.change_dye(488, photons_per_pixel_ms=40)
    assert photons(world) == pytest.approx(full, rel=0.02)


@pytest.mark.parametrize("off", ["shutter", "laser", "aotf", "blanking", "pattern"])
def test_each_of_them_makes_it_dark(off: str) -> None:
    world = lit(still())
    line = world.light.lines[488]
    if off == "shutter":
        world.light.shutter_open = False
    elif off == "laser":
        line.enabled = False
    elif off == "aotf":
        line.aotf_percent = 0
    elif off == "blanking":
        world.light.blanking = Blanking.CLOSED
    else:
        world.display.show(np.zeros((512, 512), np.uint8))
    assert photons(world) == pytest.approx(0, abs=0.1)


def test_the_patterns_on_the_slm_are_found_in_the_frames() -> None:
    """From pictures to counts and back: period, direction, phases and modulation by the estimator."""
    specimen = SpecimenSettings(kind="filaments", seed=2, density=2)
    settings = WorldSettings(sensor_px=256).with_dye(488, specimen=specimen, photons_per_pixel_ms=40)
    world = lit(World(settings))
    period, angles = 0.2, 0.15 + math.pi * np.arange(3) / 3
    phases = 0.3 + 2 * math.pi * np.arange(3) / 3
    world.display.load(
        [draw(math.cos(a) / period, math.sin(a) / period, p, world.geometry) for a in angles for p in phases]
    )
    world.display.start()
    whole = Region(0, 0, 256, 256)
    frames = np.stack([world.expose(whole, 10, 1)[0] for _ in range(9)]).reshape(3, 3, 256, 256)
    scope = Microscope(
        name="demo",
        optics=settings.optics,
        camera=settings.camera,
        pattern=PatternGeometry(angles=3, phases=3),
        channels=(Channel(name="488", excitation_nm=488, emission_nm=525),),
    )
    found = estimate_patterns(frames, scope)
    assert found.trusted
    for pattern, angle in zip(found, angles, strict=True):
        k = np.array([math.cos(angle), math.sin(angle)]) / period
        sign = 1 if pattern.kx * k[0] + pattern.ky * k[1] > 0 else -1
        assert sign * np.array([pattern.kx, pattern.ky]) == pytest.approx(k, abs=3e-3)
        middle = 2 * math.pi * 8.32
        want = phases + middle * k.sum()
        got = sign * (np.array(pattern.phases_rad) + middle * (pattern.kx + pattern.ky))
        error = np.angle(np.exp(1j * (got - want)))
        assert np.abs(error).max() < 0.1
        assert pattern.modulation[0] == pytest.approx(0.9, abs=0.1)


def test_a_region_shows_what_the_whole_shows() -> None:
    world = still()
    light = Fringe(4.1, 2.2, 0.7, 0.8, 1.0)
    whole = world.view.expected(488, WHOLE, light, FOCUS, 0.0)
    part = world.view.expected(488, Region(24, 40, 64, 48), light, FOCUS, 0.0)
    there = whole[24:88, 40:88]
    assert float((part - there).abs().mean() / there.mean()) < 5e-3


def test_the_stage_moves_the_sample() -> None:
    world = still()
    here = world.view.expected(488, WHOLE, EVEN, FOCUS, 0.0)
    there = world.view.expected(488, WHOLE, EVEN, (10 * 0.065, -6 * 0.065, 0.0), 0.0)
    core = (slice(20, 100), slice(20, 100))
    moved = torch.roll(here, (6, -10), (0, 1))[core]
    assert float((there[core] - moved).abs().mean() / moved.mean()) < 5e-3


def test_another_field_holds_other_cells_and_the_same_at_return() -> None:
    world = still()
    here = world.view.expected(488, WHOLE, EVEN, FOCUS, 0.0)
    far = world.view.expected(488, WHOLE, EVEN, (100.0, 40.0, 0.0), 0.0)
    assert np.corrcoef(here.ravel(), far.ravel())[0, 1] < 0.5
    assert torch.equal(world.view.expected(488, WHOLE, EVEN, FOCUS, 0.0), here)


def test_defocus_blurs_and_lowers_the_modulation() -> None:
    world = still()

    def fringe_strength(z_um: float) -> float:
        """Difference of two opposite phases: only what the fringes add."""
        up, down = (
            world.view.expected(488, WHOLE, Fringe(3.0, 0.0, phase, 0.9, 1.0), (0.0, 0.0, z_um), 0.0)
            for phase in (0.0, math.pi)
        )
        return float((up - down).std())

    sharp, near, far = (fringe_strength(z) for z in (0.0, 0.15, 0.5))
    assert near < 0.85 * sharp
    assert far < 0.5 * near
    assert fringe_strength(-0.15) == pytest.approx(near, rel=1e-3)


def test_the_dose_is_intensity_times_time() -> None:
    world = lit(still(), 50)
    for _ in range(4):
        world.expose(WHOLE, 5, 1)
        world.clock.sleep_until(world.clock.now() + 0.01)
    # 10 W/cm2 at full power; blanked between exposures.
    assert world.dose.of((0, 0)) == pytest.approx(4 * 5e-3 * 5.0, rel=1e-2)
    world.light.blanking = Blanking.OPEN
    world.clock.sleep_until(world.clock.now() + 1)
    world.settle()
    assert world.dose.of((0, 0)) == pytest.approx(0.1 + 5.0, rel=1e-2)
    assert world.dose.of((1, 0)) == 0


def test_a_change_begins_anew_only_what_depends_on_it() -> None:
    world = lit(still())
    world.expose(WHOLE, 5, 1)
    view, sensor, dose = world.view, world.sensor, world.dose.of((0, 0))
    world.change_dye(488, photons_per_pixel_ms=3)
    world.change(modulation=0.5, bleach_dose_j_cm2=3.0)
    assert (world.view, world.sensor, world.dose.of((0, 0))) == (view, sensor, dose)
    assert world.fringe(488).modulation < 0.5
    world.change(hot_pixels=0.1)
    assert world.view is view
    assert world.sensor is not sensor
    world.change(refresh_ms=50)
    assert world.view is not view
    world.change(sensor_px=64)
    assert world.dose.of((0, 0)) == 0


def test_dyes_bleach_by_dose_and_where_the_light_was() -> None:
    world = lit(still(bleach_dose_j_cm2=1.0))
    fresh = world.bleaching(488)
    for _ in range(10):
        world.expose(WHOLE, 10, 1)
        world.clock.sleep_until(world.clock.now() + 0.01)
    assert fresh == 1
    assert world.bleaching(488) == pytest.approx(math.exp(-1), rel=0.02)
    world.stage_um = (200.0, 0.0, 0.0)
    assert world.bleaching(488) == 1


def test_living_things_move() -> None:
    world = World(WorldSettings(sensor_px=SIDE))
    now, same, later = (world.view.expected(488, WHOLE, EVEN, FOCUS, t) for t in (0.0, 0.05, 20.0))
    assert torch.equal(now, same)
    assert float((later - now).abs().mean() / now.mean()) > 0.05


def test_haze_carries_no_fringes() -> None:
    hazy = SpecimenSettings(kind="filaments", seed=4, haze=1.0)
    world = World(WorldSettings(sensor_px=SIDE).with_dye(488, specimen=hazy))
    up, down = (world.view.expected(488, WHOLE, Fringe(3.0, 0.0, phase, 0.9, 1.0), FOCUS, 0.0) for phase in (0.0, 3.0))
    assert up.mean() > 0.5
    assert torch.allclose(up, down, atol=1e-5)
