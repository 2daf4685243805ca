"""Recordings that several tests spoil in their own ways."""

import pytest

from tests.optics.estimate.scenes import Case, Recording, record


@pytest.fixture(scope="session")
def usual() -> Recording:
    """An easy recording, 3 x 3 frames."""
    return record(Case(shape=(128, 128)))


@pytest.fixture(scope="session")
def flat() -> Recording:
    """The same without pattern."""
    return record(Case(shape=(128, 128), modulation=0.0))
