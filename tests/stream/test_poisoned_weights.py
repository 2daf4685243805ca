"""Weights that were made to harm, given to a pipeline that runs (row 20 of the faults): the old model stays."""

import os
import pickle
from pathlib import Path

import pytest
import torch

from rdl_live.errors import ConfigError, DataError
from rdl_live.stream import Processing, ThreadHost
from rdl_models import find_weights

from .test_process_host import Hosted, Scene


class Evil:
    """Unpickling it makes a file."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.open, (str(self._trace), os.O_CREAT)


def poisoned(folder: Path, trace: Path) -> list[Path]:
    """Make what somebody might send: a pickled .pt, a plain pickle, shipped weights that were cut or changed."""
    whole = find_weights("rdl").read_bytes()
    files = [folder / name for name in ("torch.pt", "pickle.safetensors", "cut.safetensors", "nan.safetensors")]
    torch.save(Evil(trace), files[0])
    files[1].write_bytes(pickle.dumps(Evil(trace)))
    files[2].write_bytes(whole[: len(whole) // 2])
    files[3].write_bytes(whole[:-4000] + b"\xff" * 4000)
    return files


def test_the_old_model_stays_and_nothing_runs(scene: Scene, tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    hosted = Hosted(scene)
    host = ThreadHost(Processing(hosted.recipe, hosted.told.append), hosted.queue, (hosted.results.append,))
    host.start()
    assert host.wait_ready(0.0)
    host.use_denoiser("rdl").result(60)
    for file in poisoned(tmp_path, trace):
        with pytest.raises((ConfigError, DataError), match=file.name):
            host.use_denoiser(str(file)).result(60)
    hosted.offer(0)
    assert host.stop()
    assert [result.denoiser for result in hosted.results] == ["rdl"]
    assert not trace.exists()
