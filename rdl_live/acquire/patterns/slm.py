"""Pictures of the stripes, uploaded to an SLM: drawn once, by pattern id."""

from collections.abc import Sequence

from rdl_live.acquire.devices import Devices
from rdl_live.acquire.faults import asking
from rdl_live.acquire.patterns.gratings import Image
from rdl_live.acquire.patterns.slm_patterns import ChannelPatterns, channel_patterns
from rdl_live.acquire.patterns.source import PatternSource
from rdl_live.optics.hardware import SlmRole
from rdl_live.optics.microscope import Microscope
from rdl_live.optics.pattern import PatternSet


class SlmSource(PatternSource):
    """The SLM of a core; pictures are drawn when they are first wanted."""

    def __init__(self, devices: Devices, microscope: Microscope, channels: Sequence[str]) -> None:
        """Compute the gratings, and ask the SLM for its size and memory."""
        super().__init__(devices, microscope, channels)
        assert isinstance(self.role, SlmRole)
        self._slm = slm = self.role
        self._gratings: dict[str, ChannelPatterns] = {
            name: channel_patterns(microscope, slm, microscope.channel(name)) for name in channels
        }
        self.patterns = self._gratings
        with asking(slm.device, "reading its size"):
            self.shape = (self.core.getSLMHeight(slm.device), self.core.getSLMWidth(slm.device))
            self.memory = int(self.core.getSLMSequenceMaxLength(slm.device)) if slm.triggered else 0
        self._places = {
            channel.first_id + slot: (channel, slot)
            for channel in self._gratings.values()
            for slot in range(len(channel.slots))
        }
        self._images: dict[int, Image] = {}

    def image(self, pattern_id: int) -> Image:
        """Return a picture (y, x)."""
        if pattern_id not in self._images:
            channel, slot = self._places[pattern_id]
            angle, phase = channel.slots[slot]
            self._images[pattern_id] = channel.gratings[angle].image(self.shape, phase, self._slm.on_value)
        return self._images[pattern_id]

    def nominal(self, channel: str, chip_um: tuple[float, float], corner_um: tuple[float, float]) -> PatternSet:
        """Return the stripes that the pictures should put on the sample."""
        return self._gratings[channel].nominal(self._slm, self.shape, chip_um, corner_um)

    def _lacks(self, ids: Sequence[int]) -> str | None:
        if len(ids) <= self.memory:
            return None
        return f"{self._slm.device}: holds {self.memory} patterns in its sequence memory and the plan needs {len(ids)}"

    def _show(self, pattern_id: int) -> None:
        label, image = self._slm.device, self.image(pattern_id)
        with asking(label, f"upload of a {image.shape[1]} x {image.shape[0]} pattern"):
            self.core.setSLMImage(label, image)
            self.core.displaySLMImage(label)
            self.core.waitForDevice(label)

    def _load(self, ids: Sequence[int]) -> None:
        images = [self.image(one) for one in ids]
        with asking(self._slm.device, f"upload of {len(images)} patterns"):
            # C++ adapters want bytes; Python ones take both.
            self.core.loadSLMSequence(self._slm.device, [image.tobytes() for image in images])

    def _start(self) -> None:
        with asking(self._slm.device, "start of the pattern sequence"):
            self.core.startSLMSequence(self._slm.device)

    def _stop(self) -> None:
        with asking(self._slm.device, "stopping the pattern sequence"):
            self.core.stopSLMSequence(self._slm.device)
