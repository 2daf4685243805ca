"""The recipe "add a pattern source" of CONTRIBUTING.md: one file outside of the program, and its registration."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from rdl_live.errors import ConfigError
from rdl_live.files import load_microscope
from rdl_live.optics.pattern_roles import PATTERN_KINDS

pytest.importorskip("pymmcore_plus")

from rdl_live.acquire import Acquisition, Plan, PlanChannel, Region
from rdl_live.acquire.core import open_core, shutdown
from tests.acquire.conftest import Keeper

from .toy_source import KIND


@pytest.fixture
def _registered() -> Iterator[None]:
    PATTERN_KINDS.register(KIND)
    yield
    PATTERN_KINDS.forget(KIND.name)


def file_of(root: Path, folder: Path, section: str) -> Path:
    text = (root / "configs" / "demo.yaml").read_text(encoding="utf-8")
    before, rest = text.split("  slm:\n")
    lines = rest[rest.index("  aotf:") :].splitlines(keepends=True)
    after = "".join(line for line in lines if "device: SLM" not in line and not line.startswith("  even:"))
    config = (root / "configs" / "demo.cfg").read_text(encoding="utf-8").replace("#py Property,Core,SLM,SLM\n", "")
    device = "Glass,rdl_devices.sim.turned_grating,SimGrating"
    (folder / "demo.cfg").write_text(config.replace("SLM,rdl_devices.sim.slm,SimSLM", device), encoding="utf-8")
    path = folder / "m.yaml"
    path.write_text(f"{before}  patterns: {section}\n{after}", encoding="utf-8")
    return path


@pytest.mark.usefixtures("_registered")
def test_a_source_of_another_package_makes_the_patterns(root: Path, tmp_path: Path) -> None:
    from rdl_devices.sim import world_of

    scope = load_microscope(file_of(root, tmp_path, "{kind: scanner, device: Glass, degrees_a_pattern: 40}"))
    core = open_core(scope)
    try:
        core.setProperty("World", "Realtime", 0)
        core.setProperty("Camera", "SensorSize_px", 64)
        plan = Plan(
            channels=(PlanChannel(name="488", power_percent=50, exposure_ms=5),),
            roi=Region(x=0, y=0, width=32, height=32),
        )
        keeper = Keeper()
        report = Acquisition(core, scope, plan, keeper).run()
        assert report.status.stepped
        truths = list(world_of(core).exposures)
        phases = [truth.light[488].phase_rad for truth in truths]
        for tag, phase in zip(keeper.tags, phases, strict=True):
            assert tag.pattern_id is not None
            due = math.radians(40 * tag.pattern_id)
            assert math.remainder(phase - due, 2 * math.pi) == pytest.approx(0, abs=1e-6)
    finally:
        shutdown(core, scope.hardware)


@pytest.mark.usefixtures("_registered")
def test_its_own_keys_are_checked(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"hardware\.patterns\.degrees_a_pattern: is missing"):
        load_microscope(file_of(root, tmp_path, "{kind: scanner, device: Glass}"))
    with pytest.raises(ConfigError, match=r"hardware\.patterns\.degrees: unknown key; did you mean 'degrees_a_patt"):
        load_microscope(file_of(root, tmp_path, "{kind: scanner, device: Glass, degrees_a_pattern: 4, degrees: 3}"))
