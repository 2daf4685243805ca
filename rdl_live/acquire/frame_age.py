"""Whether a frame was taken in the sequence in which it came: a driver may hand out one that it had left.

A frame of another size gives itself away, one of the same size only by its metadata. The start of the exposure by the
camera's clock (`hardware.camera.start_tag`) never runs backwards within a sequence. Without it, the time since the
sequence began at which the core received the frame (Micro-Manager's own `ElapsedTime-ms`) says whether it can have been
exposed since. Where a camera gives neither, or its clock goes on from sequence to sequence, nothing tells such a frame
from others but `hardware.camera.frame_index_tag`.
"""

from collections.abc import Mapping
from typing import Any

from rdl_live.errors import DeviceError
from rdl_live.optics.hardware import CameraRole

ELAPSED = "ElapsedTime-ms"
LEAST_SHARE = 0.4
"""Of exposure and readout, which a first frame takes at least; what is left is for clocks that begin a little late."""
SHORTEST_S = 2e-3
"""Below this the core's clock is too coarse."""


class FrameAge:
    """Checks the frames of one sequence."""

    def __init__(self, camera: CameraRole, frame_s: float) -> None:
        """Begin with a sequence.

        Args:
            camera: its role.
            frame_s: exposure and readout of a frame [s].
        """
        self._camera, self._frame_s = camera, frame_s
        self._came, self._last_s = 0, float("-inf")

    def check(self, tags: Mapping[str, Any]) -> None:
        """Raise DeviceError for a frame that was taken before the sequence began, as far as its metadata show it."""
        elapsed_ms, start_s = _number(tags, ELAPSED), _number(tags, self._camera.start_tag)
        self._came += 1
        if self._came == 1 and start_s is None and elapsed_ms is not None and self._frame_s > SHORTEST_S:
            least_ms = 1e3 * LEAST_SHARE * self._frame_s
            if elapsed_ms < least_ms:
                raise self._stale(f"it came after {elapsed_ms:.1f} ms, and an exposure takes {1e3 * self._frame_s:.1f}")
        if start_s is not None:
            if start_s < self._last_s:
                raise self._stale(
                    f"by {self._camera.start_tag} frame {self._came} began {self._last_s - start_s:.3f} s before the "
                    "one that came before it"
                )
            self._last_s = start_s

    def _stale(self, why: str) -> DeviceError:
        return DeviceError(
            f"{self._camera.device}: sent a frame of an earlier sequence: {why}; restart the camera, and set "
            "hardware.camera.frame_index_tag if its driver counts its frames"
        )


def _number(tags: Mapping[str, Any], name: str | None) -> float | None:
    try:
        return None if name is None else float(tags[name])
    except (KeyError, TypeError, ValueError):
        return None
