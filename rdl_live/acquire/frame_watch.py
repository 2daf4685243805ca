"""What a frame of the camera may be wrong with, for the engine: its size, and how many exposures in a row failed."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from rdl_live.errors import DeviceError
from rdl_live.files.recorder import FrameTag
from rdl_live.optics.hardware import CameraRole

MISSING_IN_A_ROW = 3
"""So many failed exposures are no accident any more: the run ends."""


class FrameWatch:
    """Looks at each frame of a run. Belongs to the acquisition's thread."""

    def __init__(self, camera: CameraRole, *, placed: bool, frames_per_series: int) -> None:
        """Take the camera's role.

        Args:
            camera: its role.
            placed: a lost frame can be placed, so that no others of its series are lost with it.
            frames_per_series: raw frames of one series.
        """
        self._camera = camera
        self._failed_in_a_row = 0
        self._allowed_in_a_row = MISSING_IN_A_ROW * (1 if placed else frames_per_series)
        self.shape: tuple[int, int] | None = None
        """Pixels (y, x) that a frame must have, where that is known."""

    def came(self, frame: npt.NDArray[Any]) -> None:
        """Look at a frame.

        Raises:
            DeviceError: it has another size: of an earlier region, or of one that somebody else has set.
        """
        self._failed_in_a_row = 0
        if self.shape is None or frame.shape[:2] == self.shape:
            return
        (height, width), (high, wide) = frame.shape[:2], self.shape
        raise DeviceError(
            f"{self._camera.device}: sent a frame of {width} x {height} pixels, where {wide} x {high} are "
            "set; set the region only in the plan, and restart the camera if this comes again"
        )

    def missed(self, tag: FrameTag) -> None:
        """Count an exposure that failed.

        Raises:
            DeviceError: too many in a row.
        """
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= self._allowed_in_a_row:
            raise DeviceError(
                f"{self._camera.device}: {self._failed_in_a_row} exposures in a row failed, the last at {tag}; check "
                "the camera"
            )

    def skipped(self) -> None:
        """Count anew: the plan went on without a series."""
        self._failed_in_a_row = 0

    def start_s(self, tags: Mapping[str, Any], began_s: float) -> float | None:
        """Return the start of an exposure [s], by the camera's clock where it gives it; None if nothing is known.

        Args:
            tags: what the camera says of the frame.
            began_s: when its sequence began [s], by the clock of the run.
        """
        start = self._camera.start_tag
        try:
            if start is not None:
                return float(tags[start])
            return began_s + 1e-3 * float(tags["ElapsedTime-ms"])
        except (KeyError, ValueError):
            return None
