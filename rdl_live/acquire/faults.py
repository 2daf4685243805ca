"""How problems of devices are reported: one sentence each, and all of them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rdl_live.errors import DeviceError, RdlError


class ManyProblemsError(DeviceError):
    """What went wrong first, and everything that went wrong while stopping."""

    def __init__(self, errors: Iterable[BaseException]) -> None:
        """Take the errors in the order in which they came."""
        self.errors = tuple(errors)
        super().__init__("\n  - ".join([f"{len(self.errors)} problems:", *map(told, self.errors)]))


def told(error: BaseException) -> str:
    """Return an error as a sentence; the user's own errors are sentences already."""
    return str(error) if isinstance(error, RdlError) else f"{type(error).__name__}: {error}"


def flat(error: BaseException) -> Iterator[BaseException]:
    """Go through an error, or through all that it holds."""
    if isinstance(error, ManyProblemsError):
        for one in error.errors:
            yield from flat(one)
    else:
        yield error


def raise_all(errors: Iterable[BaseException]) -> None:
    """Raise nothing, the one error, or all of them as `ManyProblemsError`; each message once."""
    unlike: dict[str, BaseException] = {}
    for error in errors:
        for one in flat(error):
            unlike.setdefault(told(one), one)
    if len(unlike) == 1:
        raise next(iter(unlike.values()))
    if unlike:
        raise ManyProblemsError(unlike.values()) from next(iter(unlike.values()))


@contextmanager
def asking(device: str, what: str, remedy: str = "check the device and its cable, then try again") -> Iterator[None]:
    """Turn whatever a device adapter raises (they raise anything) into a DeviceError that names device and value.

    Args:
        device: label.
        what: what was asked of it, "Power = 30".
        remedy: what the user can do.
    """
    try:
        yield
    except RdlError as error:
        raise DeviceError(f"{device}: {what} failed: {str(error).removeprefix(f'{device}: ')}") from error
    except Exception as error:
        raise DeviceError(f"{device}: {what} failed ({told(error)}); {remedy}") from error


def tried(step: Callable[[], object]) -> list[BaseException]:
    """Do a step of an ending; return what goes wrong, so that the next one is done nevertheless."""
    try:
        step()
    except (RdlError, RuntimeError) as error:
        return [error]
    return []
