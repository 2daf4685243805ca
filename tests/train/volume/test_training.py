"""Training from noisy z-stacks alone: it helps, says which scheme suits, and can be interrupted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rdl_live.errors import ConfigError, DataError
from rdl_live.optics import Camera, Channel, Microscope, Optics
from rdl_live.restore.volume import denoise_stack
from rdl_live.specimen import simulate_volume
from rdl_live.train import Training
from rdl_live.train.stacks.change import measure_change
from rdl_live.train.stacks.loss import excess
from rdl_live.train.stacks.run import train_on_volumes
from rdl_live.train.stacks.settings import VolumeScheme, VolumeSettings
from rdl_live.train.stacks.stacks import SHOWN, Stacks, VolumeFilm
from rdl_live.train.stacks.trainer import VolumeTask, new_network
from rdl_models import Rcan3d, load_weights

SCOPE = Microscope(
    name="sheet",
    optics=Optics(na=1.1, pixel_size_um=0.1),
    channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
    camera=Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=1.5),
)
SETTINGS = VolumeSettings(steps=90, width=8, groups=1, blocks=1, patch=32, depth=10, validate_every=30)


def film(times: int = 8, planes: int = 12, **more: object) -> tuple[VolumeFilm, list[Tensor]]:
    """Return a recording and its noise-free stacks."""
    made = list(simulate_volume(SCOPE, shape=(planes, 48, 48), time_points=times, seed=3, **more))
    frames = np.stack([one.adu.numpy() for one in made])
    return VolumeFilm("stacks.tif", SCOPE, SCOPE.channels[0], frames), [one.expected for one in made]


def gained_db(network: Rcan3d, recorded: VolumeFilm, truth: list[Tensor]) -> float:
    noisy = recorded.photons(len(recorded) - 1)
    found = denoise_stack(network, noisy, recorded.pixel)
    return 10 * float(torch.log10((noisy - truth[-1]).square().mean() / (found - truth[-1]).square().mean()))


@pytest.mark.parametrize("scheme", list(VolumeScheme))
def test_both_schemes_gain_four_decibels_on_stacks_that_were_held_out(tmp_path: Path, scheme: VolumeScheme) -> None:
    recorded, truth = film()
    out, told = tmp_path / "w.safetensors", list[str]()
    result = train_on_volumes([recorded], out, SETTINGS.replace(scheme=scheme), notify=told.append)
    assert result.card is not None, result.words
    assert result.card == load_weights(out).card
    assert result.card.trained_on["recordings"][0]["held_out"] == [6, 7]
    network = load_weights(out).network
    assert isinstance(network, Rcan3d)
    gain = gained_db(network, recorded, truth)
    assert gain > 4.0
    assert result.error is not None
    assert -10 * np.log10(result.error) == pytest.approx(gain, abs=1.5)  # what it says without the truth
    assert "of the contrast changes from a time point to the next" in told[0]
    assert list(tmp_path.iterdir()) == [out]


def test_the_scheme_follows_from_what_changes_and_is_explained(tmp_path: Path) -> None:
    still, quick = (measure_change(film(speed_um_s=speed)[0]) for speed in (0.0, 0.3))
    assert still.in_time == pytest.approx(0.0, abs=0.03)
    assert still.scheme is VolumeScheme.TIS
    assert quick.in_time is not None
    assert quick.in_depth is not None
    assert quick.in_time > 3 * quick.in_depth
    assert quick.scheme is VolumeScheme.SIS
    assert "planes (sis)" in quick.words
    refused = train_on_volumes([film(speed_um_s=0.3)[0]], tmp_path / "w.safetensors", SETTINGS)
    assert refused.card is None
    assert "use `rdl-live train sis --volume`" in refused.words[0]
    assert not list(tmp_path.iterdir())


def test_the_error_on_divided_photons_is_that_against_the_truth() -> None:
    recorded, truth = film(times=6, background=0.6)
    settings = SETTINGS.replace(patch=48, depth=12)
    network = new_network(settings)
    looks = Stacks([recorded], settings).judged()
    with torch.no_grad():
        told = float(torch.cat([excess(network, one, SHOWN) for one in looks]).mean())
    # The untrained network smooths within the OTF's support; so it does on the whole light.
    true = 10 ** (-0.1 * gained_db(network, recorded, truth))
    assert told == pytest.approx(true, abs=0.08)


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    recorded, file = film(times=6)[0], tmp_path / "w.checkpoint"
    settings = SETTINGS.replace(steps=8, validate_every=3, scheme=VolumeScheme.SIS)

    def trainer(**more: object) -> Training[Any]:
        return Training(VolumeTask(new_network(settings), Stacks([recorded], settings)), **more)  # type: ignore[arg-type]

    whole = [step.loss for step in trainer().run()]
    first = []
    for step in trainer(checkpoint=file).run():
        first.append(step.loss)
        if step.number == 5:
            break
    resumed = trainer(checkpoint=file, resume=True)
    assert first + [step.loss for step in resumed.run()] == whole


def test_too_little_to_learn_from_is_told() -> None:
    with pytest.raises(DataError, match="4 time points of 12 planes are too little"):
        Stacks([film(times=4)[0]], SETTINGS)
    with pytest.raises(DataError, match="of 4 planes are too little"):
        Stacks([film(planes=4)[0]], SETTINGS.replace(scheme=VolumeScheme.SIS))


def test_weights_for_sim_series_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="do not denoise z-stacks"):
        train_on_volumes([film()[0]], tmp_path / "w.safetensors", SETTINGS.replace(start="rdl"))
