"""An assessment's matrix (`rdl-live assess`), asked: which method for this structure in this light? No Qt in it."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdl_live.errors import DataError

SIM = "SIM"
_NEAR = 1.5
"""Light that lies beyond the assessed levels by more than this factor is said to be beyond them."""


@dataclass(frozen=True)
class Advice:
    """What the matrix says of one structure in some light."""

    structure: str
    photons: float
    method: str
    why: str
    caution: str = ""

    @property
    def words(self) -> str:
        """The answer in a line."""
        return f"{self.structure} at {self.photons:.3g} photons: {self.method}"


class Matrix:
    """The cells of a `matrix.json`."""

    def __init__(self, path: Path) -> None:
        """Read a file.

        Raises:
            DataError: it is no matrix of this program; the message names the file and the reason.
        """
        self.path = path
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            self._cells: list[Mapping[str, Any]] = [_checked(one) for one in record["cells"]]
            self.simulated = record.get("data") == "simulated"
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}: is no matrix that can be asked ({error}); make one with `rdl-live assess`, and give its "
                "matrix.json"
            ) from error
        if not self._cells:
            raise DataError(f"{path}: has no cells yet; let `rdl-live assess` go on to its end")

    @property
    def structures(self) -> tuple[str, ...]:
        """What was assessed."""
        return tuple(dict.fromkeys(str(one["structure"]) for one in self._cells))

    def levels(self, structure: str) -> tuple[float, ...]:
        """Return the assessed light [mean photons of a raw frame where there is structure]."""
        return tuple(sorted({float(one["photons"]) for one in self._cells if one["structure"] == structure}))

    def ask(self, structure: str, photons: float) -> Advice:
        """Return which method to take, at the assessed level that is nearest.

        Args:
            structure: one of `structures`.
            photons: mean of a raw frame where there is structure; more than 0.
        """
        levels = self.levels(structure)
        level = min(levels, key=lambda one: abs(math.log(one / max(photons, 1e-3))))
        row = [one for one in self._cells if one["structure"] == structure and float(one["photons"]) == level]
        better = [one for one in row if one["better_than_sim"]]
        best = min(better, key=lambda one: float(one["nrmse"])) if better else None
        method, why = SIM, "no other method is better than conventional SIM in NRMSE, MS-SSIM and resolution alike"
        sim = next((float(one["nrmse"]) for one in row if one["method"] == SIM), None)
        if best is not None:
            method = str(best["method"])
            beside = "" if sim is None else f" (NRMSE {float(best['nrmse']):.3f}; SIM {sim:.3f})"
            why = f"better than conventional SIM in NRMSE, MS-SSIM and resolution alike{beside}"
        why = f"{why}; judged at {level:g} photons on {int(row[0]['images'])} images"
        if self.simulated:
            why += ", simulated"
        return Advice(structure, photons, method, why, self._caution(photons, levels))

    def _caution(self, photons: float, levels: tuple[float, ...]) -> str:
        if levels[0] / _NEAR <= photons <= levels[-1] * _NEAR:
            return ""
        return (
            f"{photons:.3g} photons lie beyond the {levels[0]:g} to {levels[-1]:g} that were assessed: compare with a "
            "SIM image"
        )


def _checked(cell: Any) -> Mapping[str, Any]:
    """Return a cell that has what is asked of it."""
    for name in ("structure", "photons", "method", "nrmse", "images", "better_than_sim"):
        if name not in cell:
            raise KeyError(f"a cell has no {name}")
    if float(cell["photons"]) <= 0:
        raise ValueError(f"a cell has {cell['photons']} photons")
    return dict(cell)
