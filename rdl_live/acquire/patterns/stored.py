"""Patterns that a board holds already; a property chooses which of its running orders is shown."""

from collections.abc import Sequence

from rdl_live.acquire.devices import Devices
from rdl_live.acquire.patterns.order import DisplayOrder
from rdl_live.acquire.patterns.source import PatternSource
from rdl_live.errors import ConfigError
from rdl_live.optics.hardware import Setting, Value
from rdl_live.optics.microscope import Microscope
from rdl_live.optics.pattern_roles import StoredRole


class StoredSource(PatternSource):
    """A board with running orders: of whole series or of orientations, whose patterns the camera steps; or of single
    patterns, among which software chooses.
    """

    def __init__(self, devices: Devices, microscope: Microscope, channels: Sequence[str]) -> None:
        """Look up the orders of the plan's channels.

        Raises:
            ConfigError: a channel without any.
        """
        super().__init__(devices, microscope, channels)
        assert isinstance(self.role, StoredRole)
        self._board = self.role
        orders = {one.channel: one for one in self.role.orders}
        self._stepped: dict[tuple[int, ...], Value] = {}
        """Running orders that the camera steps, by the patterns that they show."""
        self._pieces: dict[str, tuple[tuple[int, ...], ...]] = {n: (one.ids,) for n, one in self.patterns.items()}
        self._single: dict[int, Value] = {}
        for name, order in self.patterns.items():
            if name not in orders:
                raise ConfigError(
                    f"hardware.patterns.orders: has no order for channel {name!r}, which the plan uses; add it"
                )
            stored = orders[name]
            if stored.series is not None and self.role.triggered:
                self._stepped[order.ids] = stored.series
            elif stored.orientations is not None and self.role.triggered:
                self._pieces[name] = _orientations(name, order)
                self._stepped.update(zip(self._pieces[name], stored.orientations, strict=True))
            self._single.update(zip(order.ids, stored.frames or (), strict=False))

    def pieces(self, channel: str) -> tuple[tuple[int, ...], ...]:
        """Return the patterns of each running order of a series."""
        return self._pieces[channel]

    def check(self, stepped: bool) -> None:
        """Check, too, that there are orders for the way that is taken."""
        super().check(stepped)
        for name, order in self.patterns.items():
            if stepped and order.first_id not in self._single:
                raise ConfigError(
                    f"hardware.patterns.orders: channel {name!r} has no frames, which software needs to step; add the "
                    "running order of each pattern, or let the camera step (stepped_by: camera, sequence: hardware)"
                )
        wanted = self._single.values() if stepped else self._stepped.values()
        self.devices.check_takes(self._choice(value) for value in wanted)

    def _lacks(self, ids: Sequence[int]) -> str | None:
        if tuple(ids) in self._stepped:
            return None
        return f"{self._board.device}: holds no running order, stepped by the camera, of the {len(ids)} patterns wanted"

    def _show(self, pattern_id: int) -> None:
        self._choose(self._single[pattern_id])
        self._set(self._board.start)

    def _load(self, ids: Sequence[int]) -> None:
        self._choose(self._stepped[tuple(ids)])

    def _start(self) -> None:
        if self._board.start:
            self._set(self._board.start)
        else:
            self._choose(self._stepped[self._loaded])

    def _stop(self) -> None:
        self._set(self._board.stop)

    def _choose(self, value: Value) -> None:
        self._set(self._board.stop)
        self._set((self._choice(value),))

    def _choice(self, value: Value) -> Setting:
        return Setting(device=self._board.device, property=self._board.property, value=value)

    def _set(self, settings: Sequence[Setting]) -> None:
        # Always: what is written again starts again.
        for setting in settings:
            self.devices.set(setting, always=True)


def _orientations(name: str, order: DisplayOrder) -> tuple[tuple[int, ...], ...]:
    if not order.orientations:
        raise ConfigError(
            f"hardware.patterns.orders: channel {name!r} has orientations, which need all phases of one orientation "
            "before the next; set pattern.order: angle-phase"
        )
    return order.orientations
