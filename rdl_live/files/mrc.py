"""MRC files: MRC2014 and the DeltaVision-like headers of BioSR, rDL-SIM and OMX data.

Own parser of the 1024-byte header, because libraries for the 2014 standard refuse DeltaVision headers.
Sources: https://www.ccpem.ac.uk/mrc_format/mrc2014.php; the IVE/DeltaVision header as IMOD documents it.
"""

import struct
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.frame_source import FileFrames, RawFile, truncated
from rdl_live.files.stack import Axis, Stack

HEADER_BYTES = 1024
DV_MAGIC = -16224
IMOD_STAMP = 1146047817
ANGSTROM_UM = 1e-4
TYPES = {0: "i1", 1: "i2", 2: "f4", 4: "c8", 6: "u2", 12: "f2"}
"""Mode to number type. Mode 3 (complex integers) and 101 (4 bit) are in no use in light microscopy."""
DV_SEQUENCES = {
    0: (Axis.CHANNEL, Axis.TIME, Axis.Z),
    1: (Axis.TIME, Axis.Z, Axis.CHANNEL),
    2: (Axis.TIME, Axis.CHANNEL, Axis.Z),
}
"""Image sequence ZTW, WZT, ZWT (fastest first), here slowest first."""


@dataclass(frozen=True)
class MrcHeader:
    """What the header of an MRC file says."""

    shape: tuple[int, int, int]
    """Sections, rows, columns."""
    dtype: np.dtype[Any]
    """Number type in the file's byte order."""
    data_offset: int
    spacing: float | None
    """Distance of columns: [um] for images, [cycles/um] for the OTFs of DeltaVision-like files."""
    is_dv: bool
    times: int = 1
    wavelengths_nm: tuple[int, ...] = ()
    sequence: int = 0

    @property
    def data_bytes(self) -> int:
        """Bytes of all sections."""
        sections, rows, columns = self.shape
        return sections * rows * columns * self.dtype.itemsize


def is_mrc(head: bytes) -> bool:
    """Whether the first 1024 bytes of a file are an MRC header."""
    return _byte_order(head) is not None


def _byte_order(head: bytes) -> str | None:
    if len(head) < HEADER_BYTES:
        return None
    for order in "<>":
        nx, ny, nz, mode = struct.unpack_from(f"{order}4i", head)
        axes = struct.unpack_from(f"{order}3i", head, 64)
        marked = head[208:211] == b"MAP" or struct.unpack_from(f"{order}h", head, 96)[0] == DV_MAGIC
        sizes_fit = min(nx, ny, nz) > 0 and max(nx, ny) < 2**20 and 0 <= mode <= 101
        if sizes_fit and (marked or sorted(axes) == [1, 2, 3]):
            return order
    # A marked file with impossible sizes is an MRC file, to be refused as such and not as unknown.
    if head[208:212] == b"MAP ":
        return ">" if head[212:213] == b"\x11" else "<"
    for order in "<>":
        if struct.unpack_from(f"{order}h", head, 96)[0] == DV_MAGIC:
            return order
    return None


