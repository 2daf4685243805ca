"""Training on simulated series."""
