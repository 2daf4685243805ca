"""The session behind the live window: devices, runs, goals, notices, images."""
