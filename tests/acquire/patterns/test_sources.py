"""Every kind of pattern source, against the simulated world: the right pattern in each frame, and dark at each end."""

import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from rdl_live.acquire import Acquisition, Region, recording_layout
from rdl_live.acquire.core import hardware_of, open_core, shutdown
from rdl_live.acquire.patterns.property_steps import PropertySteps
from rdl_live.errors import ConfigError, DeviceError
from rdl_live.files import load_microscope
from rdl_live.files.recorder import FrameTag
from rdl_live.files.strict_yaml import read_mapping
from rdl_live.optics.microscope import Microscope
from tests.acquire.conftest import Frame, Keeper, is_dark, plan_of
from tests.busy import BUSY, PATIENCE_S

if TYPE_CHECKING:
    from pymmcore_plus.experimental.unicore import UniMMCore

    from rdl_devices.sim import World

SMALL = Region(x=32, y=32, width=32, height=32)
ANGLES, PHASES = (10.0, 70.0, 130.0), (0.0, 120.0, 240.0)
COLOURS = ("405", "488", "560")
LIGHT = [
    {
        "channel": nm,
        "power": {"device": "AOTF", "property": f"Power_{nm}_pct"},
        "settings": [{"device": "Lasers", "property": f"Enable_{nm}", "value": 1}],
    }
    for nm in COLOURS
]
DARK = [
    *({"device": "AOTF", "property": f"Power_{nm}_pct", "value": 0} for nm in COLOURS),
    *({"device": "Lasers", "property": f"Enable_{nm}", "value": 0} for nm in COLOURS),
]
GLASS = "#py pyDevice,Glass,rdl_devices.sim.turned_grating,SimGrating"
BOARD = "#py pyDevice,Board,rdl_devices.sim.board,SimBoard"
STRIPES = [{"channel": nm, "period_um": 0.25, "angles_deg": ANGLES, "phases_deg": PHASES} for nm in COLOURS]


def steps(turn: str = "Orientation_deg") -> list[dict[str, Any]]:
    return [
        {"device": "Glass", "property": turn, "orientations": list(ANGLES)},
        {"device": "Glass", "property": "Phase_deg", "phases": list(PHASES)},
    ]


def orders(*ways: str) -> list[dict[str, Any]]:
    given = [
        {
            "channel": nm,
            "series": i,
            "orientations": [50 + 3 * i + n for n in range(3)],
            "frames": [100 + 9 * i + n for n in range(9)],
        }
        for i, nm in enumerate(COLOURS)
    ]
    return [{"channel": one["channel"], **{way: one[way] for way in ways}} for one in given]


def board(*ways: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "stored",
        "device": "Board",
        "property": "RunningOrder",
        "orders": orders(*ways),
        "start": [{"device": "Board", "property": "Activated", "value": 1}],
        "stop": [{"device": "Board", "property": "Activated", "value": 0}],
        "index_property": "PatternIndex",
        **more,
    }


@dataclass(frozen=True)
class Kind:
    """A source as a microscope file describes it, and what is to come of it."""

    device: str
    patterns: dict[str, Any]
    stepped: bool
    refuses: str = ""
    """Property whose values the device is to refuse."""


KINDS = {
    "stored": Kind(BOARD, board("series", "frames"), stepped=False, refuses="RunningOrder"),
    "stored, by orientation": Kind(BOARD, board("orientations", "frames"), stepped=False, refuses="RunningOrder"),
    "stored, by software": Kind(BOARD, board("frames", stepped_by="software"), stepped=True, refuses="RunningOrder"),
    "property": Kind(
        GLASS,
        {"kind": "property", "steps": steps(), "stepped_by": "camera", "stripes": STRIPES},
        stepped=False,
        refuses="Phase_deg",
    ),
    "property, by software": Kind(
        GLASS, {"kind": "property", "steps": steps("Turned_deg"), "stripes": STRIPES}, stepped=True, refuses="Phase_deg"
    ),
    "none": Kind(GLASS, {"kind": "none"}, stepped=False),
}
every = pytest.mark.parametrize("rig", list(KINDS), indirect=True)


