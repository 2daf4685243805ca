"""Everything that was measured, as JSON to keep. Tables to read are in `offline_report` and `live_report`."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Machine = dict[str, str | int]


def save(found: "Mapping[str, Sequence[DataclassInstance]]", path: Path, machine: Machine) -> None:
    """Write what each section found, under the section's key."""
    content = {key: [dataclasses.asdict(one) for one in ones] for key, ones in found.items()}
    path.write_text(json.dumps({"machine": machine} | content, indent=2) + "\n", encoding="utf-8")


def verdict(reached: bool) -> str:
    """Return whether a target was reached, in a word that is not overlooked."""
    return "reached" if reached else "MISSED"
