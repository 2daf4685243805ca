"""Where the memory does not hold the network's work: strips, the same image, and a word about it (row 16)."""

import pytest
import torch
from torch import Tensor

from rdl_live.optics import Microscope
from rdl_live.restore import Restorer
from rdl_models import ObjectPlane, Weights
from tests.restore.conftest import Recorder

HEADS = ObjectPlane._heads


def hold(monkeypatch: pytest.MonkeyPatch, rows: int, error: Exception) -> None:
    """Let the memory hold so many rows of cells at once, as torch would say it."""

    def heads(self: ObjectPlane, cells: Tensor, *, spread: bool) -> tuple[Tensor, Tensor | None]:
        if cells.shape[-2] > rows:
            raise error
        return HEADS(self, cells, spread=spread)

    monkeypatch.setattr(ObjectPlane, "_heads", heads)


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory: ...")],
)
def test_short_of_memory_it_computes_in_strips_and_says_so(
    scope: Microscope, record: Recorder, wrong: Weights, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    series = record(20.0, (128, 64))
    whole = Restorer(scope, series.patterns, (128, 64), wrong)(series.adu)
    hold(monkeypatch, 40, error)
    restorer = Restorer(scope, series.patterns, (128, 64), wrong)
    for _ in range(2):
        assert torch.allclose(restorer(series.adu), whole, rtol=1e-4, atol=1e-4 * float(whole.abs().max()))
    assert len([text for text in restorer.warnings if "strips" in text]) == 1


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("another defect")])
def test_what_strips_do_not_help_is_raised(
    scope: Microscope, record: Recorder, wrong: Weights, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    hold(monkeypatch, 0, error)
    series = record(20.0)
    with pytest.raises(type(error), match=str(error)):
        Restorer(scope, series.patterns, (64, 64), wrong)(series.adu)
