"""Patterns made by properties alone: voltages of a DAQ, the angle of a rotator, a piezo under a grating."""

from collections.abc import Sequence

from rdl_live.acquire.patterns.source import PatternSource


class PropertySource(PatternSource):
    """Nothing but the properties that every source can step."""

    def _lacks(self, ids: Sequence[int]) -> str | None:
        del ids
        return None if self.role.triggered else f"{self.name}: is stepped by software, as the microscope file says"

    def _show(self, pattern_id: int) -> None:
        """The steps are all."""

    def _load(self, ids: Sequence[int]) -> None:
        """The steps are all."""

    def _start(self) -> None:
        """The steps are all."""

    def _stop(self) -> None:
        """The steps are all."""
