"""The denoiser's convolutions by `ncnn`, where it is installed (extra `fast`): quicker on a CPU.

torch convolves directly and as fast as the processor multiplies. ncnn multiplies less: minimal filtering (Winograd;
Lavin and Gray 2016, arXiv:1509.09308) needs 36 or 64 multiplications for 16 or 36 values where 3 x 3 taps need 144 or
324. All in float32; images differ from torch's by some 3e-6 of their largest value. The shipped network on one thread
of an AVX2 processor: 138 -> 85 ms a series of 256 x 256, 536 -> 375 ms of 512 x 512 (`make bench ARGS=denoise`).

ncnn keeps its workspace from one image to the next: 0.65 GB for 1024 x 1024, where torch takes 0.45 GB each time.

torch computes as before on GPUs, in bfloat16, where gradients flow, without ncnn, with `RDL_LIVE_NCNN=0` in the
environment, and if ncnn fails or differs in a trial, which is logged. ncnn is loaded after torch: on Linux it then
finds torch's OpenMP threads and starts none of its own, which would be in their way.
"""

import ctypes
import logging
import os
from functools import cache
from importlib import import_module
from typing import Any, Self

import torch
from torch import Tensor, nn

from rdl_models.ncnn_format import CELLS, RESIDUAL, TOLD, Drawing
from rdl_models.object_plane import ObjectPlane

SWITCH = "RDL_LIVE_NCNN"
"""Environment variable; "0" leaves everything to torch, in worker processes as well."""
TOLERANCE = 1e-4
"""Largest difference to torch in a trial, relative to the largest value."""
_TRIAL_CELLS = 20
_OUT_OF_MEMORY = -100
_LOG = logging.getLogger(__name__)


class QuickHeads:
    """What both heads of an `ObjectPlane` say of cells, by ncnn; see `object_plane.Heads`.

    Prepared at the first call, and again when the network's parameters or torch's number of threads have changed (some
    20 ms). Several threads may call it; Python goes on meanwhile. A copy, also in another process, prepares anew.
    """

    def __init__(self) -> None:
        self._net: Any = None
        self._made_of: tuple[int, ...] = ()
        self._failed = False

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        """Copies share nothing: what ncnn holds can be neither copied nor sent."""
        return type(self), ()

    def takes(self, network: ObjectPlane, cells: Tensor) -> bool:
        """Whether these cells can be computed here: on the CPU, in float32, without gradients."""
        if self._failed or torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
            return False
        return cells.device.type == "cpu" and cells.dtype is torch.float32 and self._prepared(network)

    def __call__(self, cells: Tensor, *, spread: bool) -> tuple[Tensor, Tensor | None]:
        """Compute, after `takes` has said yes.

        Args:
            cells: (n, channels, rows, columns) float32.
            spread: whether the second head is asked.

        Returns:
            What the heads say, each (n, 16, rows, columns) float32; None for the second one if it is not asked.

        Raises:
            RuntimeError: the memory does not suffice, in the words of torch; or ncnn fails.
        """
        names = (RESIDUAL, TOLD) if spread else (RESIDUAL,)
        found = [torch.stack(each) for each in zip(*(_run(self._net, one, names) for one in cells), strict=True)]
        return found[0], found[1] if spread else None

    def give_back(self) -> None:
        """Free the workspace, and the network with it."""
        self._net = None

    def _prepared(self, network: ObjectPlane) -> bool:
        """Make ncnn's network unless it is there; False, and the reason in the log, where that fails."""
        state = _state(network)
        if self._net is not None and state == self._made_of:
            return True
        ncnn = _ncnn()
        if ncnn is None:
            self._failed = True
            return False
        try:
            net = _made(ncnn, network)
            _try_out(net, network)
        except (RuntimeError, TypeError, AttributeError) as error:  # AttributeError: a version without what we call
            self._failed = True
            _LOG.warning("ncnn cannot compute the denoiser (%s): torch does, slower, with the same result", error)
            return False
        self._net, self._made_of = net, state
        return True


def installed() -> bool:
    """Whether ncnn is here, works and is not switched off."""
    return _ncnn() is not None


