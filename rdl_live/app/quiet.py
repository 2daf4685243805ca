"""Keeping other programs' notes off the user's terminal."""

import logging


def quiet_micro_manager() -> None:
    """Keep Micro-Manager's notes (to be found in its log file) from the terminal; errors still come."""
    import pymmcore_plus  # noqa: F401  # makes its handlers

    for handler in logging.getLogger("pymmcore-plus").handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.setLevel(logging.ERROR)