def read_mrc_header(path: Path) -> MrcHeader:
    """Parse and check the header against the size of the file.

    Raises:
        DataError: no MRC file, an unknown mode, impossible sizes, or a truncated file.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    order = _byte_order(head)
    if order is None:
        raise DataError(f"{path}: not an MRC file (no MRC or DeltaVision header in its first {HEADER_BYTES} bytes)")
    header = _parse(path, head, order)
    expected, found = header.data_offset + header.data_bytes, path.stat().st_size
    if found < expected:
        raise DataError(truncated(path, expected, found))
    return header


def _parse(path: Path, head: bytes, order: str) -> MrcHeader:
    def word(fmt: str, at: int) -> Any:
        return struct.unpack_from(order + fmt, head, at)[0]

    nx, ny, nz, mode = struct.unpack_from(f"{order}4i", head)
    if min(nx, ny, nz) < 1 or max(nx, ny) >= 2**20:
        raise DataError(f"{path}: MRC header with impossible sizes {nx} x {ny} x {nz}; the file is damaged")
    if mode not in TYPES:
        known = ", ".join(map(str, TYPES))
        raise DataError(f"{path}: MRC mode {mode} is not supported (only {known}); export the file as 16-bit TIFF")
    extended = word("i", 92)
    if extended < 0:
        raise DataError(f"{path}: MRC extended header of {extended} bytes; the file is damaged")
    is_dv = word("h", 96) == DV_MAGIC and head[208:211] != b"MAP"
    return MrcHeader(
        shape=(nz, ny, nx),
        dtype=_dtype(mode, order, is_dv, head),
        data_offset=HEADER_BYTES + extended,
        spacing=_spacing(head, order, nx, is_dv),
        is_dv=is_dv,
        times=max(word("h", 180), 1) if is_dv else 1,
        wavelengths_nm=_wavelengths(head, order) if is_dv else (),
        sequence=word("h", 182) if is_dv else 0,
    )


def _dtype(mode: int, order: str, is_dv: bool, head: bytes) -> np.dtype[Any]:
    if mode == 0:
        # Bytes are unsigned in DeltaVision files, and in IMOD's unless it says otherwise; signed in MRC2014.
        stamp, flags = struct.unpack_from(f"{order}2i", head, 152)
        unsigned = is_dv or (stamp == IMOD_STAMP and not flags & 1)
        return np.dtype("u1" if unsigned else "i1")
    return np.dtype(order + TYPES[mode])


def _spacing(head: bytes, order: str, nx: int, is_dv: bool) -> float | None:
    mx = struct.unpack_from(f"{order}i", head, 28)[0]
    cell = struct.unpack_from(f"{order}f", head, 40)[0]
    spacing = cell if is_dv else cell / (mx if mx > 0 else nx) * ANGSTROM_UM
    # MRC2014 writers without calibration leave 0 or 1 angstrom a pixel, no light microscope's.
    believable = isfinite(spacing) and (0 < spacing < 100 if is_dv else 1e-3 < spacing < 100)
    # The header has single precision: 0.0626 and not 0.0626000017.
    return float(f"{spacing:.7g}") if believable else None


def _wavelengths(head: bytes, order: str) -> tuple[int, ...]:
    count = struct.unpack_from(f"{order}h", head, 196)[0]
    return struct.unpack_from(f"{order}5h", head, 198)[: max(0, min(count, 5))]


def open_mrc(path: Path) -> RawFile:
    """Open an MRC file of raw frames.

    Raises:
        DataError: as `read_mrc_header`, or complex data.
    """
    header = read_mrc_header(path)
    if header.dtype.kind == "c":
        raise DataError(f"{path}: holds complex numbers (MRC mode 4: an OTF?), raw camera frames are real")
    sections, rows, columns = header.shape
    frame_bytes = rows * columns * header.dtype.itemsize
    offsets: npt.NDArray[np.int64] = header.data_offset + np.arange(sections, dtype=np.int64) * frame_bytes
    return RawFile(
        FileFrames(path, offsets, (rows, columns), header.dtype), _stack(header), header.spacing, _labels(header)
    )


def _labels(header: MrcHeader) -> tuple[ChannelLabel, ...]:
    """Return the colours by their wavelengths, of the emission as a rule; a few files have none, or zeros."""
    if not any(wavelength > 0 for wavelength in header.wavelengths_nm):
        return ()
    return tuple(
        ChannelLabel(f"{wavelength} nm", emission_nm=float(wavelength)) if wavelength > 0 else ChannelLabel("")
        for wavelength in header.wavelengths_nm
    )


def _stack(header: MrcHeader) -> Stack:
    sections, waves = header.shape[0], max(len(header.wavelengths_nm), 1)
    if not header.is_dv or sections % (header.times * waves) or header.times * waves == 1:
        return Stack.in_order((Axis.FRAME,), (sections,))
    sizes = {Axis.TIME: header.times, Axis.CHANNEL: waves, Axis.Z: sections // (header.times * waves)}
    axes = DV_SEQUENCES.get(header.sequence, DV_SEQUENCES[0])
    return Stack.in_order(axes, tuple(sizes[axis] for axis in axes))
