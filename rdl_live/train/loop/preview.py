"""A picture of how far a training has come."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rdl_live.errors import OutputError
from rdl_live.train.loop.task import Pictures

_GAP = 4


def save_preview(path: Path, rows: Pictures) -> None:
    """Write rows of images, each row on the scale of its last image.

    Raises:
        OutputError: it cannot be written.
    """
    picture = _side_by_side([_row(images) for images in rows], axis=0)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        Image.fromarray(picture).save(temporary, format="png")
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: the preview cannot be written ({error})") from error
    finally:
        temporary.unlink(missing_ok=True)


def _row(images: Sequence[Tensor]) -> np.ndarray:
    top = float(torch.quantile(images[-1].flatten()[::7].float(), 0.998)) + 1e-6
    return _side_by_side([_grey(one, top) for one in images], axis=1)


def _grey(image: Tensor, top: float) -> np.ndarray:
    """Return 8 bits, with a gamma of 0.7 so that dim structure shows."""
    scaled = (image.detach().float().cpu() / top).clamp(0, 1) ** 0.7
    return (255 * scaled).round().to(torch.uint8).numpy()


def _side_by_side(pictures: list[np.ndarray], axis: int) -> np.ndarray:
    """Return pictures (y, x) beside or below each other, with white gaps."""
    widths = [(0, 0), (0, 0)]
    widths[axis] = (0, _GAP)
    return np.concatenate([np.pad(one, widths, constant_values=255) for one in pictures], axis=axis)
