"""What all descriptions have in common: frozen, strict about unknown keys, in physical units."""

from typing import Self

from pydantic import BaseModel, ConfigDict


class Description(BaseModel):
    """A frozen value with units in its field names. A change is a new, validated value."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    def replace(self, **changes: object) -> Self:
        """Return a copy with some fields changed, validated like a new one."""
        return self.model_validate({**self.model_dump(), **changes})
