"""Micro-Manager devices written in Python. Empty until the simulated microscope lands."""
