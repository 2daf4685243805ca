"""Plans: read strictly, gone through in order, estimated before any light."""

import re
from pathlib import Path

import pytest

from rdl_live.acquire import Plan, PlanChannel, TimePlan, ZPlan, estimate_plan, load_plan
from rdl_live.errors import ConfigError
from rdl_live.files import load_microscope
from rdl_live.files.recorder import SeriesKey
from rdl_live.optics.hardware import CameraRole, ChannelLight, Hardware, PowerControl, Setting, SlmRole
from rdl_live.optics.microscope import Microscope


@pytest.fixture
def scope(root: Path) -> Microscope:
    """The demo microscope with three colours."""
    return load_microscope(root / "configs" / "demo-multicolour.yaml")


@pytest.mark.parametrize("name", ["plan-demo", "demo-timelapse", "plan-multicolour", "plan-collect"])
def test_every_plan_that_we_ship_fits_its_microscope(name: str, root: Path, scope: Microscope) -> None:
    plan = load_plan(root / "configs" / f"{name}.yaml")
    plan.check(scope)
    assert estimate_plan(plan, scope, (512, 512)).frames > 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("channels: []", "channels"),
        ("channels: [{name: '488', power_percent: 120, exposure_ms: 5}]", "power_percent"),
        ("channels: [{name: '488', power: 10, exposure_ms: 5}]", "power_percent"),
        ("channels: [{name: '488', power_percent: 10, exposure_ms: 5}]\ntime: {point: 3}", "points"),
        (
            "channels: [{name: a, power_percent: 1, exposure_ms: 5}, {name: a, power_percent: 1, exposure_ms: 5}]",
            "twice",
        ),
    ],
)
def test_mistakes_are_told(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        load_plan(path)


def test_a_channel_that_the_microscope_lacks(scope: Microscope) -> None:
    plan = Plan(channels=(PlanChannel(name="640", power_percent=5, exposure_ms=5),))
    with pytest.raises(ConfigError, match="'640'"):
        plan.check(scope)


def test_a_microscope_without_hardware(root: Path) -> None:
    plan = Plan(channels=(PlanChannel(name="488", power_percent=5, exposure_ms=5),))
    with pytest.raises(ConfigError, match="no hardware section"):
        plan.check(load_microscope(root / "configs" / "tirf-488.yaml"))


def test_the_order_of_axes() -> None:
    channels = tuple(PlanChannel(name=name, power_percent=5, exposure_ms=5) for name in "ab")
    stack = Plan(channels=channels, z=ZPlan(planes=2))
    assert [s[2:] for s in stack.series(0)] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [s[2:] for s in stack.replace(order="pcz").series(0)] == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert next(stack.series(7)) == SeriesKey(7, 0, 0, 0)
    assert ZPlan(planes=3, step_um=0.4).offsets_um == pytest.approx((-0.4, 0.0, 0.4))


def test_time_disk_and_dose(scope: Microscope) -> None:
    plan = Plan(
        channels=(PlanChannel(name="488", power_percent=10, exposure_ms=5),),
        time=TimePlan(points=1000, interval_s=2),
        z=ZPlan(planes=2),
    )
    found = estimate_plan(plan, scope, (512, 512))
    assert found.frames == 18_000
    assert found.raw_bytes == 18_000 * 512 * 512 * 2
    assert found.duration_s == pytest.approx(1998, rel=0.01)
    assert found.dose_j_cm2["488"] == pytest.approx(10 * 0.1 * 18_000 * 5e-3)
    assert "9.44 GB" in str(found)
    with pytest.raises(ConfigError, match=r"90 J/cm2, above limits\.dose_j_cm2 50"):
        estimate_plan(plan.replace(limits={"dose_j_cm2": 50}), scope, (512, 512))
    hasty = plan.replace(time={"points": 3, "interval_s": 0.01})
    assert "later than planned" in estimate_plan(hasty, scope, (512, 512)).warnings[0]


def test_a_power_outside_the_safe_state_is_refused(root: Path, tmp_path: Path) -> None:
    text = (root / "configs" / "demo.yaml").read_text(encoding="utf-8")
    gap = text.replace("    - {device: AOTF, property: Power_488_pct, value: 0}\n", "")
    (tmp_path / "demo.cfg").write_text("", encoding="utf-8")
    (tmp_path / "m.yaml").write_text(gap, encoding="utf-8")
    with pytest.raises(ConfigError, match="AOTF Power_488_pct, is not in safe_state"):
        load_microscope(tmp_path / "m.yaml")


def test_the_hardware_of_the_template_loads(root: Path, tmp_path: Path) -> None:
    """What a user gets who takes the # away from the whole section."""
    text = (root / "configs" / "template.yaml").read_text(encoding="utf-8")
    before, section = text.split("# hardware:\n")
    lines = ["hardware:", *(line.removeprefix("# ") for line in section.splitlines())]
    path = tmp_path / "mine.yaml"
    path.write_text(before + "\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "my-microscope.cfg").write_text("", encoding="utf-8")
    hardware = load_microscope(path).hardware
    assert hardware is not None
    assert hardware.config == str(tmp_path / "my-microscope.cfg")
    for part in (Hardware, CameraRole, SlmRole, ChannelLight, PowerControl, Setting):
        for key in part.model_fields:
            assert re.search(rf"\b{key}:", section), f"{part.__name__}.{key} is not in the template"


def test_a_plan_that_no_recording_can_hold_is_refused_before_any_light(root: Path) -> None:
    scope = load_microscope(root / "configs" / "demo.yaml")
    plan = load_plan(root / "configs" / "plan-demo.yaml")
    plan.replace(z={"planes": 20_000, "step_um": 0.1}).check(scope)
    with pytest.raises(ConfigError, match=r"20001 plane\(s\).* at most 20000: check z.planes"):
        plan.replace(z={"planes": 20_001, "step_um": 0.1}).check(scope)
