"""Light on the sample: planned, counted, limited. A limit turns the light off and keeps the data."""

from typing import TYPE_CHECKING

import pytest

from rdl_live.acquire import Acquisition, Plan, Region, estimate_plan
from rdl_live.acquire.dose import DoseGuard, DoseMeter, fields_of_view
from rdl_live.errors import ConfigError
from rdl_live.files.recorder import FrameTag
from rdl_live.optics.microscope import Microscope
from tests.acquire.conftest import Keeper, is_dark, plan_of

if TYPE_CHECKING:
    from pymmcore_plus.experimental.unicore import UniMMCore

    from rdl_devices.sim import World

SMALL = Region(x=0, y=0, width=32, height=32)
ONE = 10 * 0.5 * 5e-3 * 9
"""A series of `plan_of`: W/cm2 x share x s x frames."""


def limited(points: int | None, channels: tuple[str, ...] = ("488",), **limits: float) -> Plan:
    return plan_of(points, channels, roi=SMALL, limits=limits)


@pytest.mark.parametrize("sequence", ["hardware", "software"])
def test_a_limit_turns_the_light_off_and_keeps_the_data(
    core: "UniMMCore", world: "World", microscope: Microscope, sequence: str
) -> None:
    plan = limited(None, dose_j_cm2=4.5 * ONE).replace(sequence=sequence)
    keeper, told = Keeper(), []
    report = Acquisition(core, microscope, plan, keeper, on_warning=told.append, check_patterns=False).run()
    assert len(keeper.tags) == len(world.exposures) == 4 * 9  # not one exposure beyond it
    assert all(frame is not None for frame in keeper.frames)
    assert report.limit_reached is not None
    assert "after 4 time points" in report.limit_reached
    assert "limits.dose_j_cm2" in report.limit_reached
    assert told[-1] == report.limit_reached
    assert report.dose_j_cm2 == pytest.approx(4 * ONE)
    assert not report.stopped
    assert is_dark(core, world)


def test_what_was_counted_is_what_the_sample_got(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    before = world.dose.of(world.field, 488)
    run = Acquisition(core, microscope, limited(3), Keeper(), check_patterns=False)
    report = run.run()
    full = world.settings.full_irradiance  # the world's laser is not that of the microscope file
    brightness = world.exposures[-1].irradiance[488] / (0.5 * full)  # what the SLM lets through
    assert report.dose_j_cm2 == pytest.approx(3 * ONE)
    assert world.dose.of(world.field, 488) - before == pytest.approx(3 * ONE * full / 10 * brightness, rel=1e-3)
    assert run.estimate.total_dose_j_cm2 == pytest.approx(report.dose_j_cm2)


def test_a_limit_of_all_colours_together(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    names = tuple(channel.name for channel in microscope.channels[1:])
    plan = limited(None, names, total_dose_j_cm2=5 * ONE)
    keeper = Keeper()
    report = Acquisition(core, microscope, plan, keeper, check_patterns=False).run()
    assert len(keeper.tags) == 2 * 2 * 9  # two colours: a third time point would be six series' light
    assert "total_dose_j_cm2" in str(report.limit_reached)
    assert is_dark(core, world)


def test_more_power_while_it_runs_is_counted_as_more(core: "UniMMCore", microscope: Microscope) -> None:
    run = Acquisition(core, microscope, limited(None, dose_j_cm2=100 * ONE), Keeper(), check_patterns=False)
    brighter = run.plan.replace(channels=[{"name": "488", "power_percent": 100, "exposure_ms": 5}])
    run.follow(brighter)
    report = run.run()
    assert report.status.series == 50


def test_too_much_is_refused_before_any_light(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    for limits in ({"dose_j_cm2": 2 * ONE}, {"total_dose_j_cm2": 2 * ONE}):
        with pytest.raises(ConfigError, match=next(iter(limits))):
            Acquisition(core, microscope, limited(3, **limits), Keeper())
    assert not world.exposures


def test_a_limit_that_cannot_be_kept_is_refused(microscope: Microscope) -> None:
    dark = microscope.model_dump()
    for light in dark["hardware"]["light"]:
        light["full_irradiance_w_cm2"] = None
    scope = Microscope.model_validate(dark)
    for limits in ({"dose_j_cm2": 1.0}, {"total_dose_j_cm2": 1.0}):
        with pytest.raises(ConfigError, match="full_irradiance_w_cm2"):
            estimate_plan(limited(3, **limits), scope, (32, 32))


def test_fields_of_view_that_overlap_share_their_light(microscope: Microscope) -> None:
    pixel = microscope.optics.pixel_size_um
    places = [{"x_um": 0.0, "y_um": 0.0}, {"x_um": 20 * pixel, "y_um": 0.0}, {"x_um": 1000.0, "y_um": 0.0}]
    plan = plan_of(2, positions=places)
    size = (32 * pixel, 32 * pixel)
    fields = fields_of_view(plan, size)
    assert fields == [[0, 1], [0, 1], [2]]
    estimate = estimate_plan(plan, microscope, (32, 32))
    assert estimate.dose_j_cm2["488"] == pytest.approx(2 * 2 * ONE)
    meter = DoseMeter(microscope, ("488",), fields)
    light = {"power_percent": 50, "exposure_ms": 5}
    for position in range(3):
        meter.count(FrameTag(0, position=position, metadata=light))
    assert meter.j_cm2 == pytest.approx(2 * ONE / 9)


def test_the_guard_admits_exactly_up_to_the_limit(microscope: Microscope) -> None:
    guard = DoseGuard(microscope, None)
    plan = limited(None, dose_j_cm2=10 * ONE)
    admitted = 0
    while guard.admit(plan):
        admitted += 1
    assert admitted == 10
