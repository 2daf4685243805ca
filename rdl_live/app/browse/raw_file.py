"""A raw file, of another program or exported by this one, as something to browse."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files.raw import RawRecording, RawRequest, open_raw, request_for
from rdl_live.files.recorder.layout import ImageAddress
from rdl_live.files.sr_tiff import read_provenance
from rdl_live.optics.microscope import Microscope
from rdl_live.view.browse.source import Sizes, Stored, Where


@dataclass
class FileSource:
    """A raw file."""

    path: Path
    microscope: Microscope | None
    reading: RawRequest = field(default_factory=RawRequest)
    sizes: Sizes = field(init=False)
    notes: tuple[str, ...] = field(init=False)
    provenance: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        """Open it.

        Raises:
            DataError: it cannot be read, or does not fit the microscope.
        """
        assert self.microscope is not None  # `open_source` asks for one
        scope = self.microscope
        recording = open_raw(self.path, scope.pattern, request_for(scope.channels, None, self.reading))
        first = recording.index(0).channel
        self._open: dict[int, RawRecording] = {first: recording}
        _, angles, phases, rows, columns = recording.shape
        positions, times, planes = recording.grid
        names = tuple(recording.channel_names) or ((recording.channel or scope.channels[0]).name,)
        self.notes = (*recording.notes, *([recording.assumed] if recording.assumed else []))
        self.provenance = _provenance(self.path)
        pixel = scope.optics.pixel_size_um
        places = tuple(recording.positions)
        self.sizes = Sizes(
            times, positions, names, planes, angles, phases, (rows, columns), pixel, position_names=places
        )

    def series(self, where: Where) -> npt.NDArray[Any]:
        """Return raw ADU (angle, phase, y, x)."""
        assert self.microscope is not None
        if where.channel not in self._open:
            request = replace(self.reading, channel=where.channel)
            self._open[where.channel] = open_raw(self.path, self.microscope.pattern, request)
        _, times, planes = self._open[where.channel].grid
        return self._open[where.channel][(where.position * times + where.time) * planes + where.z]

    def stored(self, where: Where) -> Stored | None:
        """Other programs' images are not read."""
        del where
        return None

    def flags(self, image: ImageAddress) -> npt.NDArray[np.int64]:
        """Nothing is flagged in such files."""
        del image
        return np.zeros((self.sizes.times, self.sizes.angles, self.sizes.phases), np.int64)

    def has_stored(self, image: ImageAddress) -> npt.NDArray[np.bool_]:
        """There are none."""
        del image
        return np.zeros(self.sizes.times, np.bool_)

    def about(self, where: Where) -> Mapping[str, Any]:
        """Nothing is known of single series."""
        del where
        return {}

    def close(self) -> None:
        """Close the file."""
        for recording in self._open.values():
            recording.close()


def _provenance(path: Path) -> Mapping[str, Any]:
    """Return how a TIFF file was made, if this program made it; what other files hold is not needed to show them."""
    try:
        return read_provenance(path)
    except DataError:
        return {}
