"""Containers of raw frames: one file for each, listed in `registry`."""
