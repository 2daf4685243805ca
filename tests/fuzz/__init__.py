"""Broken files on purpose: what the readers must survive."""

NAMES = ("mrc", "tiff", "ome-xml", "zarr", "ndtiff", "recording", "yaml", "weights", "checkpoint")
"""Of the targets; here, so that they can be listed before anything is imported."""
