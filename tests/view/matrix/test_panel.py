"""The window asks the matrix of an assessment: which method for this structure in this light."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from rdl_live.errors import DataError
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.session import Readings, Snapshot
from rdl_live.view.matrix.advice import Matrix
from rdl_live.view.matrix.panel import MatrixPanel


def cell(structure: str, photons: float, method: str, nrmse: float, better: bool | None) -> dict[str, object]:
    return {
        "structure": structure,
        "photons": photons,
        "factor": 2,
        "method": method,
        "nrmse": nrmse,
        "ms_ssim": 0.9,
        "resolution_um": 0.1,
        "images": 20,
        "better_than_sim": better,
    }


def matrix(folder: Path) -> Path:
    """Return a matrix in which networks win in dim light, of one structure only."""
    cells = []
    for structure, wins in (("F-actin", False), ("microtubules", True)):
        for photons in (25.0, 600.0):
            dim = photons < 100
            cells += [
                cell(structure, photons, "SIM", 0.10, None),
                cell(structure, photons, "dfcan", 0.05, wins and dim),
                cell(structure, photons, "edsr", 0.04, wins and dim),
                cell(structure, photons, "srcnn", 0.03, False),  # less error, but no finer
            ]
    path = folder / "matrix.json"
    path.write_text(json.dumps({"data": "simulated", "cells": cells}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("structure", "photons", "method"),
    [
        ("F-actin", 25.0, "SIM"),
        ("microtubules", 30.0, "edsr"),
        ("microtubules", 110.0, "edsr"),  # the geometric middle is 122
        ("microtubules", 140.0, "SIM"),
        ("microtubules", 500.0, "SIM"),
    ],
)
def test_the_best_that_is_better_in_all_figures_or_sim(
    tmp_path: Path, structure: str, photons: float, method: str
) -> None:
    found = Matrix(matrix(tmp_path)).ask(structure, photons)
    assert found.words == f"{structure} at {photons:.3g} photons: {method}"
    assert not found.caution


def test_light_beyond_the_levels_is_said_so(tmp_path: Path) -> None:
    asked = Matrix(matrix(tmp_path))
    assert "25 to 600 that were assessed" in asked.ask("F-actin", 5.0).caution
    assert asked.ask("F-actin", 2000.0).caution


@pytest.mark.parametrize("text", ["", "{}", '{"cells": []}', '{"cells": [{"structure": "ER"}]}', '{"cells": [1]}'])
def test_what_is_no_matrix_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"other\.json"):
        Matrix(path)


def test_the_panel_answers_follows_the_light_and_remembers(qtbot: QtBot, tmp_path: Path) -> None:
    memory = Memory("asked", tmp_path)
    panel = MatrixPanel(memory)
    qtbot.addWidget(panel)
    assert "rdl-live assess" in panel.why.text()
    panel.open(tmp_path / "none.json")
    assert "none.json" in panel.why.text()
    panel.open(matrix(tmp_path))
    panel.structure.setCurrentText("microtubules")
    panel.photons.setValue(25)
    assert panel.answer.text() == "microtubules at 25 photons: edsr"
    snapshot = replace(Snapshot(), readings=Readings(photons=550.0))
    panel.show_snapshot(snapshot)
    assert "edsr" in panel.answer.text()  # not asked to follow
    panel.follow.setChecked(True)
    panel.show_snapshot(snapshot)
    assert panel.answer.text() == "microtubules at 550 photons: SIM"
    again = MatrixPanel(Memory("asked", tmp_path))
    qtbot.addWidget(again)
    assert again.structure.count() == 2
