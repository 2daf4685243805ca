"""The kinds of specimen by name. A new kind is a file in `kinds/` whose builder carries `@kind("name")`."""

from collections.abc import Callable
from importlib import import_module

from rdl_live.specimen.cloud import Cloud
from rdl_live.specimen.domain import Domain

Builder = Callable[[Domain], list[Cloud]]
"""Grows the structures of one kind over a whole domain, drawing on the domain's own randomness only."""

_BUILDERS: dict[str, Builder] = {}


def kind(name: str) -> Callable[[Builder], Builder]:
    """Register the decorated builder as the specimen kind `name`."""

    def register(builder: Builder) -> Builder:
        if name in _BUILDERS:
            raise ValueError(f"there is a specimen kind {name!r} already: {_BUILDERS[name].__module__}")
        _BUILDERS[name] = builder
        return builder

    return register


def kind_names() -> tuple[str, ...]:
    """Return the names of all kinds, sorted."""
    import_module("rdl_live.specimen.kinds")  # registers those that come with the package
    return tuple(sorted(_BUILDERS))


def builder(name: str) -> Builder:
    """Return the builder of a kind.

    Raises:
        KeyError: no such kind.
    """
    import_module("rdl_live.specimen.kinds")
    return _BUILDERS[name]
