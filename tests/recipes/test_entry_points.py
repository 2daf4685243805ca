"""Every table finds what an installed package offers: here a real `.dist-info` on the path, and no registration."""

from pathlib import Path
from typing import Any

import pytest

from rdl_live._tables import Table
from rdl_live.errors import ConfigError
from rdl_live.files import load_microscope
from rdl_live.optics.pattern_roles import PATTERN_KINDS
from rdl_live.restore.stages import STAGES
from rdl_live.train.simulated.task import SOURCES
from rdl_models import ARCHITECTURES
from tests.recipes.test_source import file_of
from tests.recipes.toy_source import ScannerRole

OFFERS: dict[str, tuple[Table[Any], str, str]] = {
    "rdl_live.architectures": (ARCHITECTURES, "toy", "tests.recipes.toy_network:ARCHITECTURE"),
    "rdl_live.stages": (STAGES, "smoother", "tests.recipes.toy_stage:KIND"),
    "rdl_live.pattern_sources": (PATTERN_KINDS, "scanner", "tests.recipes.toy_source:KIND"),
}
"""Group of entry points: table, name, and what an entry point names. Panels are below: they need a screen."""


def install(folder: Path, points: dict[str, dict[str, str]]) -> None:
    """Write what pip leaves of an installed package."""
    info = folder / "toys-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n", encoding="utf-8")
    lines = [
        line for group, of in points.items() for line in (f"[{group}]", *(f"{name} = {at}" for name, at in of.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def forget_what_was_found(monkeypatch: pytest.MonkeyPatch, table: Table[Any]) -> None:
    """Let a table look again, in this test only."""
    monkeypatch.setattr(table, "_known", dict(table._known))
    monkeypatch.setattr(table, "_asked", False)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, with a package that offers one thing to each table."""
    from rdl_live.view.live.panels import PANELS

    offers = {**OFFERS, "rdl_live.panels": (PANELS, "frame-counter", "tests.recipes.toy_panel:COUNTER")}
    folder = tmp_path / "site"
    folder.mkdir()
    install(folder, {group: {name: at} for group, (_, name, at) in offers.items()})
    monkeypatch.syspath_prepend(str(folder))
    for table, name, _ in offers.values():
        assert table._known.get(name) is None, f"{name} is registered already"
        forget_what_was_found(monkeypatch, table)
    return folder


@pytest.mark.usefixtures("screen", "installed")
def test_every_table_finds_what_a_package_offers() -> None:
    from rdl_live.view.live.panels import PANELS

    for table, name in (*((table, name) for table, name, _ in OFFERS.values()), (PANELS, "frame-counter")):
        found = table.find(name)
        assert found is not None
        assert found.name == name
        assert name in table.names()
        assert len(table.names()) > 1  # beside the program's own


@pytest.mark.usefixtures("screen", "installed")
def test_a_microscope_file_names_a_pattern_source_of_a_package(root: Path, tmp_path: Path) -> None:
    scope = load_microscope(file_of(root, tmp_path, "{kind: scanner, device: Glass, degrees_a_pattern: 40}"))
    assert scope.hardware is not None
    assert isinstance(scope.hardware.patterns, ScannerRole)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("tests.recipes.no_such_file:KIND", "cannot be loaded"),
        ("tests.recipes.toy_source:Scanner", "is no PatternKind"),
    ],
)
def test_what_a_package_offers_wrongly_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, words: str
) -> None:
    install(tmp_path, {"rdl_live.pattern_sources": {"scanner": at}})
    monkeypatch.syspath_prepend(str(tmp_path))
    forget_what_was_found(monkeypatch, PATTERN_KINDS)
    with pytest.raises(ConfigError, match=words) as caught:
        PATTERN_KINDS.find("scanner")
    assert "rdl_live.pattern_sources: scanner" in str(caught.value)


def test_a_scene_source_is_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, {"rdl_live.scenes": {"wrong": "tests.recipes.toy_source:KIND"}})
    monkeypatch.syspath_prepend(str(tmp_path))
    forget_what_was_found(monkeypatch, SOURCES)
    with pytest.raises(ConfigError, match=r"rdl_live.scenes: wrong .* is no SceneSource"):
        SOURCES.names()