def _ncnn() -> Any:
    return None if os.environ.get(SWITCH) == "0" else _loaded()


@cache
def _loaded() -> Any:
    """Return the module, or None, with the reason in the log if it is there but broken."""
    try:
        return import_module("ncnn")
    except ModuleNotFoundError as error:
        if error.name == "ncnn":
            _LOG.debug("ncnn is not installed: torch computes the denoiser")
            return None
        reason: Exception = error
    except (ImportError, OSError) as error:
        reason = error
    _LOG.warning("ncnn cannot be loaded (%s): torch computes the denoiser; pip install --force-reinstall ncnn", reason)
    return None


def quicken(network: nn.Module) -> None:
    """Let a loaded network of the object plane compute its heads here."""
    if isinstance(network, ObjectPlane):
        network.quick = QuickHeads()


def _state(network: ObjectPlane) -> tuple[int, ...]:
    """Return what the preparation depends on."""
    tensors = list(network.parameters())
    # Optimizers and load_state_dict count the version up (in inference mode there is none); `.to` changes the place.
    versions = [0 if one.is_inference() else one._version for one in tensors]
    return (torch.get_num_threads(), *versions, *(one.data_ptr() for one in tensors))


def _made(ncnn: Any, network: ObjectPlane) -> Any:
    drawing = Drawing()
    drawing.network(network)
    net = ncnn.Net()
    # Kernels are chosen for a number of threads while they are loaded.
    net.opt.num_threads = torch.get_num_threads()
    # By default ncnn computes in float16 where the chip can.
    for name in ("use_fp16_arithmetic", "use_fp16_storage", "use_fp16_packed", "use_bf16_storage"):
        setattr(net.opt, name, False)
    if net.load_param_mem(drawing.text()) != 0 or net.load_model(_reader(ncnn, drawing.weights())) != 0:
        raise RuntimeError("it does not take the network")
    return net


def _reader(ncnn: Any, data: bytes) -> Any:
    """Return a `DataReader` of ncnn that reads from memory; it copies, so the data may go afterwards."""
    place = 0

    def read(_: object, buffer: object, size: int) -> int:
        nonlocal place
        size = min(size, len(data) - place)
        ctypes.memmove(_address(buffer, None), data[place : place + size], size)
        place += size
        return size

    return type("_Reader", (ncnn.DataReader,), {"read": read})()


_address = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
"""ncnn hands its buffers over as capsules."""


def _run(net: Any, cells: Tensor, names: tuple[str, ...]) -> list[Tensor]:
    """Return what heads say of cells (channels, rows, columns), each (16, rows, columns)."""
    ncnn = _loaded()
    source = cells.contiguous().numpy()
    extractor = net.create_extractor()
    extractor.input(CELLS, ncnn.Mat(source))
    found = []
    for name in names:
        code, blob = extractor.extract(name)
        if code == _OUT_OF_MEMORY:
            raise RuntimeError("ncnn: can't allocate memory for the denoiser")
        if code != 0:
            raise RuntimeError(f"ncnn: the denoiser fails with code {code}")
        # A copy: the blob's memory belongs to the network and must not outlive it.
        found.append(torch.from_numpy(blob.numpy().copy()))
    return found


@torch.no_grad()
def _try_out(net: Any, network: ObjectPlane) -> None:
    """Compute a little as torch does, too.

    Raises:
        RuntimeError: ncnn fails, or the results differ.
    """
    spread = network.spread is not None
    size = (network.stem.in_channels, _TRIAL_CELLS, _TRIAL_CELLS)
    cells = torch.rand(size, generator=torch.Generator().manual_seed(1)) - 0.5
    wanted = [one[0] for one in network.by_torch(cells[None], spread=spread) if one is not None]
    found = _run(net, cells, (RESIDUAL, TOLD)[: len(wanted)])
    for mine, right in zip(found, wanted, strict=True):
        difference = float((mine - right).abs().max())
        if not difference <= TOLERANCE * float(right.abs().max()):
            raise RuntimeError(f"its result differs from torch's by {difference:g}")
