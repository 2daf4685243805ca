"""Calibration files: measured radial OTFs (.mrc) and per-pixel camera maps (TIFF)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files._guard import reading
from rdl_live.files.mrc import read_mrc_header
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


def read_map(path: str | Path, shape: tuple[int, int], *, positive: bool = False) -> npt.NDArray[np.float32]:
    """Read a per-pixel camera map.

    Args:
        path: TIFF file of one image.
        shape: frame shape (Y, X) that it must have.
        positive: refuse values of zero and below (gain); otherwise any finite value goes (offset, variance).

    Returns:
        The map (y, x), float32, in the file's unit.

    Raises:
        DataError: no such image, another shape, NaN or infinite values, or values that are not positive.
    """
    path = Path(path)
    raw = open_any(path)
    try:
        if raw.stack.frames.size != 1 or raw.source.shape != tuple(shape):
            found = f"{raw.stack.frames.size} image(s) of {raw.source.shape[0]} x {raw.source.shape[1]} pixels"
            raise DataError(
                f"{path}: holds {found}, the frames have {shape[0]} x {shape[1]} pixels (rows x columns); "
                "cut the map to the same region of the camera"
            )
        values = np.empty((1, *raw.source.shape), raw.source.dtype)
        raw.source.read(raw.stack.frames.reshape(-1), values)
    finally:
        raw.source.close()
    with np.errstate(over="ignore"):
        result: npt.NDArray[np.float32] = values[0].astype(np.float32)
    bad = ~np.isfinite(result) | ((result <= 0) if positive else False)
    if bad.any():
        y, x = (int(i[0]) for i in np.nonzero(bad))
        allowed = "finite and above zero" if positive else "finite"
        raise DataError(
            f"{path}: {int(bad.sum())} pixels are not {allowed}, the first at y {y}, x {x} with "
            f"value {result[y, x]}; replace them by the median of their neighbours"
        )
    return result
