"""The recorder of super-resolved images."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files.recorder.drain import Limits
from rdl_live.files.recorder.layout import SrLayout
from rdl_live.files.recorder.sink import ChunkSink
from rdl_live.files.recorder.stream_recorder import StreamRecorder
from rdl_live.files.recorder.tags import FrameFlag, FrameTag, plain_metadata


class SrRecorder(StreamRecorder):
    """Records super-resolved images to OME-Zarr (t, y, x), float32, each with how it was made.

    Time points are those of the raw series; one that was dropped is a hole, marked in the journal.
    A context manager that closes at the end of the block.
    """

    def __init__(
        self,
        path: str | Path,
        layout: SrLayout,
        overwrite: bool = False,
        *,
        limits: Limits | None = None,
        on_warning: Callable[[str], None] | None = None,
        sink: ChunkSink | None = None,
    ) -> None:
        """Check place and space, and start an empty recording; see `StreamRecorder`.

        Raises:
            OutputError: the place cannot be written, or the recording will not fit on the disk.
        """
        super().__init__(path, layout, overwrite, limits=limits, on_warning=on_warning, sink=sink)

    def append(
        self,
        image: npt.NDArray[Any],
        time: int,
        *,
        timestamp_s: float | None = None,
        channel: int = 0,
        z: int = 0,
        position: int = 0,
        flags: FrameFlag = FrameFlag.NONE,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        """Take an image (y, x), photons per raw pixel area; it is copied, and stored as float32.

        Args:
            image: of the layout's size, without NaN.
            time: index of the raw series that it was made from.
            timestamp_s: of the raw series [s].
            channel: index of the colour.
            z: index of the plane.
            position: index of the stage position.
            flags: what is wrong with the raw series, if anything.
            provenance: patterns, quality, latency, warnings: anything that JSON holds.

        Raises:
            OutputError: an earlier write failed, the disk is full or too slow.
            DataError: NaN or infinity, another size, or a time point that is there already.
        """
        values = np.asarray(image, np.float32)
        if not np.isfinite(values).all():
            raise DataError(f"super-resolved image at time {time}: has NaN or infinite values; not stored")
        made = plain_metadata(provenance or {})
        tag = FrameTag(
            time,
            channel=channel,
            z=z,
            position=position,
            timestamp_s=timestamp_s,
            flags=flags & ~FrameFlag.MISSING,
            metadata=made,
        )
        self._put(tag, values)
