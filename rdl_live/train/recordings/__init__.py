"""Training from noisy recordings alone."""
