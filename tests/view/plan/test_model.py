"""A plan in the making: judged at once, saved without loss, never beyond limits or disk."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdl_live.acquire.estimate import estimate_plan
from rdl_live.acquire.plan import Limits, Place, Plan, PlanChannel, Region, TimePlan, ZPlan, load_plan
from rdl_live.errors import ConfigError, OutputError
from rdl_live.files import load_microscope
from rdl_live.optics.microscope import Microscope
from rdl_live.view.patterns.verdicts import Verdict
from rdl_live.view.plan.model import PlanModel, save_plan
from rdl_live.view.plan.outlook import outlook
from rdl_live.view.plan.presets import Now, lit_channels, presets

CHIP = (512, 512)
NOW = Now("488", 12.0, 8.0, (16.64, 33.28), (100.0, 50.0))


@pytest.fixture
def scope(root: Path) -> Microscope:
    """The demo microscope with three colours."""
    return load_microscope(root / "configs" / "demo-multicolour.yaml")


def one_colour(**more: object) -> Plan:
    light = PlanChannel(name="488", power_percent=10, exposure_ms=5)
    return Plan.model_validate({"channels": (light,), "time": TimePlan(points=1000, interval_s=2), **more})


def state_of(model: PlanModel, title: str) -> str:
    assert model.outlook is not None
    return next(str(line.state) for line in model.outlook.lines if line.title == title)


names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)
plans = st.builds(
    Plan,
    name=names | st.sampled_from(["on", "null", "1.5", "# no", "a: b", "'", "yes"]),
    channels=st.lists(
        st.builds(
            PlanChannel,
            name=names,
            power_percent=st.floats(0.01, 100),
            exposure_ms=st.floats(0.01, 1000),
        ),
        min_size=1,
        max_size=3,
        unique_by=lambda channel: channel.name,
    ).map(tuple),
    time=st.builds(TimePlan, points=st.none() | st.integers(1, 10**6), interval_s=st.floats(0, 1e4)),
    z=st.builds(ZPlan, planes=st.integers(1, 30), step_um=st.floats(0.01, 5)),
    positions=st.lists(
        st.builds(Place, x_um=st.floats(-1e5, 1e5), y_um=st.floats(-1e5, 1e5), name=names), max_size=2
    ).map(tuple),
    order=st.sampled_from(["pzc", "czp"]),
    roi=st.none() | st.builds(Region, x=st.integers(0, 9), y=st.just(3), width=st.just(64), height=st.just(32)),
    limits=st.builds(Limits, dose_j_cm2=st.none() | st.floats(0.1, 1e3)),
)


@given(plans)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_saved_plan_is_read_as_it_was(tmp_path: Path, plan: Plan) -> None:
    path = tmp_path / "plan.yaml"
    save_plan(plan, path, overwrite=True)
    assert load_plan(path) == plan


def test_saving_replaces_nothing_unasked(tmp_path: Path, scope: Microscope) -> None:
    model = PlanModel(scope, one_colour(), CHIP)
    path = tmp_path / "mine.yaml"
    model.save(path)
    before = path.read_bytes()
    model.set(("time", "points"), 3)
    assert model.modified
    with pytest.raises(OutputError, match="exists already"):
        model.save(path)
    assert path.read_bytes() == before
    model.save(path, overwrite=True)
    assert not model.modified
    model.open(path)
    assert model.get("time", "points") == 3


def test_mistakes_are_told_in_the_words_of_the_field(tmp_path: Path, scope: Microscope) -> None:
    model = PlanModel(scope, one_colour(), CHIP)
    model.set(("channels", 0, "power_percent"), 0.0)
    model.set(("name",), "")
    assert [problem.split(":")[0] for problem in model.problems] == ["name", "channels[0].power_percent"]
    assert (model.ready, model.plan, model.outlook) == (False, None, None)
    with pytest.raises(ConfigError, match="power_percent"):
        model.save(tmp_path / "no.yaml")
    assert not list(tmp_path.iterdir())
    model.set(("channels", 0, "power_percent"), 10.0)
    model.set(("name",), "cells")
    assert model.ready


def test_a_broken_file_leaves_the_draft_alone(tmp_path: Path, scope: Microscope) -> None:
    model = PlanModel(scope, one_colour(), CHIP)
    (tmp_path / "bad.yaml").write_text("channels: [{name: '488', power: 3}]", encoding="utf-8")
    with pytest.raises(ConfigError, match="power_percent"):
        model.open(tmp_path / "bad.yaml")
    assert model.plan == one_colour()
    assert model.path is None


def test_what_a_plan_takes_is_what_the_estimate_says(scope: Microscope) -> None:
    model = PlanModel(scope, one_colour(limits=Limits(dose_j_cm2=60)), CHIP)
    estimate = estimate_plan(one_colour(), scope, CHIP)
    assert model.outlook is not None
    assert model.outlook.estimate == estimate
    texts = {line.title: line.text for line in model.outlook.lines}
    assert texts["Duration"] == "33 min 18 s"
    assert texts["Disk"].startswith("4.72 GB raw and 4.19 GB super-resolved")
    assert texts["Dose 488"] == "45 J/cm², below your limit of 60 J/cm²"


@pytest.mark.parametrize(
    ("field", "limit", "title"),
    [("dose_j_cm2", 44.0, "Dose 488"), ("duration_s", 60.0, "Duration"), ("disk_gb", 4.0, "Disk")],
)
def test_exceeded_limits_keep_it_from_starting_and_show_both_numbers(
    scope: Microscope, field: str, limit: float, title: str
) -> None:
    model = PlanModel(scope, one_colour(), CHIP)
    assert model.ready
    model.set(("limits", field), limit)
    assert not model.ready
    assert state_of(model, title) == "bad"
    model.set(("limits", field), 50 * limit)
    assert model.ready


def test_the_disk_must_hold_it(scope: Microscope) -> None:
    model = PlanModel(scope, one_colour(), CHIP)
    assert state_of(model, "Disk") == "not known yet"
    model.disk_free_bytes = int(5e9)  # the raw frames alone would fit
    assert (state_of(model, "Disk"), model.ready) == ("bad", False)
    model.disk_free_bytes = int(20e9)
    assert (state_of(model, "Disk"), model.ready) == ("good", True)


def test_endless_plans_tell_what_an_hour_takes(scope: Microscope) -> None:
    plan = one_colour(time=TimePlan(points=None, interval_s=2), limits=Limits(dose_j_cm2=0.46))
    lines = {line.title: line for line in outlook(plan, scope, CHIP, disk_free_bytes=int(100e9)).lines}
    assert "until you stop it" in lines["Duration"].text
    assert "16 GB an hour" in lines["Disk"].text
    assert "reached after 10" in lines["Dose 488"].text
    assert lines["Dose 488"].state is Verdict.CHECK


def test_a_region_beyond_the_chip_and_no_colour(scope: Microscope) -> None:
    model = PlanModel(scope, one_colour(), CHIP)
    model.set_region((400, 0, 256, 256))
    assert "beyond the camera's chip of 512 x 512" in model.problems[0]
    model.set_region(None)
    model.use_channel("488", False)
    assert model.problems == ("channels: choose at least one colour",)
    model.use_channel("560", True)
    assert model.ready


def test_a_plan_of_another_microscope_is_told(root: Path) -> None:
    model = PlanModel(load_microscope(root / "configs" / "demo.yaml"), one_colour(), CHIP)
    model.load(load_plan(root / "configs" / "plan-multicolour.yaml"))
    assert "no channel '405'" in model.problems[0]


def test_colours_keep_the_order_of_the_microscope_and_start_with_the_light_of_the_first(scope: Microscope) -> None:
    model = PlanModel(scope, one_colour(), CHIP)
    model.use_channel("405", True)
    assert [channel["name"] for channel in model.get("channels")] == ["405", "488"]
    assert model.get("channels", 0, "power_percent") == 10


@pytest.mark.parametrize("number", range(4))
def test_presets_can_be_started_at_once_with_the_light_of_the_moment(scope: Microscope, number: int) -> None:
    preset = presets(scope, NOW)[number]
    assert preset.plan is not None
    model = PlanModel(scope, preset.plan, CHIP)
    model.disk_free_bytes = 10**12
    assert model.ready
    assert {(c.power_percent, c.exposure_ms) for c in preset.plan.channels} == {(12.0, 8.0)}


def test_collecting_goes_to_fields_that_do_not_overlap(scope: Microscope) -> None:
    plan = presets(scope, NOW)[3].plan
    assert plan is not None
    assert len(plan.positions) == 9
    assert (100.0, 50.0) in [(p.x_um, p.y_um) for p in plan.positions]
    for first in plan.positions:
        for second in plan.positions:
            apart = abs(first.x_um - second.x_um) >= 33.28, abs(first.y_um - second.y_um) >= 16.64
            assert first is second or any(apart)


def test_what_a_microscope_lacks_is_no_preset(root: Path) -> None:
    bare = load_microscope(root / "configs" / "demo.yaml")
    assert bare.hardware is not None
    bare = bare.replace(hardware={**bare.hardware.model_dump(), "stage": None, "focus": None})
    quick, colours, stack, collect = presets(bare, NOW)
    assert quick.plan
    assert (colours.plan, stack.plan) == (None, None)
    assert "one colour" in colours.why_not
    assert "hardware.focus" in stack.why_not
    assert collect.plan is not None
    assert collect.plan.positions == ()
    assert lit_channels(bare) == ("488",)
