"""Weights as packages of the bioimage.io model zoo, and back."""
