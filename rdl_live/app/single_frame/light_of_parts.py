"""The light of a run of several parts, as everybody sees it who shows or stops the run."""

from collections.abc import Callable

from rdl_live.acquire import SafeLight
from rdl_live.acquire.guard import IlluminationGuard
from rdl_live.acquire.run_light import RunLight


class LightOfParts(SafeLight):
    """Who turns the light off stops all parts: between two of them, the next one would light the specimen again."""

    def __init__(self, running: Callable[[], bool], stop: Callable[[], None]) -> None:
        super().__init__()
        self._all = (running, stop)

    def attach(
        self, light: RunLight, guard: IlluminationGuard, running: Callable[[], bool], stop: Callable[[], None]
    ) -> None:
        """Take the light of a part."""
        del running, stop
        super().attach(light, guard, *self._all)

    def end_watch(self) -> None:
        """Nothing to wait for at the end of a part: who watches a stop looks after all of them."""

    def end_watch_of_all(self) -> None:
        """Wait until nobody touches devices for a stop any more."""
        super().end_watch()
