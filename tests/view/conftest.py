"""What the window's tests share."""

import pytest


@pytest.fixture(autouse=True)
def _at_the_desk(screen: None, own_memory: object) -> None:
    """All of them have a screen, and settings of their own."""
    del screen, own_memory
