"""Bounds of configurations: a weight file must not be able to ask for a network of any size."""

from collections.abc import Mapping


def check_whole(config: object, bounds: Mapping[str, tuple[int, int]]) -> None:
    """Raise ValueError unless the fields named in `bounds` are whole numbers within them, both ends included."""
    for name, (low, high) in bounds.items():
        value = getattr(config, name)
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value!r}")


def check_number(config: object, bounds: Mapping[str, tuple[float, float]]) -> None:
    """Raise ValueError unless the fields named in `bounds` are numbers within them, both ends included."""
    for name, (low, high) in bounds.items():
        value = getattr(config, name)
        if type(value) not in (int, float) or not low <= value <= high:
            raise ValueError(f"{name} must be a number from {low:g} to {high:g}, got {value!r}")


def check_flags(config: object, *names: str) -> None:
    """Raise ValueError unless these fields are true or false."""
    for name in names:
        if type(getattr(config, name)) is not bool:
            raise ValueError(f"{name} must be true or false, got {getattr(config, name)!r}")
