"""Work on a graphics card, recorded once and played back: a CUDA graph.

A series of 512 x 512 takes some three hundred small kernels. Started one by one from Python they take longer to start
than to compute; played back as one graph they follow each other without a gap
(https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs). The recording holds addresses, so what goes in is
copied to where it was recorded, and what comes out is copied from there.

What cannot be recorded, or comes out differently, is computed kernel by kernel as before, and the log says why. So it
is with `RDL_LIVE_GRAPHS=0` in the environment.
"""

import logging
import os
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

SWITCH = "RDL_LIVE_GRAPHS"
"""Environment variable; "0" records nothing."""
TOLERANCE = 1e-3
"""Largest difference between played back and computed, relative to the largest value: sums in another order."""
_WARM = 2
"""Runs before the recording, in which libraries choose their algorithms and take their memory."""
_LOG = logging.getLogger(__name__)

Tensors = tuple[Tensor | None, ...]
Work = Callable[[Tensor], Tensors]


class Recording(Protocol):
    """Work that was recorded."""

    def __call__(self) -> None:
        """Play it back: reads what went in, writes what came out, where they lay when it was recorded."""


Record = Callable[[Work, Tensor], tuple[Recording, Tensors]]
"""Records work on this input; returns how to play it back, and where its results lie then."""


class Graphed:
    """Work of one input, recorded at the first call. Belongs to one thread."""

    def __init__(self, work: Work, record: Record | None = None) -> None:
        """Prepare.

        Args:
            work: gives the same shapes and types each time, asks for no values on its way (what depends on a value
                cannot be recorded), and changes nothing but what it returns.
            record: how to record; by default as a CUDA graph.
        """
        self._work, self._record = work, record or record_cuda
        self._input: Tensor | None = None
        self._outputs: Tensors = ()
        self._play: Recording | None = None
        self._given_up = os.environ.get(SWITCH) == "0"

    def __call__(self, x: Tensor) -> Tensors:
        """Return what `work` gives for `x`: tensors of its own."""
        if self._given_up:
            return self._work(x)
        if self._play is None or self._input is None:
            return self._begin(x)
        if x.shape != self._input.shape or x.dtype != self._input.dtype:
            return self._work(x)
        self._input.copy_(x)
        self._play()
        return _copies(self._outputs)

    def _begin(self, x: Tensor) -> Tensors:
        """Compute, record, and compare."""
        right = self._work(x)
        try:
            self._input = x.clone()
            play, self._outputs = self._record(self._work, self._input)
            play()
            difference = _difference(self._outputs, right)
            if not difference <= TOLERANCE:
                raise RuntimeError(f"its result differs by {difference:.2g} of the largest value")
        except RuntimeError as error:
            self._given_up, self._input, self._outputs = True, None, ()
            if x.is_cuda:
                torch.cuda.empty_cache()
            first = str(error).partition("\n")[0]
            _LOG.warning("no CUDA graph (%s): kernels are started one by one, slower, with the same result", first)
        else:
            self._play = play
        return right


def record_cuda(work: Work, x: Tensor) -> tuple[Recording, Tensors]:
    """Record work as a CUDA graph.

    Raises:
        RuntimeError: torch's, where something in it cannot be recorded or the memory does not suffice.
    """
    # On a stream of its own, as torch wants it for what is to be recorded.
    side = torch.cuda.Stream(x.device)  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream(x.device))
    with torch.cuda.stream(side):
        for _ in range(_WARM):
            work(x)
    torch.cuda.current_stream(x.device).wait_stream(side)
    # The recording has memory of its own, which cannot be taken from what lies ready for others.
    torch.cuda.synchronize(x.device)
    torch.cuda.empty_cache()
    graph = torch.cuda.CUDAGraph()
    # Patterns are estimated in another thread meanwhile, which may do what a recording must not.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        outputs = work(x)
    return graph.replay, outputs


def _copies(tensors: Tensors) -> Tensors:
    return tuple(None if one is None else one.clone() for one in tensors)


def _difference(found: Tensors, right: Tensors) -> float:
    """Return the largest difference, relative to the largest value of each."""
    most = 0.0
    for mine, its in zip(found, right, strict=True):
        if mine is not None and its is not None:
            scale = max(float(its.abs().max()), 1e-30)
            off = float((mine - its).abs().max()) / scale
            most = max(most, off) if off == off else float("nan")
            if most != most:
                return most
    return most
