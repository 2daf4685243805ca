"""Restoration as a stage of the live pipeline: one `Restorer` a colour, renewed with the patterns."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import torch

from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.restore.memory import Memory
from rdl_live.restore.pace import Pace
from rdl_live.restore.ranges import check_microscope
from rdl_live.restore.restored import Guards, Restored
from rdl_live.restore.restorer import Restorer
from rdl_live.restore.stage import Unit
from rdl_live.restore.suited import check_suited
from rdl_live.restore.warn_once import WarnOnce
from rdl_models import Weights, load_weights

GUARD_EVERY_S = 3.0
"""How often the guards are asked, for each colour: they cost as much as an image or two. No image waits for them but
the first with new patterns."""

MEMORY_BYTES = 2**30
"""Of what is remembered of all places and colours; once there is as much, images of further ones stand alone."""


class LiveRestorer:
    """See `rdl_live.restore.stage.Stage`, which it fulfils. Belongs to the pipeline's thread."""

    def __init__(
        self,
        scope: Microscope,
        shape: tuple[int, int],
        weights: str | Path | Weights = "rdl",
        device: torch.device | str = "cpu",
        *,
        half: bool | None = None,
        memory: float = 1.0,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Load the network.

        Args:
            scope: the microscope.
            shape: (y, x) of a raw frame.
            weights: name of shipped weights, a file, or what was loaded from one.
            device: where to compute.
            half: see `Restorer`; by default where the chip has instructions for it.
            memory: series that an image may be made of where nothing moves, itself included; 1 for itself alone. Where
                series come faster than the computer can remember them (`Pace`) images are of themselves alone.
            warn: gets warnings.

        Raises:
            ConfigError: there are no such weights, or they are for something else.
            DataError: the weight file is damaged.
        """
        # Photons come in, so the camera's calibration is done with.
        self._unit = scope.in_photons()
        self._shape, self._device = shape, torch.device(device)
        self._warn = WarnOnce(warn)
        self._half = quick_half(self._device) if half is None else half
        self._weights = weights if isinstance(weights, Weights) else load_weights(weights, self._device)
        check_suited(self._weights.card, f"weights {self._weights.card.name!r}")
        self._worth, self._pace = memory, Pace()
        self._memories: dict[tuple[str, tuple[int, int]], Memory] = {}
        self._restorers: dict[str, Restorer] = {}
        self._guarded_s: dict[str, float] = {}
        self._guards: dict[str, Guards] = {}
        self._pending: dict[str, Callable[[], Guards]] = {}
        """Verdicts that are due, and are asked for when there is time."""

    @property
    def name(self) -> str:
        """Name of the weights."""
        return self._weights.card.name

    def check(self, channels: Iterable[Channel]) -> None:
        """Compare with what the weights were trained for.

        Raises:
            ConfigError: they are not made for this microscope.
        """
        for channel in channels:
            self._warn(check_microscope(self._weights.card, self._unit, channel))

    def restore(self, unit: Unit) -> Restored:
        """Return the SR image (s y, s x) of a series, s the SR factor, and what is known of it.

        The guards' verdict is of this series or of one before, of `GUARD_EVERY_S` ago or little more.
        """
        photons, patterns, channel, place = unit.photons, unit.patterns, unit.channel, unit.place
        # Series that do not fit the patterns come between others, with patterns that are not trusted.
        name = channel.name if any(one.trusted for one in patterns) else f"{channel.name} (no pattern)"
        restorer = self._restorers.get(name)
        if restorer is None or restorer.patterns is not patterns:
            restorer = Restorer(
                self._unit, patterns, self._shape, self._weights, self._device, channel=channel, half=self._half
            )
            self._restorers[name] = restorer
            for known in (self._guarded_s, self._guards, self._pending):
                known.pop(name, None)
            self._memories = {key: one for key, one in self._memories.items() if key[0] != name}
        now_s = time.monotonic()
        due = now_s - self._guarded_s.get(name, -math.inf) > GUARD_EVERY_S
        if due:
            # Whoever shares the memory of `photons` may have changed them by the time they are judged.
            photons = photons.clone()
        with self._pace.series() as time_for_more:
            memory = self._memory(restorer, name, place) if time_for_more else None
            restored, judge = restorer.restore_first(photons, memory=memory)
        if due:
            overdue = name in self._pending
            self._guarded_s[name], self._pending[name] = now_s, judge
            if overdue or name not in self._guards:
                self.run_deferred()
        self._warn(restorer.warnings)
        return replace(restored, guards=self._guards.get(name))

    @property
    def has_deferred(self) -> bool:
        """Whether a verdict is due."""
        return bool(self._pending)

    def run_deferred(self) -> None:
        """Ask the guards, where a verdict is due; images to come carry it."""
        while self._pending:
            name, judge = self._pending.popitem()
            self._guards[name] = judge()
            self._warn(self._guards[name].doubts)

    def _memory(self, restorer: Restorer, name: str, place: tuple[int, int]) -> Memory | None:
        if self._worth <= 1:
            return None
        key = (name, place)
        if key not in self._memories:
            if sum(one.nbytes for one in self._memories.values()) >= MEMORY_BYTES:
                self._warn(
                    [
                        "there are more places and colours than there is room to remember: images of those that came "
                        "last are of one series each"
                    ]
                )
                return None
            self._memories[key] = restorer.memory(self._worth)
        return self._memories[key]


def quick_half(device: torch.device) -> bool:
    """Whether bfloat16 is quicker than float32 on a device."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Older versions of torch cannot tell; float32 is right everywhere.
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
