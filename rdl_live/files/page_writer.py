"""Writes the pages of one OME-TIFF one after the other, and the file appears only when it is whole."""

import uuid
from collections.abc import Callable
from math import prod
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import tifffile

from rdl_live.errors import OutputError
from rdl_live.files.ome_document import OmeDescription
from rdl_live.files.outputs import PendingFile, writing_failed

CLASSIC_LIMIT = int(3.9 * 2**30)
"""Bytes of pixels beyond which a file is written as BigTIFF: 32-bit offsets end at 4 GiB."""
SUFFIXES = (".tif", ".tiff")


class PageWriter:
    """An OME-TIFF in the making.

    `describe(time points)` gives its description, once for the plan and once for what was written.
    """

    def __init__(
        self,
        pending: PendingFile,
        describe: Callable[[int], OmeDescription],
        times: int | None,
    ) -> None:
        """Start the file.

        Args:
            pending: where to.
            describe: the file's description, given the number of time points.
            times: number of time points, None if only the end will tell.
        """
        self._pending, self._describe, self._times = pending, describe, times
        self._id = uuid.uuid4()
        self._written = 0
        try:
            self._start(describe(times or 1))
        except OSError as error:
            pending.discard()
            raise writing_failed(pending.path, error) from error
        except BaseException:
            pending.discard()
            raise

    def _start(self, plan: OmeDescription) -> None:
        planes = plan.planes
        self._pages_per_time = max(planes // (self._times or 1), 1)
        size = planes * plan.size_y * plan.size_x * np.dtype(plan.dtype).itemsize
        self._first_xml = plan.to_xml(self._id)
        pixel = plan.pixel_size_um
        self._resolution: dict[str, Any] = (
            {} if pixel is None else {"resolution": (1e4 / pixel,) * 2, "resolutionunit": "CENTIMETER"}
        )
        big = self._times is None or size > CLASSIC_LIMIT
        self._tiff = tifffile.TiffWriter(self._pending.temporary, bigtiff=big, ome=False, shaped=False)

    def write(self, pages: npt.NDArray[Any]) -> None:
        """Append pages (n, y, x).

        Raises:
            OutputError: the disk refuses.
        """
        try:
            for page in pages:
                self._tiff.write(
                    page,
                    photometric="minisblack",
                    metadata=None,
                    description=self._first_xml if self._written == 0 else None,
                    software=False,
                    **self._resolution,
                )
                self._written += 1
        except OSError as error:
            raise writing_failed(self._pending.path, error) from error

    def finish(self) -> None:
        """Complete the description and put the file in place.

        Raises:
            OutputError: not as many time points as announced were written, or none; or the disk refuses.
        """
        self._tiff.close()
        times, loose = divmod(self._written, self._pages_per_time)
        if loose or not times or times != (self._times or times):
            raise OutputError(
                f"{self._pending.path}: {times} of {self._times or 'at least 1'} time points were written; "
                "the file would be incomplete, so none was left behind"
            )
        try:
            xml = self._describe(times).to_xml(self._id)
            if xml != self._first_xml:
                with tifffile.TiffFile(self._pending.temporary, mode="r+", is_ome=False) as tiff:
                    tiff.pages.first.tags["ImageDescription"].overwrite(xml)
        except OSError as error:
            raise writing_failed(self._pending.path, error) from error
        self._pending.commit()

    def abort(self) -> None:
        """Leave nothing behind."""
        try:
            self._tiff.close()
        finally:
            self._pending.discard()


class OmeTiffFile:
    """A context manager around a `PageWriter`: the file is there if the block ended well, and only then."""

    _pages: PageWriter

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        """Put the file in place, or leave nothing behind if the block raised."""
        if kind is not None:
            self._pages.abort()
            return
        try:
            self._pages.finish()
        except BaseException:
            self._pages.abort()
            raise


def pending_tiff(path: Any, overwrite: bool) -> PendingFile:
    """Return the pending file for an OME-TIFF.

    Raises:
        OutputError: the name is not that of a TIFF file, or as `check_output`.
    """
    if not str(path).lower().endswith(SUFFIXES):
        raise OutputError(f"{path}: a TIFF file is written, so its name must end in .tif or .tiff")
    return PendingFile(path, overwrite)


def as_pages(frames: npt.ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any], what: str) -> npt.NDArray[Any]:
    """Return one time point of `shape` (..., y, x) as pages (n, y, x) of `dtype`.

    Raises:
        ValueError: another shape; or values that an integer `dtype` cannot hold.
    """
    array = np.asarray(frames)
    if array.shape != shape:
        raise ValueError(f"{what} of shape {array.shape}, {shape} was announced")
    if dtype.kind in "iu" and array.dtype != dtype:
        limits = np.iinfo(dtype)
        if not np.all((array >= limits.min) & (array <= limits.max)):  # NaN too fails this
            raise ValueError(f"{what} holds values that {dtype} cannot: {array.min()} to {array.max()}")
        if array.dtype.kind == "f":
            array = np.rint(array)
    return np.ascontiguousarray(array, dtype).reshape(prod(shape[:-2]), *shape[-2:])
