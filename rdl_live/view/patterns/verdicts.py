"""Good, to be checked, bad: in words, shapes and colours that are told apart on light and dark, by everybody.

The colours are those of Wong (Nature Methods 8, 441, 2011), which colour-blind people tell apart; shape and word say
the same again.
"""

from enum import StrEnum


class Verdict(StrEnum):
    """How something is."""

    GOOD = "good"
    CHECK = "check"
    BAD = "bad"
    UNKNOWN = "not known yet"

    @property
    def colour(self) -> str:
        """As #rrggbb; to be filled with, under `ink`."""
        return {"good": "#009e73", "check": "#e69f00", "bad": "#d55e00"}.get(self.value, "#8a8a8f")

    @property
    def mark(self) -> str:
        """A character that says the same as the colour."""
        return {"good": "✓", "check": "!", "bad": "✕"}.get(self.value, "…")

    @property
    def rank(self) -> int:
        """0 is good; the larger, the more somebody should look."""
        return (Verdict.GOOD, Verdict.UNKNOWN, Verdict.CHECK, Verdict.BAD).index(self)


def worst(verdicts: "list[Verdict]") -> Verdict:
    """Return the verdict that should be looked at first; good where there is none."""
    return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.GOOD)
