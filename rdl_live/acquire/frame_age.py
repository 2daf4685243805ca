"""Whether a frame was taken in the sequence in which it came: a driver may hand out one that it had left.

A frame of another size gives itself away, one of the same size only by its metadata: the start of the exposure by the
camera's clock (`hardware.camera.start_tag`) never runs backwards within a sequence. When the core received it
(`ElapsedTime-ms`) says nothing: drivers write that tag themselves, some from the sequence's beginning, some from its
first frame, and a good run must not end by it. Where a camera has no such clock, or it goes on from sequence to
sequence, nothing tells such a frame from others but `hardware.camera.frame_index_tag`.
"""

from collections.abc import Mapping
from typing import Any

from rdl_live.errors import DeviceError
from rdl_live.optics.hardware import CameraRole


class FrameAge:
    """Checks the frames of one sequence."""

    def __init__(self, camera: CameraRole) -> None:
        """Begin with a sequence of this camera."""
        self._camera = camera
        self._came, self._last_s = 0, float("-inf")

    def check(self, tags: Mapping[str, Any]) -> None:
        """Raise DeviceError for a frame that was taken before the one that came before it."""
        self._came += 1
        try:
            start_s = float(tags[self._camera.start_tag or ""])
        except (KeyError, TypeError, ValueError):
            return
        if start_s < self._last_s:
            raise DeviceError(
                f"{self._camera.device}: sent a frame of an earlier sequence: by {self._camera.start_tag} frame "
                f"{self._came} began {self._last_s - start_s:.3f} s before the one that came before it; restart the "
                "camera, and set hardware.camera.frame_index_tag if its driver counts its frames"
            )
        self._last_s = start_s
