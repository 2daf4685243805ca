"""Warnings of a stage, each of which is passed on once."""

from collections.abc import Callable, Iterable


class WarnOnce:
    """Passes warnings on; what differs in numbers only is one warning."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        """Pass them to `warn`."""
        self._warn = warn
        self._kinds: set[str] = set()

    def __call__(self, warnings: Iterable[str]) -> None:
        """Pass on those that are new."""
        for text in warnings:
            kind = "".join(character for character in text if not character.isdigit())
            if kind not in self._kinds:
                self._kinds.add(kind)
                self._warn(text)
