"""Calibration files: measured radial OTFs (.mrc) and per-pixel camera maps (TIFF)."""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files._guard import reading
from rdl_live.files.mrc import DV_MAGIC, HEADER_BYTES, read_mrc_header
from rdl_live.files.raw import open_any

MAX_SAMPLES = 2**20


@dataclass(frozen=True, eq=False)
class RadialOtfData:
    """A measured OTF along the radius."""

    values: npt.NDArray[np.complex64]
    """Samples (n,) from zero frequency outwards, dimensionless, as stored (usually 1 at zero)."""
    spacing_cycles_per_um: float
    """Distance of the samples [cycles/um]."""


def read_otf(path: str | Path) -> RadialOtfData:
    """Read a radial OTF: one row of complex (MRC mode 4) or real (mode 2) samples.

    Raises:
        DataError: no such file, no single row, no spacing in its header, values that are not finite, or
            nothing at zero frequency.
    """
    path = Path(path)
    header = read_mrc_header(path)
    sections, rows, samples = header.shape
    if (sections, rows) != (1, 1) or header.dtype.kind not in "cf" or not 2 <= samples <= MAX_SAMPLES:
        raise DataError(
            f"{path}: holds {sections} x {rows} x {samples} {header.dtype.name} values; a radial OTF is "
            "one row of complex or real samples"
        )
    if not header.is_dv or header.spacing is None:
        raise DataError(f"{path}: its header has no believable spacing of frequencies (cycles/um, word 11)")
    with reading(path, "MRC"):
        stored = np.fromfile(path, header.dtype, samples, offset=header.data_offset)
    values = stored.astype(np.complex64)
    if not np.isfinite(values).all() or abs(values[0]) == 0:
        raise DataError(f"{path}: OTF values are NaN or infinite, or zero at frequency zero; measure it again")
    return RadialOtfData(values, header.spacing)


def write_otf(path: Path, values: npt.NDArray[np.float64], spacing_cycles_per_um: float) -> None:
    """Write a radial OTF so that `read_otf` reads it: one row of real samples (n,), from zero frequency outwards."""
    head = bytearray(HEADER_BYTES)
    struct.pack_into("<4i", head, 0, len(values), 1, 1, 2)
    struct.pack_into("<3f", head, 40, spacing_cycles_per_um, spacing_cycles_per_um, 1.0)
    struct.pack_into("<3i", head, 64, 1, 2, 3)
    struct.pack_into("<h", head, 96, DV_MAGIC)
    path.write_bytes(bytes(head) + values.astype("<f4").tobytes())


def read_map(
    path: str | Path, shape: tuple[int, int], *, positive: bool = False, corner: tuple[int, int] | None = None
) -> npt.NDArray[np.float32]:
    """Read a per-pixel camera map.

    Args:
        path: TIFF file of one image: of the region that the frames show, or of the whole chip.
        shape: of a frame (Y, X).
        positive: refuse values of zero and below (gain); otherwise any finite value goes (offset, variance).
        corner: (y, x) of the frame's first pixel on the chip, to cut a map of the whole chip; None: not known.

    Returns:
        The map (y, x) of the frame, float32, in the file's unit.

    Raises:
        DataError: no such image, another shape, NaN or infinite values, or values that are not positive.
    """
    path = Path(path)
    raw = open_any(path)
    try:
        place = _place(raw.source.shape, shape, corner)
        if raw.stack.frames.size != 1 or place is None:
            found = f"{raw.stack.frames.size} image(s) of {raw.source.shape[0]} x {raw.source.shape[1]} pixels"
            where = "" if corner is None else f" from row {corner[0]}, column {corner[1]} of the chip on"
            raise DataError(
                f"{path}: holds {found}, the frames have {shape[0]} x {shape[1]} pixels (rows x columns){where}; "
                "cut the map to the same region of the camera"
            )
        values = np.empty((1, *raw.source.shape), raw.source.dtype)
        raw.source.read(raw.stack.frames.reshape(-1), values)
    finally:
        raw.source.close()
    with np.errstate(over="ignore"):
        result: npt.NDArray[np.float32] = values[0][place].astype(np.float32)
    bad = ~np.isfinite(result) | ((result <= 0) if positive else False)
    if bad.any():
        y, x = (int(i[0]) for i in np.nonzero(bad))
        allowed = "finite and above zero" if positive else "finite"
        raise DataError(
            f"{path}: {int(bad.sum())} pixels are not {allowed}, the first at y {y}, x {x} with "
            f"value {result[y, x]}; replace them by the median of their neighbours"
        )
    return result


def _place(
    found: tuple[int, ...], shape: tuple[int, int], corner: tuple[int, int] | None
) -> tuple[slice, slice] | None:
    """Return where a frame lies in a map; None where it does not lie in it."""
    if tuple(found) == tuple(shape):
        return slice(None), slice(None)
    if corner is None or any(
        first < 0 or first + n > most for first, n, most in zip(corner, shape, found, strict=True)
    ):
        return None
    return slice(corner[0], corner[0] + shape[0]), slice(corner[1], corner[1] + shape[1])
