"""Small recordings that went wrong for others: `../shared/cases/make_cases.py`, an independent simulator."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def make_cases() -> ModuleType:
    """The simulator; it lies beside the repository and is never part of it."""
    file = ROOT.parent / "shared" / "cases" / "make_cases.py"
    if not file.is_file():
        pytest.skip(f"no cases at {file.parent}")
    specification = importlib.util.spec_from_file_location("make_cases", file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["make_cases"] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def case(make_cases: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the folder of a case by its name, made once."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            make_cases.CASES[name](made[name])
        return made[name]

    return folder
