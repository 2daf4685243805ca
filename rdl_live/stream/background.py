"""Where patterns are estimated while the stream goes on."""

from concurrent.futures import Executor, ThreadPoolExecutor


def background() -> Executor:
    """Return an executor of one thread, for estimations.

    Of the same priority as the live path: an estimation is short, and a nicer thread was made to wait for seconds on
    a busy computer, holding Python's lock whenever it got its turn.
    """
    return ThreadPoolExecutor(1, thread_name_prefix="rdl-background")
