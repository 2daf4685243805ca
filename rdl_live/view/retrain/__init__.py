"""The retraining panel."""
