"""Tables of what the program can be extended by: things by their names, its own and those of other packages.

A package adds to a table by an entry point of the table's group, which names the thing itself:

    [project.entry-points."rdl_live.architectures"]
    my-network = "my_package.network:ARCHITECTURE"

Entry points are read when a name is not found, or all names are asked for; every process finds them by itself. A
script or a notebook calls `register`, which holds for its own process.
"""

from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import Generic, Protocol, TypeVar

from rdl_live.errors import ConfigError


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str:
        """By which it is found."""


Entry = TypeVar("Entry", bound=Named)


class Table(Generic[Entry]):
    """Things of one kind by name."""

    def __init__(self, group: str, kind: type[Entry], own: Iterable[Entry] = ()) -> None:
        """Begin with the program's own.

        Args:
            group: of entry points.
            kind: of the things; anything else that an entry point names is refused.
            own: things.
        """
        self._group, self._kind = group, kind
        self._known: dict[str, Entry] = {}
        self._asked = False
        for one in own:
            self.register(one)

    def register(self, one: Entry) -> Entry:
        """Add a thing in this process, and return it; the same one may be added again.

        Raises:
            ConfigError: another one has its name.
        """
        known = self._known.setdefault(one.name, one)
        if known is not one:
            raise ConfigError(f"{self._group}: there are two of the name {one.name!r}; rename one")
        return one

    def forget(self, name: str) -> None:
        """Take a thing out again, in this process."""
        self._known.pop(name, None)

    def names(self) -> tuple[str, ...]:
        """Return all names, sorted."""
        self._ask()
        return tuple(sorted(self._known))

    def find(self, name: str) -> Entry | None:
        """Return the thing of this name, or None."""
        if name not in self._known:
            self._ask()
        return self._known.get(name)

    def _ask(self) -> None:
        """Add what installed packages offer, once."""
        if self._asked:
            return
        self._asked = True
        for point in entry_points(group=self._group):
            try:
                one = point.load()
            except Exception as error:  # of somebody else's package: whatever it raises, its name is what matters
                raise ConfigError(f"{self._group}: {point.name} ({point.value}) cannot be loaded: {error}") from error
            if not isinstance(one, self._kind):
                raise ConfigError(f"{self._group}: {point.name} ({point.value}) is no {self._kind.__name__}")
            self.register(one)
