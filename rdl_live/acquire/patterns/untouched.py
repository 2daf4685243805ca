"""Patterns that this program does not make: a grating moved by hand, electronics that follow the camera alone."""

from collections.abc import Sequence

from rdl_live.acquire.patterns.source import PatternSource


class UntouchedSource(PatternSource):
    """Sets nothing; frames are only tagged with what should be there."""

    def _lacks(self, ids: Sequence[int]) -> str | None:
        del ids
        return None

    def _show(self, pattern_id: int) -> None:
        """Somebody else does."""

    def _load(self, ids: Sequence[int]) -> None:
        """Somebody else does."""

    def _start(self) -> None:
        """Somebody else does."""

    def _stop(self) -> None:
        """Somebody else does."""
