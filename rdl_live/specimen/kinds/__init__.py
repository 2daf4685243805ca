"""The kinds of specimen that come with the package; importing this registers them all."""

from rdl_live.specimen.kinds import actin, beads, collage, empty, filaments, mitochondria, mixed, reticulum, rings

__all__ = ["actin", "beads", "collage", "empty", "filaments", "mitochondria", "mixed", "reticulum", "rings"]
