"""Files of pairs: the images of a TIFF or MRC file, as they are."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rdl_live.errors import DataError
from rdl_live.files.frame_source import RawFile
from rdl_live.files.mrc import open_mrc
from rdl_live.files.tiff_raw import open_tiff
from rdl_live.optics.microscope import Camera
from rdl_live.optics.noise import to_photons

ENDINGS = (".tif", ".tiff", ".mrc")


@dataclass(frozen=True)
class Pages:
    """A file's images."""

    path: Path
    count: int
    shape: tuple[int, int]
    """(y, x)."""
    pixel_um: float | None
    """As the file says."""

    def read(self, camera: Camera | None = None) -> Tensor:
        """Return the images, (count, y, x) float32: photons where a camera is given, else the file's values.

        Raises:
            DataError: values that are not numbers.
        """
        opened = _opened(self.path)
        try:
            out = np.empty((self.count, *self.shape), opened.source.dtype)
            opened.source.read(np.arange(self.count), out)
        finally:
            opened.source.close()
        images = torch.from_numpy(out.astype(np.float32))
        if not bool(torch.isfinite(images).all()):
            raise DataError(f"{self.path}: holds values that are not numbers (NaN or infinity); export the file again")
        return images if camera is None else to_photons(images, camera)


def open_pages(path: Path) -> Pages:
    """Look at a file.

    Raises:
        DataError: it cannot be read.
    """
    opened = _opened(path)
    try:
        return Pages(path, int(opened.stack.frames.size), opened.source.shape, opened.pixel_size_um)
    finally:
        opened.source.close()


def _opened(path: Path) -> RawFile:
    return open_mrc(path) if path.suffix.lower() == ".mrc" else open_tiff(path)
