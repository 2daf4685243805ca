"""Retraining on own recordings: films, catalogue, the process that trains, the desk that shows it."""
