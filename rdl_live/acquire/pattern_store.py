"""The pictures of all patterns by id, drawn once for the SLM of a core."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rdl_live.acquire.faults import asking
from rdl_live.acquire.gratings import Image
from rdl_live.acquire.slm_patterns import ChannelPatterns
from rdl_live.optics.hardware import SlmRole

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus


class PatternStore:
    """Pictures of the patterns of several channels."""

    def __init__(self, core: "CMMCorePlus", slm: SlmRole, channels: Iterable[ChannelPatterns]) -> None:
        """Ask the SLM for its size and memory; pictures are drawn when they are first wanted."""
        with asking(slm.device, "reading its size"):
            self.shape = (core.getSLMHeight(slm.device), core.getSLMWidth(slm.device))
            self.memory = int(core.getSLMSequenceMaxLength(slm.device)) if slm.triggered else 0
        self._on_value = slm.on_value
        self._places = {
            channel.first_id + slot: (channel, slot) for channel in channels for slot in range(len(channel.slots))
        }
        self._images: dict[int, Image] = {}

    @property
    def count(self) -> int:
        """Patterns of all channels together."""
        return len(self._places)

    def fits(self, patterns: int) -> bool:
        """Return whether the SLM's memory holds so many."""
        return patterns <= self.memory

    def image(self, pattern_id: int) -> Image:
        """Return a picture (y, x)."""
        if pattern_id not in self._images:
            channel, slot = self._places[pattern_id]
            angle, phase = channel.slots[slot]
            self._images[pattern_id] = channel.gratings[angle].image(self.shape, phase, self._on_value)
        return self._images[pattern_id]
