"""Imaging from single frames: a network makes super-resolved images of them, series of patterns check it."""
