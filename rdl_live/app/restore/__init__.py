"""Restoring images, series and stacks from file to file, by what a weight file is for."""
