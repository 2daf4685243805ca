"""One variant of each case runs in the fast suite; the others, which take long, with `-m slow`."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest
from _pytest.mark import ParameterSet


def variants(names: Iterable[Any], fast: Collection[Any]) -> list[ParameterSet]:
    """Return parameters for `pytest.mark.parametrize`."""
    return [pytest.param(name, marks=[] if name in fast else [pytest.mark.slow]) for name in names]
