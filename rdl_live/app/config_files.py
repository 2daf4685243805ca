"""Where the configurations that come with the program lie. Loads nothing: commands ask before anything else."""

import sysconfig
from pathlib import Path

from rdl_live.errors import ConfigError


def config_file(name: str) -> Path:
    """Return a file of configs/: from the source tree, or from where the package was installed.

    Raises:
        ConfigError: it is in neither.
    """
    source = Path(__file__).parents[2] / "configs" / name
    installed = Path(sysconfig.get_path("data")) / "share" / "rdl-live" / "configs" / name
    for path in (source, installed):
        if path.is_file():
            return path
    raise ConfigError(f"{name}: is neither {source} nor {installed}; install rdl-live again")
