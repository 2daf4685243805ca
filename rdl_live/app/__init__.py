"""Composition: files and optics put together into what the commands (and later the window) offer."""
