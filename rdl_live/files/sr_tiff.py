"""Super-resolved results as OME-TIFF, with how they were made; and reading that again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files._guard import naming, reading
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.ome_document import PROVENANCE_NAMESPACE, OmeDescription
from rdl_live.files.ome_xml import parse_xml
from rdl_live.files.page_writer import OmeTiffFile, PageWriter, as_pages, pending_tiff
from rdl_live.files.tiff_pages import TiffLayout, description_of


class SrWriter(OmeTiffFile):
    """Writes super-resolved images (Y, X) or (T, Y, X) of any SR factor one by one, holding one at a time.

    A context manager: the file appears, whole, when the block ends well, and not at all otherwise.
    """

    def __init__(
        self,
        path: str | Path,
        shape: tuple[int | None, int, int],
        pixel_size_um: float,
        channel_name: str,
        provenance: Mapping[str, Any],
        overwrite: bool = False,
        *,
        excitation_nm: float | None = None,
        emission_nm: float | None = None,
        planes: int = 1,
    ) -> None:
        """Check that the file can be written, and start it.

        Args:
            path: a name that ends in .tif or .tiff.
            shape: time points T, Y, X; T None if only the end will tell.
            pixel_size_um: pixel of the super-resolved image [um].
            channel_name: name of the colour.
            provenance: how the image was made; anything that JSON holds, NumPy arrays too.
            overwrite: replace an existing file.
            excitation_nm: excitation wavelength, if known.
            emission_nm: emission wavelength, if known.
            planes: of a z stack; the images of a time point follow one another, and T counts all of them.

        Raises:
            OutputError: as `check_output`.
        """
        times, rows, columns = shape
        self.provenance: dict[str, Any] = dict(provenance)
        """May be added to until the block ends (times taken, warnings)."""
        self._shape = (rows, columns)
        label = ChannelLabel(channel_name, excitation_nm, emission_nm)

        def describe(n: int) -> OmeDescription:
            z = planes if n % planes == 0 else 1
            return OmeDescription(
                n // z, rows, columns, "float32", pixel_size_um, label, size_z=z, provenance=self.provenance
            )

        self._pages = PageWriter(pending_tiff(path, overwrite), describe, times)

    def write(self, image: npt.ArrayLike) -> None:
        """Append the image (Y, X) of the next time point, photons per raw pixel area, stored as float32.

        Raises:
            ValueError: another shape than announced.
            DataError: NaN or infinity.
            OutputError: the disk refuses.
        """
        if not np.isfinite(image).all():
            raise DataError("the super-resolved image has NaN or infinite values, which are never saved")
        self._pages.write(as_pages(image, self._shape, np.dtype(np.float32), "super-resolved image"))


def read_provenance(path: str | Path) -> dict[str, Any]:
    """Return the provenance that `SrWriter` or `RawWriter` put into a file, empty if there is none.

    Raises:
        DataError: no TIFF file, or a damaged one.
    """
    path = Path(path)
    with reading(path, "TIFF"), path.open("rb") as file:
        _, tags = next(TiffLayout(path, file).pages(), (None, {}))
    description = description_of(tags)
    if not description.endswith(b"OME>"):
        return {}
    with naming(path):
        root = parse_xml(description)
        try:
            return {
                entry.attrib["K"]: json.loads(entry.text or "null")
                for annotation in root.iter()
                if annotation.get("Namespace") == PROVENANCE_NAMESPACE
                for entry in annotation.iter()
                if "K" in entry.attrib
            }
        except (ValueError, RecursionError) as error:
            raise DataError(f"its provenance is damaged ({error})") from error
