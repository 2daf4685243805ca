"""A picture of held-out tiles: Wiener estimate, before the training, after it."""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rdl_live.errors import OutputError
from rdl_live.train.loop.preview import grey, side_by_side
from rdl_live.train.recordings.answers import answer
from rdl_live.train.recordings.trainer import PairTrainer

_ROWS = 3


def save_before_after(path: Path, trainer: PairTrainer) -> None:
    """Write a row for each of some held-out tiles, all on one scale.

    Raises:
        OutputError: it cannot be written.
    """
    rows = []
    with torch.no_grad():
        for asked in trainer.held[:: max(1, len(trainer.held) // _ROWS)][:_ROWS]:
            # Beyond the tile lies its margin: its own mirror images.
            height, width = (2 * size for size in asked.tile.shape)
            spectra = [
                answer(network, asked.tile, asked.photons, asked.evidence)
                for network in (None, trainer.started, trainer.best)
            ]
            rows.append(_row(*(asked.plain_image(one)[:height, :width] for one in spectra)))
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        Image.fromarray(side_by_side(rows, axis=0)).save(temporary, format="png")
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: the preview cannot be written ({error})") from error
    finally:
        temporary.unlink(missing_ok=True)


def _row(*images: Tensor) -> np.ndarray:
    top = float(torch.quantile(images[-1].flatten()[::7], 0.998)) + 1e-6
    return side_by_side([grey(one, top) for one in images], axis=1)
