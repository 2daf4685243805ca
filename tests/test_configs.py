"""Every microscope that we ship loads, and the template names every key there is."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

import rdl_live
from rdl_live.optics.microscope import Camera, Channel, Illumination, Microscope, Optics, PatternGeometry, PatternGuess

FOLDER = Path(__file__).parents[1] / "configs"
# The others are plans, which tests/acquire/test_plan.py reads.
CONFIGS = sorted(path for path in FOLDER.glob("*.yaml") if "\noptics:" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_loads(path: Path) -> None:
    scope = rdl_live.load_microscope(path)
    assert scope.channels
    assert scope.cutoff() > 0


def test_there_are_configs() -> None:
    assert {"demo", "template", "tirf-488"} <= {path.stem for path in CONFIGS}


@pytest.mark.parametrize("part", [Microscope, Optics, Camera, Channel, Illumination, PatternGeometry, PatternGuess])
def test_the_template_names_every_key(part: type[BaseModel], root: Path) -> None:
    text = (root / "configs" / "template.yaml").read_text(encoding="utf-8")
    keys = set(re.findall(r"^[#\s-]*(\w+):", text, flags=re.MULTILINE))
    assert set(part.model_fields) - {"otf"} <= keys  # otf is what the loader reads from otf_file


def test_the_template_loads_with_every_optional_number_in_use(root: Path, tmp_path: Path) -> None:
    """What a user gets who takes the # away from all lines but those that name files of his own."""
    lines = (root / "configs" / "template.yaml").read_text(encoding="utf-8").splitlines()
    key = re.compile(r"^(\s+)# (\s*\w+: ?.*)$")
    used = [key.sub(r"\1\2", line) for line in lines if "_file:" not in line]
    path = tmp_path / "mine.yaml"
    path.write_text("\n".join(used), encoding="utf-8")
    scope = rdl_live.load_microscope(path)
    assert scope.optics.excitation_na == 1.45
    assert scope.channels[0].pattern.angles_deg == (5, 65, 125)
    assert scope.camera.saturation_adu == 65535
