"""What a weight file says of itself."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

FORMAT = 1
"""Version of the metadata; other versions are refused."""
_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"


def card_name(text: str) -> str:
    """Return a file's name as a card may have it: lower case, other characters than letters, digits, . _ - as -."""
    cleaned = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).lstrip("._-")
    return cleaned[:64] or "weights"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Span(_Frozen):
    """An interval, both ends included."""

    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> "Span":
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self

    def holds(self, value: float) -> bool:
        """Whether a value lies within (rounding forgiven)."""
        slack = 1e-6 * max(abs(self.low), abs(self.high))
        return self.low - slack <= value <= self.high + slack


class Card(_Frozen):
    """Metadata of a weight file: all that is needed to use it, and to know when not to."""

    format: int = FORMAT
    name: Annotated[str, Field(pattern=_NAME)]
    """What reports and recordings say."""
    architecture: Annotated[str, Field(pattern=_NAME)]
    """A name in `rdl_models.architectures()`."""
    task: Annotated[str, Field(max_length=64)] = ""
    """What the network is for: an `Architecture.task`, that of its architecture where left out."""
    config: dict[str, int | float | str | bool]
    """Its configuration."""
    trained_on: dict[str, Any]
    """The training's settings."""
    steps: Annotated[int, Field(ge=0)]
    """Optimiser steps."""
    minutes: Annotated[float, Field(ge=0)]
    valid: dict[str, Span] = {}
    """Ranges that were trained on, by quantity with its unit: na, pixel_size_um, emission_nm, angles, photons, ..."""
    scores: dict[str, float] = {}
    """Measured on specimens that were not trained on."""
    program: str = ""

    @property
    def all_steps(self) -> int:
        """Steps of this training and of those that it went on from, as far as the record says."""
        total, record = self.steps, self.trained_on.get("before")
        while isinstance(record, dict):
            total += record["steps"] if isinstance(record.get("steps"), int) else 0
            record = record.get("before")
        return total

    @model_validator(mode="before")
    @classmethod
    def _task_of_architecture(cls, data: Any) -> Any:
        """Older files do not say their task; those of an unknown architecture have none."""
        if not isinstance(data, dict) or data.get("task") or not isinstance(data.get("architecture"), str):
            return data
        from rdl_models.registry import ARCHITECTURES  # loads torch and the networks

        known = ARCHITECTURES.find(data["architecture"])
        return data if known is None else {**data, "task": str(known.task)}

    @field_validator("format")
    @classmethod
    def _known(cls, value: int) -> int:
        if value != FORMAT:
            raise ValueError(f"format {value} of the metadata is not the {FORMAT} that this version reads")
        return value
