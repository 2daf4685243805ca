"""What a file says of one of its colours."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ChannelLabel:
    """Name and wavelengths of a colour."""

    name: str
    excitation_nm: float | None = None
    emission_nm: float | None = None

    def __str__(self) -> str:
        """Return the words for a message: 'red' (excitation 561 nm, emission 605 nm)."""
        known = [
            f"{what} {value:g} nm"
            for what, value in (("excitation", self.excitation_nm), ("emission", self.emission_nm))
            if value is not None
        ]
        return f"{self.name!r}" + (f" ({', '.join(known)})" if known else "")
