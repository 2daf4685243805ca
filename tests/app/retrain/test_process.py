"""Retraining in the background: progress is told, cancelling keeps the checkpoint, the denoiser goes in and out."""

from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
import tifffile

from rdl_live.app.retrain.process import DenoiserSwitch, Phase, Retraining
from rdl_live.errors import ConfigError
from rdl_live.files import load_microscope
from rdl_live.specimen import SpecimenSettings, simulate

SCOPE = """\
name: test scope
optics: {na: 1.3, pixel_size_um: 0.08}
channels: [{name: green, excitation_nm: 488, emission_nm: 525}]
camera: {offset_adu: 100, gain_e_per_adu: 0.5, read_noise_e: 1.5}
"""
PATIENCE_S = 400.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("retrain")
    (path / "M.yaml").write_text(SCOPE, encoding="utf-8")
    recorded = simulate(
        load_microscope(path / "M.yaml"), SpecimenSettings(seed=5), photons=4.0, shape=(64, 64), time_points=8, seed=2
    )
    frames = np.concatenate([series.adu.numpy().reshape(9, 64, 64) for series in recorded])
    tifffile.imwrite(path / "film.tif", frames)
    return path


def test_cancelled_after_a_step_it_keeps_the_checkpoint(folder: Path) -> None:
    out = folder / "W.safetensors"
    training = Retraining([folder / "film.tif"], folder / "M.yaml", out, scheme="split", minutes=60)
    try:
        for _ in range(int(PATIENCE_S)):
            if training.status.step or training.status.phase.over:
                break
            training.wait(1.0)
        assert training.status.phase is Phase.TRAINING, training.status.words
        training.cancel()
        end = training.wait(PATIENCE_S)
    finally:
        training.close()
    assert end.phase is Phase.CANCELLED
    assert end.loss is not None
    assert any("time point" in text for text in end.words)
    assert out.with_name("W.safetensors.checkpoint").is_file()
    assert not out.exists()


def test_what_can_be_seen_at_once_is_refused(folder: Path) -> None:
    """What only its process finds is tested with the desk."""
    with pytest.raises(ConfigError, match="record a time-lapse"):
        Retraining([], folder / "M.yaml", folder / "X.safetensors")
    with pytest.raises(ConfigError, match="tis, split or auto"):
        Retraining([folder / "film.tif"], folder / "M.yaml", folder / "X.safetensors", scheme="sis")


def test_the_denoiser_is_exchanged_and_one_call_brings_the_old_one_back() -> None:
    asked: list[tuple[str, Future[None]]] = []

    def use(name: str) -> Future[None]:
        asked.append((name, Future()))
        return asked[-1][1]

    switch = DenoiserSwitch(use, "rdl")
    with pytest.raises(ConfigError, match="none to go back to"):
        switch.back()
    switch.swap("mine.safetensors")
    assert switch.current == "rdl"  # not before the pipeline says so
    asked[0][1].set_result(None)
    assert (switch.current, switch.previous) == ("mine.safetensors", "rdl")
    switch.swap("broken.safetensors")
    asked[1][1].set_exception(ConfigError("damaged"))
    assert switch.current == "mine.safetensors"
    switch.back()
    asked[2][1].set_result(None)
    assert (switch.current, switch.previous) == ("rdl", "mine.safetensors")
    assert [name for name, _ in asked] == ["mine.safetensors", "broken.safetensors", "rdl"]
