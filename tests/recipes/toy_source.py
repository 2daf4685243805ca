"""A pattern source of somebody else's: all of it is in this file, and nothing of the program knows it."""

from collections.abc import Sequence
from typing import Literal

from rdl_live.acquire.patterns import PatternSource
from rdl_live.optics.hardware import Setting
from rdl_live.optics.pattern_roles import PatternKind, PatternRole


class ScannerRole(PatternRole):
    """A scanner whose command counts the patterns."""

    kind: Literal["scanner"]
    device: str
    degrees_a_pattern: float

    @property
    def own_settings(self) -> tuple[Setting, ...]:
        """Its command, looked for before a run."""
        return (Setting(device=self.device, property="Phase_deg", value=0),)


class Scanner(PatternSource):
    """Writes the number of the pattern, times a factor, as a phase."""

    def _lacks(self, ids: Sequence[int]) -> str | None:
        return f"{self.name}: waits for each of its {len(ids)} commands"

    def _show(self, pattern_id: int) -> None:
        assert isinstance(self.role, ScannerRole)
        value = pattern_id * self.role.degrees_a_pattern
        self.devices.set(Setting(device=self.name, property="Phase_deg", value=value))

    def _load(self, ids: Sequence[int]) -> None:
        """Never: it waits for each command."""

    def _start(self) -> None:
        """Likewise."""

    def _stop(self) -> None:
        """Likewise."""


KIND = PatternKind("scanner", ScannerRole, "tests.recipes.toy_source:Scanner")
