"""The acquisition log: every event with its time, in a window, and saved with each recording."""