def scope_of(root: Path, folder: Path, kind: Kind) -> Microscope:
    """Return the demo microscope with another source of patterns in place of its SLM."""
    content = read_mapping(root / "configs" / "demo-multicolour.yaml", "microscope file")
    text = (root / "configs" / "demo.cfg").read_text(encoding="utf-8")
    slm = "#py pyDevice,SLM,rdl_devices.sim.slm,SimSLM"
    assert slm in text
    text = text.replace(slm, kind.device).replace("#py Property,Core,SLM,SLM\n", "")
    config = folder / "other.cfg"
    config.write_text(text, encoding="utf-8")
    hardware = {key: value for key, value in content["hardware"].items() if key not in ("slm", "setup")}
    hardware |= {"config": str(config), "light": LIGHT, "safe_state": DARK, "patterns": kind.patterns}
    return Microscope.model_validate({**content, "hardware": hardware})


@dataclass
class Rig:
    kind: Kind
    scope: Microscope
    core: "UniMMCore"
    world: "World"

    def dark(self) -> bool:
        return is_dark(self.core, self.world)


@pytest.fixture(scope="module")
def _rigs(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Rig]]:
    """One core for each device; loaded once."""
    from rdl_devices.sim import world_of

    rigs: dict[str, Rig] = {}
    cores: dict[str, UniMMCore] = {}
    scopes = {name: scope_of(root, tmp_path_factory.mktemp("rig"), kind) for name, kind in KINDS.items()}
    for name, kind in KINDS.items():
        if kind.device not in cores:
            core = cores[kind.device] = open_core(scopes[name])
            core.setProperty("World", "Realtime", 0)
            core.setProperty("World", "Refresh_ms", 1e6)
            core.setProperty("Camera", "SensorSize_px", 128)
        core = cores[kind.device]
        rigs[name] = Rig(kind, scopes[name], core, world_of(core))
    yield rigs
    for core in cores.values():
        shutdown(core, hardware_of(scopes["none"]))


@pytest.fixture
def rig(request: pytest.FixtureRequest, _rigs: dict[str, Rig]) -> Iterator[Rig]:
    found = _rigs[request.param]
    found.world.faults.clear()
    found.world.exposures.clear()
    found.core.clearROI()
    yield found
    found.world.faults.clear()


def run_of(rig: Rig, points: int | None = 2, **more: Any) -> tuple[Acquisition, Keeper]:
    keeper = Keeper()
    channels = more.pop("channels", ("405", "488"))
    plan = plan_of(points, channels, roi=SMALL, **more)
    return Acquisition(rig.core, rig.scope, plan, keeper, check_patterns=False), keeper


def expected(rig: Rig, tag: FrameTag) -> tuple[float, float, float]:
    """Return period [um], direction and phase [degrees] of the light that a frame's tag promises."""
    if rig.kind.device == BOARD:
        nm = (405, 488)[tag.channel]
        return nm * 1e-3 / (2 * 1.49 * 0.9), (8.0, 68.0, 128.0)[tag.angle], PHASES[tag.phase]
    return 0.25, ANGLES[tag.angle], PHASES[tag.phase]


@pytest.mark.parametrize("rig", [name for name in KINDS if name != "none"], indirect=True)
def test_each_frame_is_lit_by_the_pattern_in_its_tag(rig: Rig) -> None:
    run, keeper = run_of(rig)
    report = run.run()
    assert (report.status.frames, report.status.missing, report.status.series) == (36, 0, 4)
    assert report.status.stepped == rig.kind.stepped
    assert (report.status.bursts > 0) != rig.kind.stepped
    assert [tag.pattern_id for tag in keeper.tags] == [*range(18)] * 2
    for tag, truth in zip(keeper.tags, rig.world.exposures, strict=True):
        (light,) = truth.light.values()
        period_um, angle, phase = expected(rig, tag)
        assert light.period_um == pytest.approx(period_um, rel=1e-6)
        assert math.remainder(light.angle_deg - angle, 180.0) == pytest.approx(0.0, abs=1e-6)
        sign = 1 if abs(math.remainder(math.degrees(math.atan2(light.ky, light.kx)) - angle, 360.0)) < 1 else -1
        assert math.remainder(sign * light.phase_rad - math.radians(phase), 2 * math.pi) == pytest.approx(0, abs=1e-6)
    assert rig.dark()


@pytest.mark.parametrize("rig", ["property"], indirect=True)
def test_colours_whose_patterns_hardware_can_step_share_a_sequence(rig: Rig) -> None:
    run, _ = run_of(rig, 2)
    assert run.run().status.bursts == 1
    assert rig.dark()


