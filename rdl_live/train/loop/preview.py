"""A picture of how far a training has come."""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rdl_live.errors import OutputError
from rdl_live.train.simulated.loss import Judged

_GAP = 4
_MOST = 4
"""Rows of the picture."""


def save_preview(path: Path, judged: Judged) -> None:
    """Write a row for each series: Wiener estimate, restored, truth; all three on the truth's scale.

    Raises:
        OutputError: it cannot be written.
    """
    rows = []
    for shown, fused, truth in list(zip(judged.shown, judged.fused, judged.truth, strict=True))[:_MOST]:
        y, x = truth.shape
        top = float(torch.quantile(truth.flatten()[::7], 0.998)) + 1e-6
        rows.append(side_by_side([grey(one[:y, :x], top) for one in (shown, fused, truth)], axis=1))
    picture = side_by_side(rows, axis=0)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        Image.fromarray(picture).save(temporary, format="png")
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: the preview cannot be written ({error})") from error
    finally:
        temporary.unlink(missing_ok=True)


def grey(image: Tensor, top: float) -> np.ndarray:
    """Return 8 bits, with a gamma of 0.7 so that dim structure shows."""
    scaled = (image.detach().float().cpu() / top).clamp(0, 1) ** 0.7
    return (255 * scaled).round().to(torch.uint8).numpy()


def side_by_side(pictures: list[np.ndarray], axis: int) -> np.ndarray:
    """Return pictures (y, x) beside or below each other, with white gaps."""
    widths = [(0, 0), (0, 0)]
    widths[axis] = (0, _GAP)
    return np.concatenate([np.pad(one, widths, constant_values=255) for one in pictures], axis=axis)
