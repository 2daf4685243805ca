"""What every structure comes down to: a cloud of fluorophores that belong to members which move as one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Motion:
    """How a kind of structure moves; the shares are relative to the specimen's speed (root mean square)."""

    drift: float = 0.5
    """Share of every member's own way through the cell, as a rigid body."""
    flow: float = 0.85
    """Share of the bending and swaying that neighbours have in common."""
    wavelength_um: tuple[float, float] = (4.0, 12.0)
    """Shortest and longest wave of that swaying [um]."""


@dataclass(frozen=True)
class Cloud:
    """Fluorophores at rest. Positions may lie anywhere: the domain is periodic."""

    position_um: Floats
    """(n, 2), x and y [um]."""
    brightness: Floats
    """(n,), at least 0, relative."""
    member: Indices
    """(n,), index of the structure that each belongs to."""
    motion: Motion = Motion()

    def __post_init__(self) -> None:
        n = len(self.position_um)
        if self.position_um.shape != (n, 2) or self.brightness.shape != (n,) or self.member.shape != (n,):
            raise ValueError(
                f"a cloud of {n} fluorophores has positions {self.position_um.shape}, "
                f"brightness {self.brightness.shape}, members {self.member.shape}"
            )

    def share(self, total: float) -> "Cloud":
        """Return the same cloud with this much light in all."""
        scale = total / max(float(self.brightness.sum()), 1e-30)
        return Cloud(self.position_um, self.brightness * scale, self.member, self.motion)


def join(clouds: list[Cloud], *, same_members: bool = False) -> Cloud:
    """Return one cloud of several, which moves like the first.

    Args:
        clouds: at least one.
        same_members: whether equal indices mean the same member (its parts) or, by default, different ones.
    """
    first, members = 0, []
    for cloud in clouds:
        members.append(cloud.member + first)
        if not same_members:
            first += int(cloud.member.max(initial=-1)) + 1
    return Cloud(
        np.concatenate([cloud.position_um for cloud in clouds]),
        np.concatenate([cloud.brightness for cloud in clouds]),
        np.concatenate(members),
        clouds[0].motion,
    )
