"""Raw series as OME-TIFF whose angles and phases are named.

Scheme ("6D, 7D and 8D storage" of the OME model documentation), dimension order XYZTC: the slower of angle
and phase is the modulo of T (T = time x angle), the faster one that of Z (Z = phase, no real z). So the
planes lie in `UnitGeometry.order`, a reader that knows no Modulo annotation sees them in that order too,
and time points can be appended.
tifffile reads the file as (T, angle, phase, y, x), or (T, phase, angle, y, x).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.ome_document import PIXEL_TYPES, OmeDescription
from rdl_live.files.page_writer import OmeTiffFile, PageWriter, as_pages, pending_tiff
from rdl_live.optics.microscope import SeriesOrder, UnitGeometry


class RawWriter(OmeTiffFile):
    """Writes raw series (angle, phase, y, x) one by one, holding one of them at a time.

    A context manager: the file appears, whole, when the block ends well, and not at all otherwise.
    """

    def __init__(
        self,
        path: str | Path,
        shape: tuple[int | None, int, int],
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
        """Check that the file can be written, and start it.

        Args:
            path: a name that ends in .tif or .tiff.
            shape: time points T, Y, X; T None if only the end will tell.
            geometry: angles and phases of a series, and the order in which frames are stored.
            pixel_size_um: camera pixel in the sample plane [um].
            channel_name: name of the colour.
            dtype: number type that is stored; 64-bit integers have no place in OME-TIFF.
            provenance: how the series was made; anything that JSON holds, NumPy arrays too.
            overwrite: replace an existing file.
            excitation_nm: excitation wavelength, if known.
            emission_nm: emission wavelength, if known.

        Raises:
            OutputError: as `check_output`.
            ValueError: a number type that OME-TIFF does not have.
        """
        times, rows, columns = shape
        self.provenance: dict[str, Any] = dict(provenance or {})
        """May be added to until the block ends."""
        self._dtype = np.dtype(dtype)
        if self._dtype.name not in PIXEL_TYPES:
            raise ValueError(f"OME-TIFF has no number type {self._dtype}; use one of {', '.join(PIXEL_TYPES)}")
        self._phase_fastest = geometry.series_order is SeriesOrder.ANGLE_PHASE
        self._shape = (geometry.angles, geometry.phases, rows, columns)
        label = ChannelLabel(channel_name, excitation_nm, emission_nm)
        kinds = [("angle", geometry.angles), ("phase", geometry.phases)]
        slow, fast = kinds if self._phase_fastest else kinds[::-1]

        def describe(n: int) -> OmeDescription:
            return OmeDescription(
                size_t=n * slow[1],
                size_y=rows,
                size_x=columns,
                dtype=self._dtype.name,
                pixel_size_um=pixel_size_um,
                channel=label,
                size_z=fast[1],
                modulo={"T": slow, "Z": fast},
                provenance=self.provenance,
            )

        self._pages = PageWriter(pending_tiff(path, overwrite), describe, times)

    def write(self, series: npt.ArrayLike) -> None:
        """Append the series (angle, phase, y, x) [ADU] of the next time point; real numbers are rounded.

        Raises:
            ValueError: another shape than announced, or values that the number type cannot hold.
            OutputError: the disk refuses.
        """
        array = np.asarray(series)
        if array.shape != self._shape:
            raise ValueError(f"series of shape {array.shape}, {self._shape} was announced")
        ordered = array if self._phase_fastest else array.swapaxes(0, 1)
        self._pages.write(as_pages(ordered, ordered.shape, self._dtype, "series"))
