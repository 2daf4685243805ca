"""Recorded work: the same results, its own tensors, and never a wrong one for the sake of speed.

The recording itself is tested by `-m gpu`; here one that copies takes its place.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from rdl_live.optics import Microscope, to_photons
from rdl_live.restore import Restorer
from rdl_live.restore.graph import Graphed, Recording, Tensors, Work
from rdl_models import ObjectPlane, ObjectPlaneConfig, Weights

from .conftest import Recorder, card

ASKS = {"aten._local_scalar_dense.default", "aten.nonzero.default", "aten.masked_select.default", "aten.equal.default"}
"""What needs a value, for which a graphics card must stop; none of it can be recorded."""


class Played:
    """Records by remembering where things lie, as a graphics card does; may come out wrong or refuse."""

    def __init__(self, off: float = 0.0, refuses: bool = False) -> None:
        self.off, self.refuses, self.recorded, self.played = off, refuses, 0, 0

    def __call__(self, work: Work, x: Tensor) -> tuple[Recording, Tensors]:
        self.recorded += 1
        if self.refuses:
            raise RuntimeError("operation not permitted when stream is capturing\nmore")
        outputs = work(x)

        def play() -> None:
            self.played += 1
            for place, value in zip(outputs, work(x), strict=True):
                if place is not None and value is not None:
                    place.copy_(value + self.off)

        return play, outputs


def work(x: Tensor) -> Tensors:
    return x + 1, None, (2 * x).to(torch.complex64)


def test_what_is_played_back_is_what_would_be_computed() -> None:
    record = Played()
    graphed = Graphed(work, record)
    results = [(x, graphed(x)) for x in (torch.full((3,), float(value)) for value in range(4))]
    assert (record.recorded, record.played) == (1, 1 + 3)
    for x, (first, nothing, second) in results:  # none was overwritten by a later one
        assert first is not None
        assert second is not None
        assert nothing is None
        assert torch.equal(first, x + 1)
        assert torch.equal(second.real, 2 * x)


@pytest.mark.parametrize("record", [Played(off=0.1), Played(off=float("nan")), Played(refuses=True)])
def test_what_cannot_be_recorded_right_is_computed(record: Played, caplog: pytest.LogCaptureFixture) -> None:
    graphed = Graphed(work, record)
    for value in (1.0, 2.0):
        first, _, _ = graphed(torch.full((3,), value))
        assert first is not None
        assert torch.equal(first, torch.full((3,), value + 1))
    assert record.recorded == 1
    assert "no CUDA graph" in caplog.text
    assert "more" not in caplog.text


def test_other_shapes_and_types_are_computed() -> None:
    graphed = Graphed(work, Played())
    graphed(torch.zeros(3))
    for x in (torch.zeros(4), torch.zeros(3, dtype=torch.float64)):
        first, _, _ = graphed(x)
        assert first is not None
        assert torch.equal(first, x + 1)


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDL_LIVE_GRAPHS", "0")
    record = Played()
    Graphed(work, record)(torch.zeros(3))
    assert record.recorded == 0


class _Asks(TorchDispatchMode):
    """Notes what needs a value."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Callable[..., object], types: object, args=(), kwargs=None) -> object:  # type: ignore[no-untyped-def]
        if str(func) in ASKS:
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


def _restorer(scope: Microscope, record: Recorder) -> tuple[Restorer, Tensor, Tensor]:
    torch.manual_seed(0)
    network = ObjectPlane(ObjectPlaneConfig(width=8, blocks=1, spread=8, sampling=1.1)).eval().requires_grad_(False)
    series, other = record(20.0), record(35.0, seed=8)
    restorer = Restorer(scope, series.patterns, (64, 64), Weights(network, card()))
    return restorer, to_photons(series.adu, scope.camera), to_photons(other.adu, scope.camera)


def test_a_restoration_asks_for_no_value_on_its_way(scope: Microscope, record: Recorder) -> None:
    restorer, first, second = _restorer(scope, record)
    restorer.restore(first)  # measures, and may ask
    with _Asks() as asks:
        restorer.restore(second)
    assert asks.found == []
    with _Asks() as asks:
        float(second.sum())
    assert asks.found  # it can be noticed


def test_a_recorded_restoration_is_the_computed_one(scope: Microscope, record: Recorder) -> None:
    restorer, first, second = _restorer(scope, record)
    plain, _, _ = _restorer(scope, record)
    recording = Played()
    restorer._graph = Graphed(restorer._parts, recording)
    for photons in (first, second, first, second):
        mine, its = restorer.restore(photons, guards=True), plain.restore(photons, guards=True)
        assert torch.allclose(mine.sr, its.sr, rtol=1e-5, atol=1e-5)
        assert mine.guards is not None
        assert its.guards is not None
        assert mine.guards.residual.variance == pytest.approx(its.guards.residual.variance, rel=1e-4)
    # The first series measured, the second one was recorded, the others were played.
    assert (recording.recorded, recording.played) == (1, 3)
    restorer.calibrate(second)
    assert restorer._graph is None  # what was recorded holds the old calibration; on a card a new one is made
