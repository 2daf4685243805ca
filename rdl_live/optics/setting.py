"""A property of a device and its value, as Micro-Manager names them."""

import builtins
from typing import Annotated

from pydantic import Field

from rdl_live.optics._base import Description

Label = Annotated[str, Field(min_length=1, max_length=200)]
Value = int | float | str


class Setting(Description):
    """A property of a device and its value."""

    device: Label
    """Label in the Micro-Manager configuration."""
    property: Label
    value: Value

    @builtins.property  # the field above has taken the short name
    def place(self) -> tuple[str, str]:
        """Device and property."""
        return self.device, self.property

    def __str__(self) -> str:
        """Name it in a message."""
        return f"{self.device}: {self.property} = {self.value}"
