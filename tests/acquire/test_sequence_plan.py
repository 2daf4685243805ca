"""A stock MDASequence runs on a plain camera: Micro-Manager's own demo configuration, no SLM."""

import shutil
from pathlib import Path

import pytest

from rdl_live.acquire import Acquisition, hardware_of, open_core, shutdown
from rdl_live.acquire.sequence_plan import load_any_plan, plan_of_sequence
from rdl_live.errors import ConfigError
from rdl_live.files import load_microscope
from tests.acquire.conftest import Keeper

useq = pytest.importorskip("useq")
STOCK = {
    "axis_order": "tpzc",
    "channels": [{"config": "FITC", "exposure": 5}],
    "time_plan": {"interval": 0, "loops": 2},
    "z_plan": {"range": 2, "step": 1},
    "stage_positions": [(0, 0), (100, 50)],
}


@pytest.fixture(scope="module")
def folder(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    adapters = pytest.importorskip("mm_test_adapters")
    made = tmp_path_factory.mktemp("plain")
    # As docs/restoration.md has it.
    text = (root / "docs" / "restoration.md").read_text(encoding="utf-8")
    (made / "mm-plain.yaml").write_text(text.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    shutil.copy(Path(adapters.device_adapter_path()) / "MMConfig_demo.cfg", made)
    return made


def test_a_stock_sequence_runs_on_the_stock_configuration(folder: Path) -> None:
    scope = load_microscope(folder / "mm-plain.yaml")
    sequence = useq.MDASequence(**STOCK)
    plan = plan_of_sequence(sequence.model_dump(exclude_unset=True), 100, scope)
    core, keeper = open_core(scope), Keeper()
    try:
        acquisition = Acquisition(core, scope, plan, keeper)
        acquisition.start()
        report = acquisition.wait()
        assert int(core.getProperty("LED", "State")) == 0  # dark
    finally:
        shutdown(core, hardware_of(scope))
    assert not report.stopped
    expected = [(e.index["t"], e.index["p"], e.index["z"]) for e in sequence]
    assert [one[:3] for one in keeper.places] == expected
    assert all(frame is not None and frame.shape == (512, 512) for frame in keeper.frames)


WRONG = {
    "light": ({}, None, "does not say how much light"),
    "grid": ({"grid_plan": {"rows": 2, "columns": 2}}, 10, "grid_plan: a grid"),
    "times": ({"time_plan": [{"interval": 0, "loops": 2}, {"interval": 5, "loops": 2}]}, 10, "even distances"),
    "order": ({"axis_order": "ptzc"}, 10, "time is the slowest"),
    "colour": ({"channels": [{"exposure": 3}]}, 10, "no whole MDASequence"),
    "stage": ({"stage_positions": [{"z": 5}]}, 10, "no x or y"),
    "seldom": ({"channels": [{"config": "488", "acquire_every": 3}]}, 10, "acquire_every"),
    "no stack": ({"channels": [{"config": "488", "do_stack": False}]}, 10, "do_stack"),
    "offset": ({"channels": [{"config": "488", "z_offset": 2.0}]}, 10, "z_offset"),
    "above": ({"z_plan": {"above": 4, "below": 0, "step": 1}}, 10, "are centred"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_run_is_named(name: str) -> None:
    more, power, text = WRONG[name]
    with pytest.raises(ConfigError, match=text):
        plan_of_sequence({**STOCK, **more}, power)


def test_plans_of_ours_are_read_as_before(root: Path) -> None:
    scope = load_microscope(root / "configs" / "demo-widefield.yaml")
    plan = root / "configs" / "plan-demo.yaml"
    assert load_any_plan(plan, scope).channels[0].name == "488"
    with pytest.raises(ConfigError, match="--power 5"):
        load_any_plan(plan, scope, 5)
