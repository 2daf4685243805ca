"""NumPy arrays of every make as tensors."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def as_tensor(array: npt.NDArray[np.generic] | Tensor) -> Tensor:
    """Return a tensor of the same shape and number type; NumPy arrays are copied only where torch needs it.

    Torch takes no foreign byte order (MRC and TIFF files have it), no negative strides (mirrored views) and
    warns of arrays that are read-only (memory maps).
    """
    if isinstance(array, Tensor):
        return array
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return torch.from_numpy(native if native.flags.writeable else native.copy())
