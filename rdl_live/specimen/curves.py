"""Curves in the plane: worm-like chains, and fluorophores set along them."""

from dataclasses import dataclass

import numpy as np

from rdl_live.specimen.cloud import Floats, Indices


@dataclass(frozen=True)
class Curves:
    """Polylines, one after the other in one array."""

    node_um: Floats
    """(nodes, 2), x and y [um]."""
    curve: Indices
    """(nodes,), which curve each belongs to, ascending."""


@dataclass(frozen=True)
class Sites:
    """Points at equal distances along curves."""

    position_um: Floats
    """(n, 2), x and y [um]."""
    normal: Floats
    """(n, 2), unit vector across the curve."""
    arc_um: Floats
    """(n,), way along the curve from its start [um]."""
    length_um: Floats
    """(n,), length of the whole curve [um]."""
    curve: Indices
    """(n,), which curve."""

    def offset(self, across_um: Floats, along_um: Floats | float = 0.0) -> Floats:
        """Return the positions (n, 2) moved across and along the curve by so much [um]."""
        tangent = np.stack([self.normal[:, 1], -self.normal[:, 0]], axis=1)
        along = np.broadcast_to(np.asarray(along_um), across_um.shape)
        return np.asarray(
            self.position_um + across_um[:, None] * self.normal + along[:, None] * tangent, dtype=np.float64
        )


def worm_like_chains(
    start_um: Floats,
    heading_rad: Floats,
    length_um: Floats,
    persistence_um: float,
    rng: np.random.Generator,
    *,
    step_um: float = 0.1,
) -> Curves:
    """Return chains whose direction performs a random walk.

    In the plane <cos(turn over s)> = exp(-s / (2 persistence)), hence a variance of step / persistence a step
    (Rivetti, Guthold and Bustamante, J. Mol. Biol. 1996).

    Args:
        start_um: (n, 2), x and y [um].
        heading_rad: (n,), direction at the start.
        length_um: (n,) [um].
        persistence_um: persistence length [um].
        rng: source of the randomness.
        step_um: distance of the nodes [um].
    """
    steps = np.maximum(2, np.ceil(length_um / step_um)).astype(np.int64)
    longest = int(steps.max())
    turns = rng.normal(0.0, np.sqrt(step_um / persistence_um), (len(steps), longest))
    direction = heading_rad[:, None] + np.cumsum(turns, axis=1)
    # The last step is cut so that every chain has the length that was asked for.
    size = np.clip(length_um[:, None] - step_um * np.arange(longest), 0.0, step_um)
    moves = np.stack([np.cos(direction), np.sin(direction)], axis=2) * size[:, :, None]
    nodes = np.concatenate([start_um[:, None], start_um[:, None] + np.cumsum(moves, axis=1)], axis=1)
    kept = np.arange(longest + 1) <= steps[:, None]
    return Curves(nodes[kept], np.repeat(np.arange(len(steps)), steps + 1))


def sites(curves: Curves, spacing_um: float) -> Sites:
    """Return points every `spacing_um` along the curves (one running measure through all of them)."""
    link = np.diff(curves.node_um, axis=0)
    inside = curves.curve[1:] == curves.curve[:-1]
    size = np.where(inside, np.hypot(link[:, 0], link[:, 1]), 0.0)
    way = np.concatenate([[0.0], np.cumsum(size)])
    at = np.arange(0.5 * spacing_um, way[-1], spacing_um)
    segment = np.clip(np.searchsorted(way, at, side="right") - 1, 0, len(link) - 1)
    tangent = link[segment] / np.maximum(size[segment], 1e-12)[:, None]
    curve = curves.curve[segment]
    first = np.searchsorted(curves.curve, np.arange(int(curves.curve[-1]) + 2))
    begin, end = way[first[:-1]], way[np.maximum(first[1:] - 1, first[:-1])]
    return Sites(
        position_um=curves.node_um[segment] + (at - way[segment])[:, None] * tangent,
        normal=np.stack([-tangent[:, 1], tangent[:, 0]], axis=1),
        arc_um=at - begin[curve],
        length_um=(end - begin)[curve],
        curve=curve,
    )
