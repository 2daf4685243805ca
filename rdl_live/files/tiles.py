"""Frames that lie side by side in one picture, as Nikon N-SIM and some cameras' programs store them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import ConfigError, DataError
from rdl_live.files.frame_source import Frames, FrameSource, RawFile
from rdl_live.files.stack import Axis, Stack

MOST_TILES = 64
_ALIKE = 0.6
"""Correlation of neighbouring tiles, from which a picture is a mosaic of one specimen; halves of a cell have 0.2."""
_COARSE = 32
"""Blocks each way by which tiles are compared: stripes and noise are averaged away."""


class TileFrames:
    """The tiles of each picture of a source as frames, row by row."""

    def __init__(self, source: FrameSource, tiles: tuple[int, int]) -> None:
        """Divide the pictures of `source` into rows x columns of tiles."""
        self._source, self._tiles = source, tiles

    @property
    def shape(self) -> tuple[int, int]:
        """Frame shape (Y, X)."""
        rows, columns = self._source.shape
        return rows // self._tiles[0], columns // self._tiles[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of the frames."""
        return self._source.dtype

    def read(self, frames: npt.NDArray[np.int64], out: Frames) -> None:
        """Fill `out` (n, y, x) with the frames of these numbers (n,)."""
        count = self._tiles[0] * self._tiles[1]
        height, width = self.shape
        for picture in np.unique(frames // count).tolist():
            whole = np.empty((1, *self._source.shape), self.dtype)
            self._source.read(np.array([picture]), whole)
            for place in np.flatnonzero(frames // count == picture).tolist():
                row, column = divmod(int(frames[place]) % count, self._tiles[1])
                out[place] = whole[0, row * height : (row + 1) * height, column * width : (column + 1) * width]

    def close(self) -> None:
        """Close the file."""
        self._source.close()


def tiled(raw: RawFile, tiles: tuple[int, int]) -> RawFile:
    """Return a file whose pictures are mosaics of rows x columns frames as one of these frames.

    Raises:
        DataError: the pictures do not divide into so many tiles.
    """
    (rows, columns), count = raw.source.shape, tiles[0] * tiles[1]
    if rows % tiles[0] or columns % tiles[1] or not 1 < count <= MOST_TILES:
        raise DataError(
            f"pictures of {rows} x {columns} pixels do not divide into --tiles {tiles[0]}x{tiles[1]} (rows x columns)"
        )
    inside = np.arange(count, dtype=np.int64)

    def divided(stack: Stack) -> Stack:
        return Stack((*stack.axes, Axis.FRAME), stack.frames[..., None] * count + inside)

    return RawFile(
        TileFrames(raw.source, tiles),
        divided(raw.stack.squeezed()),
        raw.pixel_size_um,
        raw.labels,
        raw.notes,
        tuple(divided(one.squeezed()) for one in raw.others),
        raw.positions,
        raw.others_rank,
        raw.z_step_um,
    )


def read_tiles(text: str) -> tuple[int, int]:
    """Return (rows, columns) of a text such as 3x3.

    Raises:
        ConfigError: it is none.
    """
    rows, _, columns = text.lower().partition("x")
    if not (rows.isdecimal() and columns.isdecimal() and 1 < int(rows) * int(columns) <= MOST_TILES):
        raise ConfigError(f"--tiles {text}: give rows x columns of the frames in a picture, such as 3x3")
    return int(rows), int(columns)


def mosaic_of(raw: RawFile, frames: int) -> tuple[int, int] | None:
    """Return (rows, columns) if the first picture looks like a mosaic of the frames of a series."""
    if raw.stack.frames.size % frames == 0 or min(raw.source.shape) < 2 * _COARSE:
        return None
    picture = np.empty((1, *raw.source.shape), raw.source.dtype)
    raw.source.read(raw.stack.frames.reshape(-1)[:1], picture)
    fitting = [
        (rows, frames // rows)
        for rows in range(1, frames + 1)
        if frames % rows == 0 and raw.source.shape[0] % rows == 0 and raw.source.shape[1] % (frames // rows) == 0
    ]
    likeness = {tiles: _likeness(picture[0].astype(np.float32), tiles) for tiles in fitting}
    best = max(likeness, key=lambda tiles: likeness[tiles], default=None)
    return best if best is not None and likeness[best] >= _ALIKE else None


def _likeness(picture: npt.NDArray[np.float32], tiles: tuple[int, int]) -> float:
    """Return the least correlation of any tile with the mean of all."""
    height, width = picture.shape[0] // tiles[0], picture.shape[1] // tiles[1]
    step = max(1, min(height, width) // _COARSE)
    cut = picture.reshape(tiles[0], height, tiles[1], width).swapaxes(1, 2).reshape(-1, height, width)
    high, wide = height // step, width // step
    blocks = cut[:, : high * step, : wide * step].reshape(-1, high, step, wide, step).mean(axis=(2, 4))
    flat = blocks.reshape(len(blocks), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(flat, axis=1)
    if not norms.all():
        return 0.0
    unit = flat / norms[:, None]
    return float((unit @ unit.T).min())
