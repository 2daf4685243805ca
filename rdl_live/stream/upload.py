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
ALREADY_PINNED = 712
"""CUDA's cudaErrorHostMemoryAlreadyRegistered."""


class Upload:
    """Twins of series' memory on the device. Belongs to one thread."""

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
            twins: whether memory has twins; by default where the device has a memory of its own.
        """
        self._has_twins = device.type != "cpu" if twins is None else twins
        self._device, self._shape, self._dtype = device, shape, np.dtype(dtype)
        self._twins: dict[int, Tensor] = {}
        """By the address of a series' memory: the queue's blocks are the same ones again and again."""
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def sent(self, frames: Frame, slot: tuple[int, int]) -> None:
        """Begin to send a frame that has come into its series' memory.

        Memory is filled anew only when its series is over; whatever is still under way then is overtaken, in order.
        """
        twin = self._twin(frames)
        if twin is not None:
            with self._aside():
                twin[slot].copy_(torch.from_numpy(frames[slot]), non_blocking=True)

    def photons(self, frames: Frame, camera: Camera, maps: CameraMaps | None) -> Tensor:
        """Return photons, float32 on the device, of a series that was sent frame by frame, or of any other frames."""
        twin = self._twins.get(_address(frames)) if frames.shape == self._shape else None
        if twin is None:
            return to_photons(torch.from_numpy(frames).to(self._device), camera, maps)
        if self._stream is not None:
            torch.cuda.current_stream(self._device).wait_stream(self._stream)
        return to_photons(twin, camera, maps)

    def _twin(self, frames: Frame) -> Tensor | None:
        """Return the twin of a series' memory, made when the memory is first seen."""
        if not self._has_twins or self._dtype not in _TYPES or frames.shape != self._shape:
            return None
        address = _address(frames)
        if address not in self._twins:
            pin(frames, self._device)
            self._twins[address] = torch.zeros(self._shape, dtype=_TYPES[self._dtype], device=self._device)
        return self._twins[address]

    def _aside(self) -> AbstractContextManager[object]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)


def _address(frames: Frame) -> int:
    return int(frames.ctypes.data)


def pin(memory: npt.NDArray[np.generic], device: torch.device) -> bool:
    """Have a graphics card's driver know this memory; return whether it does. It works without, more slowly."""
    if device.type != "cuda":
        return False
    code = int(torch.cuda.cudart().cudaHostRegister(memory.ctypes.data, memory.nbytes, 0))  # type: ignore[no-untyped-call]
    if code not in (0, ALREADY_PINNED):
        _LOG.info("%d bytes could not be pinned (CUDA error %d): they are copied more slowly", memory.nbytes, code)
    return code in (0, ALREADY_PINNED)
