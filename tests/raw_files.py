"""Raw files as the writer makes them, in one call."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.files import RawWriter
from rdl_live.optics.geometry import UnitGeometry


def write_raw(
    path: str | Path,
    series: Iterable[npt.ArrayLike],
    geometry: UnitGeometry,
    pixel_size_um: float,
    *,
    channel_name: str = "channel 0",
    dtype: npt.DTypeLike = np.uint16,
    provenance: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    excitation_nm: float | None = None,
    emission_nm: float | None = None,
) -> None:
    """Write series (angle, phase, y, x), such as an array (T, A, P, Y, X) or a generator, to OME-TIFF.

    The arguments are those of `RawWriter`.

    Raises:
        OutputError: as `RawWriter`, or no series at all.
        ValueError: as `RawWriter`.
    """
    times = len(series) if isinstance(series, np.ndarray | list | tuple) else None
    rest = iter(series)
    first = np.asarray(next(rest, np.empty((0, 0, 0, 0))))
    with RawWriter(
        path,
        (times, *first.shape[-2:]),
        geometry,
        pixel_size_um,
        channel_name=channel_name,
        dtype=dtype,
        provenance=provenance,
        overwrite=overwrite,
        excitation_nm=excitation_nm,
        emission_nm=emission_nm,
    ) as writer:
        if first.size:
            writer.write(first)
        for one in rest:
            writer.write(one)
