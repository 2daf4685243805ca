"""What `--cluster` may name: the address of a dask scheduler, or local:N."""

from rdl_live.errors import ConfigError

LOCAL = "local:"
MOST_LOCAL = 64


def check_cluster(name: str) -> int | None:
    """Return the number of workers of local:N, None for the address of a scheduler.

    Raises:
        ConfigError: neither, or dask is not installed.
    """
    try:
        import distributed  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(f"--cluster {name}: dask is not installed; pip install 'rdl-live[scale]'") from error
    if not name.startswith(LOCAL):
        if "://" not in name:
            raise ConfigError(f"--cluster {name}: give tcp://HOST:PORT of a dask scheduler, or local:N for N workers")
        return None
    count = name.removeprefix(LOCAL)
    if not count.isdecimal() or not 1 <= int(count) <= MOST_LOCAL:
        raise ConfigError(f"--cluster {name}: local:N needs a number of workers from 1 to {MOST_LOCAL}")
    return int(count)