@pytest.mark.parametrize("rig", ["none"], indirect=True)
def test_frames_of_a_source_that_is_not_touched_are_tagged(rig: Rig) -> None:
    run, keeper = run_of(rig, 1)
    assert run.nominal("488") is None
    report = run.run()
    assert report.status.frames == 18
    assert [(tag.angle, tag.phase) for tag in keeper.tags[:9]] == [(a, p) for a in range(3) for p in range(3)]
    assert recording_layout(run).provenance["nominal_patterns"] == {}
    assert rig.dark()


@pytest.mark.parametrize("rig", ["property", "property, by software"], indirect=True)
def test_stripes_that_the_file_describes_are_checked_in_the_data(rig: Rig) -> None:
    bright = plan_of(1).replace(channels=[{"name": "488", "power_percent": 100, "exposure_ms": 10}])
    keeper = Keeper()
    report = Acquisition(rig.core, rig.scope, bright, keeper).run()
    assert (report.unjudged_series, report.wrong_patterns) == (0, 0)
    content = rig.scope.model_dump()
    # Two phases exchanged: the data must show it.
    content["hardware"]["patterns"]["steps"][1]["phases"] = (0.0, 240.0, 120.0)
    told: list[str] = []
    report = Acquisition(rig.core, Microscope.model_validate(content), bright, Keeper(), on_warning=told.append).run()
    assert report.wrong_patterns
    assert told
    assert told[0].startswith("Glass: wrong pattern")
    assert rig.dark()


@pytest.mark.parametrize("rig", [name for name in KINDS if name != "none"], indirect=True)
def test_a_device_that_refuses_ends_the_run_before_any_light(rig: Rig) -> None:
    rig.world.faults.refuse(rig.kind.patterns.get("device", "Glass"), rig.kind.refuses)
    run, keeper = run_of(rig)
    with pytest.raises(DeviceError, match=rig.kind.refuses):
        run.run()
    assert not keeper.tags
    assert not rig.world.exposures
    assert rig.dark()


@pytest.mark.parametrize("rig", [name for name in KINDS if name != "none"], indirect=True)
def test_a_device_that_is_unplugged_meanwhile_ends_the_run_in_the_dark(rig: Rig) -> None:
    label = rig.kind.patterns.get("device", "Glass")

    def unplug(_: Frame | None, tag: FrameTag) -> None:
        if tag.time == 1:
            rig.world.faults.unplug(label)

    plan = plan_of(1000, ("488",), roi=SMALL).replace(time={"points": 1000, "interval_s": 0.001})
    keeper = Keeper()
    run = Acquisition(rig.core, rig.scope, plan, keeper, on_frame=unplug, check_patterns=False)
    with pytest.raises(DeviceError, match=label):
        run.run()
    assert len(keeper.tags) < 9000
    assert rig.dark()


@every
def test_a_stop_is_dark_within_a_second(rig: Rig) -> None:
    keeper, came = Keeper(), threading.Event()
    run = Acquisition(
        rig.core,
        rig.scope,
        plan_of(None, ("488",), roi=SMALL),
        keeper,
        on_frame=lambda *_: came.set(),
        check_patterns=False,
    )
    run.start()
    assert came.wait(PATIENCE_S)
    began = time.perf_counter()
    run.stop()
    while not rig.dark() and time.perf_counter() < began + PATIENCE_S:
        time.sleep(0.01)
    assert time.perf_counter() - began < 1.0 * BUSY
    run.wait()
    assert rig.dark()


@every
def test_a_recorder_that_fails_is_dark(rig: Rig) -> None:
    class Broken(Keeper):
        def append(self, frame: Frame, tag: FrameTag) -> None:
            super().append(frame, tag)
            if len(self.tags) == 4:
                raise RuntimeError("broken")

    run = Acquisition(rig.core, rig.scope, plan_of(3, roi=SMALL), Broken(), check_patterns=False)
    with pytest.raises(RuntimeError, match="broken"):
        run.run()
    assert rig.dark()
    # What was stepped is stopped: the next run is whole.
    again, keeper = run_of(rig, 1, channels=("488",))
    again.run()
    assert [tag.pattern_id for tag in keeper.tags] == [*range(9, 18)]


def changed(rig: Rig, **patterns: Any) -> Microscope:
    content = rig.scope.model_dump()
    content["hardware"]["patterns"] = {**content["hardware"]["patterns"], **patterns}
    return Microscope.model_validate(content)


