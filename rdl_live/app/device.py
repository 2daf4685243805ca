"""Which processor to compute on."""

import torch

from rdl_live.errors import DeviceError


def choose_device(name: str) -> torch.device:
    """Return the device for "auto", "cpu" or "cuda".

    Raises:
        DeviceError: a GPU is asked for and there is none, or another name.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise DeviceError(f"--device {name!r}: choose auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise DeviceError("--device cuda: no NVIDIA GPU can be used here; take --device cpu, and see `rdl-live doctor`")
    return torch.device(name)
