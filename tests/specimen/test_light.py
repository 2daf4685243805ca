"""Uneven light, specimens with edges, and motion within a series."""

import numpy as np
import pytest
import torch

from rdl_live.errors import ConfigError
from rdl_live.optics import Camera, CameraMaps, Channel, Microscope, Optics, estimate_patterns
from rdl_live.optics.aberration import ABERRATIONS
from rdl_live.optics.sensor import SENSORS, SensorSettings
from rdl_live.specimen import Specimen, SpecimenSettings, simulate
from rdl_live.specimen.light import LIGHTS, LightSettings, fading

SCOPE = Microscope(
    name="test",
    optics=Optics(na=1.3, pixel_size_um=0.0626),
    channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
    camera=Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=1.5),
)
SPECIMEN = SpecimenSettings(kind="filaments", seed=1)


@pytest.mark.parametrize("name", sorted(LIGHTS))
def test_photons_are_kept_in_any_light(name: str) -> None:
    series = simulate(SCOPE, SPECIMEN, photons=50.0, shape=(64, 64), light=LIGHTS[name], upsample=2).series(0)
    assert series.expected.mean().item() == pytest.approx(50, rel=0.05)
    assert series.total.mean().item() == pytest.approx(50, rel=0.06)


def test_the_dark_frame_and_bleaching_are_as_large_as_asked_for() -> None:
    rng = np.random.default_rng(0)
    level = fading(9, LightSettings(bleaching=0.1), rng)
    assert level[-1] / level[0] == pytest.approx(0.9)
    level = fading(9, LightSettings(dark_frame=0.2), rng)
    assert sorted(level)[0] / sorted(level)[1] == pytest.approx(0.8)
    assert level.mean() == pytest.approx(1)


def test_the_estimation_finds_the_contrast_that_is_said_to_be_there() -> None:
    light = LightSettings(contrast_spread=0.6, contrast_fall=0.3)
    series = simulate(SCOPE, SPECIMEN, photons=2000.0, shape=(128, 128), seed=4, light=light).series(0)
    found = estimate_patterns(series.adu.numpy(), SCOPE)
    true = [pattern.modulation[0] for pattern in series.patterns]
    assert max(true) - min(true) > 0.05
    assert [one.modulation[0] for one in found] == pytest.approx(true, abs=0.06)


def test_a_specimen_that_drifts_moves_through_a_pattern_that_stays() -> None:
    still, moving = (
        simulate(SCOPE, SPECIMEN, photons=2000.0, shape=(128, 128), seed=4, light=LightSettings(drift_nm=nm)).series(0)
        for nm in (0.0, 6.0)
    )
    drift = (moving.expected - still.expected).std() / still.expected.std()
    assert 0.02 < float(drift) < 0.5
    # The pattern is where it was: orientation and period, and phases as far as motion blurs them.
    found = estimate_patterns(moving.adu.numpy(), SCOPE)
    for one, true in zip(found, moving.patterns, strict=True):
        assert one.period_um == pytest.approx(true.period_um, rel=0.005)


def test_a_cell_has_an_edge_and_a_glow_has_no_detail() -> None:
    shape, pixel = (300, 300), 0.03
    half = Specimen(SPECIMEN.replace(kind="actin", cell=0.5), shape, pixel)
    density = half.density()
    inside = half._cell
    assert inside is not None
    assert float((inside > 0.5).float().mean()) == pytest.approx(0.5, abs=0.05)
    assert float(density[inside < 0.05].mean()) < 0.05 * float(density[inside > 0.9].mean())
    glowing = Specimen(SPECIMEN.replace(glow=0.6), shape, pixel)
    assert float(glowing.haze().mean()) == pytest.approx(0.6, rel=0.01)
    assert float(glowing.density().mean()) == pytest.approx(0.4, rel=0.01)
    assert float(glowing.haze().std()) < 0.15


def test_aggregates_and_a_second_kind_share_the_light() -> None:
    mixed = Specimen(SPECIMEN.replace(also="beads", also_share=0.3, aggregates=0.4), (300, 300), 0.03)
    assert float(mixed.density().mean()) == pytest.approx(1.0, rel=0.01)
    plain = Specimen(SPECIMEN, (300, 300), 0.03)
    assert float(mixed.density().max()) > float(plain.density().max())


def test_an_empty_field_glows_at_most() -> None:
    empty = SpecimenSettings(kind="empty", seed=2, glow=0.5)
    series = simulate(SCOPE, empty, photons=10.0, shape=(64, 64), upsample=2).series(0)
    assert torch.isfinite(series.expected).all()
    assert float(series.expected.mean()) == pytest.approx(10, rel=0.05)


def test_everything_poor_at_once_is_a_recording_still() -> None:
    harsh = SPECIMEN.replace(also="rings", aggregates=0.2, cell=0.7, glow=0.4, haze=0.4)
    one = simulate(
        SCOPE, harsh, shape=(64, 64), light=LIGHTS["poor"], optics=ABERRATIONS["poor"], sensor=SENSORS["emccd"]
    ).series(0)
    assert one.adu.dtype == torch.uint16
    assert float(one.adu.to(torch.float32).mean()) > 100


def test_a_chip_besides_the_files_own_maps_is_refused() -> None:
    flat = torch.ones(64, 64)
    maps = CameraMaps(100 * flat, flat, flat)
    with pytest.raises(ConfigError, match="leave out offset_file"):
        simulate(SCOPE, SPECIMEN, shape=(64, 64), maps=maps, sensor=SensorSettings(fixed_pattern_adu=1.0))
