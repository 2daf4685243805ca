"""Which processor is taken, and what is said where there is none."""

import pytest
import torch

from rdl_live.app.device import choose_device
from rdl_live.errors import DeviceError


@pytest.mark.parametrize(
    ("name", "gpu", "chosen"),
    [("auto", False, "cpu"), ("auto", True, "cuda"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_choice(monkeypatch: pytest.MonkeyPatch, name: str, gpu: bool, chosen: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert choose_device(name).type == chosen


def test_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=r"--device cuda: no NVIDIA GPU .*--device cpu.*doctor"):
        choose_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "CPU", "", "cuda:0"])
def test_other_names(name: str) -> None:
    with pytest.raises(DeviceError, match="choose auto, cpu or cuda"):
        choose_device(name)
