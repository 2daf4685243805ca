"""Frames on their way to where they are computed: to a graphics card one by one, while the camera takes the next.

When the last frame of a series has come, all others are there already. The camera's numbers are sent as they are (half
the bytes of float32), and become photons there. Memory that the driver knows (pinned) is copied without the
processor, and several times as fast.
"""

import logging
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rdl_live.optics.microscope import Camera
from rdl_live.optics.noise import CameraMaps, to_photons
from rdl_live.stream.series import Frame

_LOG = logging.getLogger(__name__)
_TYPES = {np.dtype(np.uint8): torch.uint8, np.dtype(np.uint16): torch.uint16}
"""Numbers that are sent as they are."""


class Upload:
    """Buffers for series, and their twins on the device. Belongs to one thread."""

    def __init__(
        self,
        device: torch.device,
        shape: tuple[int, int, int, int],
        dtype: npt.DTypeLike,
        *,
        twins: bool | None = None,
    ) -> None:
        """Prepare.

        Args:
            device: where series are computed; a processor has no twins.
            shape: (A, P, y, x) of a series.
            dtype: of the camera's pixels.
            twins: whether buffers have twins; by default where the device has a memory of its own.
        """
        self._has_twins = device.type != "cpu" if twins is None else twins
        self._device, self._shape, self._dtype = device, shape, np.dtype(dtype)
        self._twins: dict[int, Tensor] = {}
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def buffer(self) -> Frame:
        """Return a new buffer for a series, which lives as long as this object."""
        frames: Frame = np.zeros(self._shape, self._dtype)
        if self._has_twins and self._dtype in _TYPES:
            pin(frames, self._device)
            self._twins[id(frames)] = torch.zeros(self._shape, dtype=_TYPES[self._dtype], device=self._device)
        return frames

    def sent(self, frames: Frame, slot: tuple[int, int]) -> None:
        """Begin to send a frame that has come into a buffer.

        A buffer is filled anew only when its series is over; whatever is still under way then is overtaken, in order.
        """
        twin = self._twins.get(id(frames))
        if twin is not None:
            with self._aside():
                twin[slot].copy_(torch.from_numpy(frames[slot]), non_blocking=True)

    def photons(self, frames: Frame, camera: Camera, maps: CameraMaps | None) -> Tensor:
        """Return photons, float32 on the device, of a series in a buffer, or of any other frames."""
        twin = self._twins.get(id(frames))
        if twin is None:
            return to_photons(torch.from_numpy(frames).to(self._device), camera, maps)
        if self._stream is not None:
            torch.cuda.current_stream(self._device).wait_stream(self._stream)
        return to_photons(twin, camera, maps)

    def _aside(self) -> AbstractContextManager[object]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)


def pin(memory: npt.NDArray[np.generic], device: torch.device) -> bool:
    """Have a graphics card's driver know this memory; return whether it does. It works without, more slowly."""
    if device.type != "cuda":
        return False
    code = int(torch.cuda.cudart().cudaHostRegister(memory.ctypes.data, memory.nbytes, 0))  # type: ignore[no-untyped-call]
    if code != 0:
        _LOG.info("%d bytes could not be pinned (CUDA error %d): they are copied more slowly", memory.nbytes, code)
    return code == 0
