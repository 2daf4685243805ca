"""TensorBoard: loss, error and preview pictures, where asked for (`pip install "rdl-live[tensorboard]"`)."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rdl_live.errors import ConfigError
from rdl_live.train.loop.loop import Step

EVERY = 10
"""Steps from one number to the next."""


def check_board(folder: Path) -> None:
    """Raise unless TensorBoard's files can be written there; to be called before anything is computed.

    Raises:
        ConfigError: TensorBoard is not installed, or `folder` is a file or lies below one.
    """
    in_the_way = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    if in_the_way.exists() and not in_the_way.is_dir():
        raise ConfigError(f"--tensorboard {folder}: {in_the_way} is a file; name a folder, which may be a new one")
    if find_spec("tensorboard") is None:
        raise ConfigError("--tensorboard: TensorBoard is not installed; pip install 'rdl-live[tensorboard]'")


class Board:
    """Writes what TensorBoard shows into a folder."""

    def __init__(self, folder: Path) -> None:
        """Open it.

        Raises:
            ConfigError: see `check_board`.
        """
        check_board(folder)
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder))

    def step(self, step: Step) -> None:
        """Note a step's numbers."""
        if step.number % EVERY in (0, 1):
            for name in ("loss", "gain", "learning_rate"):
                self._writer.add_scalar(name, getattr(step, name), step.number)

    def picture(self, path: Path, number: int) -> None:
        """Note a preview picture."""
        with Image.open(path) as picture:
            self._writer.add_image("preview", np.asarray(picture.convert("L"))[None], number)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
