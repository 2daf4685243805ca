"""Patterns and spectra, shown."""