@pytest.mark.parametrize("rig", ["property"], indirect=True)
def test_what_cannot_be_stepped_is_said_before_any_light(rig: Rig) -> None:
    slow = changed(rig, steps=steps("Turned_deg"))
    with pytest.raises(DeviceError, match=r"Glass: Turned_deg cannot be stepped by a trigger; use sequence: software"):
        Acquisition(rig.core, slow, plan_of(1, sequence="hardware"))
    bad = [*steps()[:1], {"device": "Glass", "property": "Phase_deg", "phases": [0, 120, 900]}]
    with pytest.raises(DeviceError, match=r"Phase_deg = 900.* is out of its limits, -720 to 720"):
        Acquisition(rig.core, changed(rig, steps=bad), plan_of(1))
    assert not rig.world.exposures


def test_a_sequence_that_is_too_long_for_the_device() -> None:
    class Core:
        def isPropertySequenceable(self, *_: str) -> bool:  # noqa: N802  # Micro-Manager's name
            return True

        def getPropertySequenceMaxLength(self, *_: str) -> int:  # noqa: N802
            return 8

    devices: Any = SimpleNamespace(core=Core())
    steps = PropertySteps(devices, {number: {("DAQ", "Volt"): number % 9} for number in range(18)})
    assert steps.lacks(range(8)) is None
    assert steps.lacks((4, 13, 4, 13, 4, 13, 4, 13, 4)) is None  # nothing changes, and nothing is to be stepped
    assert steps.lacks(range(9)) == "DAQ: holds a sequence of 8 values of Volt and the plan needs 9"


@pytest.mark.parametrize("rig", ["stored"], indirect=True)
def test_orders_that_the_board_does_not_have(rig: Rig) -> None:
    with pytest.raises(ConfigError, match=r"channel '488' has no frames, which software needs to step"):
        Acquisition(rig.core, changed(rig, orders=orders("series")), plan_of(1, sequence="software"))
    wrong = [{"channel": "488", "series": 77}]
    with pytest.raises(DeviceError, match=r"RunningOrder = 77 is none of its values"):
        Acquisition(rig.core, changed(rig, orders=wrong), plan_of(1))
    with pytest.raises(ConfigError, match=r"hardware\.patterns\.orders: has no order for channel '405'"):
        Acquisition(rig.core, changed(rig, orders=orders("series")[1:]), plan_of(1, ("405",)))


SECTION = """  patterns:
    kind: property
    steps:
      - {device: Glass, property: Turned_deg, orientations: [10, 70, 130]}
      - {device: Glass, property: Phase_deg, phases: [0, 120, 240]}
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("", "", None),
        ("[10, 70, 130]", "[10, 70]", r"hardware\.patterns\.steps\[0\]\.orientations: lists 2 values, .* 3 orient"),
        ("kind: property", "kind: propperty", r"hardware\.patterns: .*there is no kind 'propperty'.* none, property"),
        ("    kind: property\n", "", r"hardware\.patterns: .*kind is missing; add it: one of none, property"),
        ("    steps:", "    stepped: camera\n    steps:", r"hardware\.patterns\.stepped: unknown key; .*'stepped_by'"),
        ("Glass, property: Phase_deg", "AOTF, property: Power_488_pct", r"belongs to the light"),
        ("kind: property", "kind: none", r"kind none sets nothing; take kind: property"),
        ("orientations: [10", "frames: [1], orientations: [10", r"steps\[0\]: .*has frames and orientations"),
        ("Turned_deg,", "Turned_deg, channel: '488',", r"hardware\.patterns\.steps: .* no values for channel '405'"),
        (SECTION, "", r"hardware: has neither of slm and patterns"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(root: Path, tmp_path: Path, old: str, new: str, says: str | None) -> None:
    lines = (root / "configs" / "demo-multicolour.yaml").read_text(encoding="utf-8")
    before, rest = lines.split("  slm:\n")
    after = rest[rest.index("  aotf:") :]
    text = before + SECTION.replace(old, new, 1) + after
    path = tmp_path / "m.yaml"
    path.write_text(text, encoding="utf-8")
    (tmp_path / "demo-multicolour.cfg").write_text("", encoding="utf-8")
    (tmp_path / "demo.cfg").write_text("", encoding="utf-8")
    if says is None:
        scope = load_microscope(path)
        assert Microscope.model_validate(scope.model_dump(mode="json")) == scope
        return
    with pytest.raises(ConfigError, match=says):
        load_microscope(path)
