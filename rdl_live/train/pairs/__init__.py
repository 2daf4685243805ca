"""Pairs of what a microscope gives and what is to be made of it: from files, or from recordings."""
