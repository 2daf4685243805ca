"""Which patterns a series consists of, and how they are numbered: the same for every kind of source."""

from dataclasses import dataclass

from rdl_live.optics.microscope import Channel, Microscope


@dataclass(frozen=True)
class DisplayOrder:
    """The patterns of one channel."""

    channel: str
    slots: tuple[tuple[int, int], ...]
    """(angle, phase) in the order of display."""
    first_id: int
    """Pattern id of the first slot; ids count through all channels of the microscope."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Pattern ids in the order of display."""
        return tuple(range(self.first_id, self.first_id + len(self.slots)))

    @property
    def orientations(self) -> tuple[tuple[int, ...], ...]:
        """Pattern ids of each orientation, where all phases of one come before the next; else none."""
        found: dict[int, list[int]] = {}
        for one, (angle, _) in zip(self.ids, self.slots, strict=True):
            found.setdefault(angle, []).append(one)
        pieces = tuple(tuple(ids) for ids in found.values())
        return pieces if sum(pieces, ()) == self.ids else ()


def display_order(microscope: Microscope, channel: Channel) -> DisplayOrder:
    """Return the patterns of a channel as its microscope file orders them."""
    geometry = microscope.pattern
    first = geometry.frames * [one.name for one in microscope.channels].index(channel.name)
    return DisplayOrder(channel.name, geometry.slots, first)
