"""Light that falls with depth, on specimens that have depth."""

import math

import numpy as np
import pytest
import torch

from rdl_devices.sim import World, WorldSettings, draw
from rdl_devices.sim.penetration import falls_of
from rdl_devices.sim.view import Region
from rdl_live.optics.incidence import Incidence, Mode
from rdl_live.specimen import Specimen, SpecimenSettings
from rdl_live.specimen.depth import mean_share

SIDE = 128
WHOLE = Region(0, 0, SIDE, SIDE)
DEEP_UM = 1.5


def deep(**fields: object) -> World:
    specimen = SpecimenSettings(kind="beads", seed=4, density=5, depth_um=DEEP_UM)
    settings = WorldSettings(sensor_px=SIDE, pixel_maps=False, hot_pixels=0.0, slm_px=512, **fields)
    world = World(settings.with_dye(488, specimen=specimen))
    line = world.light.lines[488]
    line.enabled, line.aotf_percent, world.light.shutter_open = True, 100.0, True
    return world


def frame(world: World, na: float) -> np.ndarray:
    world.display.show(draw(2 * na / 0.488, 0, 0, world.geometry))
    return (world.expose(WHOLE, 10.0, 1)[0].astype(np.float64) - 100) * 0.46


def test_evanescent_light_falls_to_a_third_in_its_depth_and_a_sheet_ends() -> None:
    tirf, sheet = falls_of(Incidence(1.42, 488, 1.38)), falls_of(Incidence(1.36, 488, 1.38))
    assert tirf is not None
    assert sheet is not None
    depth = torch.tensor([0.0, 0.488 / (4 * math.pi * math.sqrt(1.42**2 - 1.38**2)), 3.0])
    assert tirf(depth).tolist() == pytest.approx([1, math.exp(-1), 0], abs=1e-6)
    assert sheet(torch.tensor([0.0, 0.3, 1.0, 3.0])).tolist() == pytest.approx([1, 0.914, math.exp(-1), 0], abs=1e-3)
    assert falls_of(Incidence(1.0, 488, 1.38)) is None


def test_slabs_are_the_specimen_and_light_takes_its_share_of_each() -> None:
    settings = SpecimenSettings(kind="beads", seed=4, density=5, depth_um=DEEP_UM, background=0.2, haze=0.1)
    specimen = Specimen(settings, (256, 256), 0.0325)
    slabs = range(len(specimen.slabs_um))
    assert len(slabs) > 3
    whole = torch.stack([specimen.slab(number) for number in slabs]).sum(0)
    torch.testing.assert_close(whole, specimen.density(), rtol=1e-4, atol=1e-4)
    falls = falls_of(Incidence(1.42, 488, 1.38))
    lit = sum(float(specimen.slab(number, 0.0, falls).mean()) for number in slabs)
    # Structures are spread evenly over the depth, so the light that is left is the profile's mean.
    assert lit == pytest.approx(float(whole.mean()) * mean_share(falls, DEEP_UM), rel=0.15)
    assert float(specimen.haze(0.0, falls).mean()) < 1e-3 * float(specimen.haze(0.0).mean())


def test_the_microscope_sees_less_and_sharper_the_flatter_the_light_enters() -> None:
    world = deep()
    means, detail = [], []
    for na in (1.0, 1.36, 1.42):
        seen = frame(world, na)
        means.append(float(seen.mean()))
        spectrum = np.abs(np.fft.rfft2(seen - seen.mean())) ** 2
        radius = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :]) / 0.065
        fine = (radius > 1) & (radius < 3)
        detail.append(float((spectrum[fine] - spectrum[radius > 6.5].mean()).sum()) / means[-1] ** 2)
    shares = [mean_share(falls_of(Incidence(na, 488, 1.38)), DEEP_UM) for na in (1.0, 1.36, 1.42)]
    for mean, share in zip(means, shares, strict=True):
        assert mean / means[0] == pytest.approx(share / shares[0], rel=0.4)  # few beads lie so low
    assert detail[2] > 2 * detail[1] > 2 * detail[0]  # nothing out of focus blurs the rest
    light = world.exposures[-1].light[488].incidence
    assert light is not None
    assert (light.mode, light.na) == (Mode.TIRF, 1.42)


def test_the_truth_is_what_the_light_reaches() -> None:
    world = deep()
    shown = {}
    for na in (1.0, 1.42):
        frame(world, na)
        truth = world.truth(WHOLE, world.exposures[-1].start_s, 10.0)
        assert truth is not None
        shown[na] = truth
    assert shown[1.42].mean() == pytest.approx(world.exposures[-1].photons_per_pixel, rel=0.15)
    assert shown[1.42].mean() < 0.15 * shown[1.0].mean()


def test_a_specimen_without_depth_is_lit_alike() -> None:
    specimen = SpecimenSettings(kind="filaments", seed=4)
    settings = WorldSettings(sensor_px=SIDE, pixel_maps=False, hot_pixels=0.0, slm_px=512)
    world = World(settings.with_dye(488, specimen=specimen))
    line = world.light.lines[488]
    line.enabled, line.aotf_percent, world.light.shutter_open = True, 100.0, True
    assert frame(world, 1.42).mean() == pytest.approx(frame(world, 1.0).mean(), rel=0.03)
