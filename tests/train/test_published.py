"""Training of the published networks: scenes of the same stream, losses, weights, several processes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from rdl_live.errors import ConfigError
from rdl_live.train import SceneSettings, TrainSettings, scene_training, train_denoiser
from rdl_live.train.loop.board import check_board
from rdl_live.train.loop.processes import Processes, check_alone
from rdl_live.train.loop.ssim import ssim
from rdl_live.train.simulated import evaluate as evaluation
from rdl_live.train.simulated.raw_scene import make_raw_batch, make_raw_scene
from rdl_live.train.simulated.run import maker
from rdl_live.train.simulated.scene import make_scene
from rdl_live.train.simulated.sr_task import make_sr_batch, make_sr_scene
from rdl_live.train.simulated.task import new_network, source_of
from rdl_models import Span, load_weights
from rdl_models.object_plane import SHIPPED

SCENES = SceneSettings(size=32, exposures=2, angles=(3,), phases=(3,), photons=Span(low=5, high=50))
RAW = {"width": 8, "generated_groups": 1, "noisy_groups": 1, "trunk_groups": 1, "blocks": 1}
SR = {"width": 8, "groups": 1, "blocks": 1, "window": 16}


def settings(architecture: str, **changes: object) -> TrainSettings:
    network = RAW if architecture == "rdl-sim" else SR
    fields = {
        "architecture": architecture,
        "network": network,
        "steps": 3,
        "batch": 1,
        "window": 2,
        "reuse": 1,
        "workers": 0,
        "warmup": 0.0,
        "learning_rate": 1e-3,
        "half_precision": False,
        "scenes": SCENES,
    }
    return TrainSettings.model_validate({**fields, **changes})


def test_all_tasks_see_the_same_scenes() -> None:
    fast, raw, sr = make_scene(3, 1, SCENES), make_raw_scene(3, 1, SCENES), make_sr_scene(3, 1, SCENES)
    assert fast.photons == raw.photons == sr.photons
    torch.testing.assert_close(raw.noisy.flatten(1, 2), sr.frames)
    torch.testing.assert_close(fast.truth, sr.truth)
    assert float(make_sr_batch([(sr, 0)]).truth.mean()) == pytest.approx(1, rel=0.2)
    again = make_raw_scene(3, 1, SCENES)
    assert torch.equal(raw.noisy, again.noisy)
    assert torch.equal(raw.generated, again.generated)


def test_generated_frames_are_nearer_to_the_truth_than_noisy_ones() -> None:
    scenes = SCENES.replace(size=64, photons=Span(low=5, high=10))
    batch = make_raw_batch([(make_raw_scene(7, index, scenes), 0) for index in range(6)])
    assert batch.noisy.shape == (18, 3, 64, 64)
    assert float(((batch.generated - batch.clean) ** 2).mean()) < 0.3 * float(((batch.noisy - batch.clean) ** 2).mean())
    averaged = scenes.replace(prior_series=8)
    better = make_raw_batch([(make_raw_scene(7, index, averaged), 0) for index in range(6)])
    assert torch.equal(better.noisy, batch.noisy)
    assert not torch.equal(better.generated, batch.generated)


def test_similarity_is_the_usual_one() -> None:
    random = np.random.default_rng(1)
    one = random.normal(size=(40, 30)).astype(np.float32)
    other = one + 0.3 * random.normal(size=(40, 30)).astype(np.float32)
    wanted = structural_similarity(
        one, other, data_range=4.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    found = ssim(torch.from_numpy(one)[None, None], torch.from_numpy(other)[None, None], torch.tensor([4.0]))
    assert float(found) == pytest.approx(float(wanted), abs=2e-3)
    assert float(ssim(torch.ones(1, 1, 12, 12), torch.ones(1, 1, 12, 12), torch.ones(1))) == pytest.approx(1)


@pytest.mark.parametrize(
    ("architecture", "network"), [("rdl-sim", RAW), ("dfcan", SR), ("dfcan", {**SR, "channels": 9})]
)
def test_steps_lower_the_loss_of_the_scene_that_they_are_made_on(architecture: str, network: dict[str, int]) -> None:
    torch.manual_seed(0)
    wanted, task = settings(architecture, network=network), source_of(architecture)
    made, batch = new_network(wanted), task.make_batch([(task.make_scene(2, 0, SCENES), 0)])
    optimizer = torch.optim.Adam(made.parameters(), 1e-3)
    found = []
    for _ in range(30):
        judged = task.judge(made, batch)
        optimizer.zero_grad()
        judged.loss.backward()
        optimizer.step()
        found.append(float(judged.loss.detach()))
    assert found[-1] < 0.97 * found[0]


@pytest.mark.parametrize("architecture", ["rdl-sim", "dfcan"])
def test_a_training_writes_weights_that_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: str
) -> None:
    monkeypatch.setattr(evaluation.held_out_scores, "__kwdefaults__", {"levels": (5.0,), "count": 1, "device": "cpu"})
    out = tmp_path / "mine.safetensors"
    card = train_denoiser(out, settings(architecture, steps=2))
    loaded = load_weights(out)
    assert loaded.card == card
    assert card.architecture == architecture
    assert card.trained_on["architecture"] == architecture
    assert card.valid["phases"] == Span(low=3, high=3)
    assert (tmp_path / "mine-preview.png").stat().st_size > 500
    more = settings(architecture, steps=1, start=str(out))
    assert train_denoiser(tmp_path / "more.safetensors", more).steps == 1
    with pytest.raises(ConfigError, match=f"{architecture!r} cannot be trained further as 'object-plane'"):
        train_denoiser(tmp_path / "wrong.safetensors", TrainSettings(start=str(out)))


def test_an_interrupted_training_of_raw_frames_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    wanted, file = settings("rdl-sim", steps=4), tmp_path / "w.checkpoint"
    straight = [step.loss for step in scene_training(maker(wanted), wanted).run()]
    first = []
    for step in scene_training(maker(wanted), wanted, checkpoint=file).run():
        first.append(step.loss)
        if len(first) == 2:
            break
    rest = [step.loss for step in scene_training(maker(wanted), wanted, checkpoint=file, resume=True).run()]
    assert first + rest == straight


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scenes": SCENES.replace(phases=(5,)), "network": {**RAW, "phases": 3}}, r"3 phases.*\[5\]"),
        ({"network": {"magic": 3}}, "magic"),
        ({"architecture": "dfcan", "network": {**SR, "channels": 4}}, r"4 frames.*\[9\]"),
    ],
)
def test_networks_that_do_not_suit_the_scenes_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        new_network(settings(**{"architecture": "rdl-sim", **changes}))


def test_tensorboard_that_is_not_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdl_live.train.loop.board.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"rdl-live\[tensorboard\]"):
        train_denoiser(tmp_path / "w.safetensors", settings("rdl-sim"), board=tmp_path / "board")
    assert not (tmp_path / "w.safetensors").exists()


_ONE_OF_TWO = """
import json, sys, torch
torch.set_num_threads(1)
from rdl_live.train import TrainSettings, scene_training
from rdl_live.train.loop.processes import Processes
from rdl_live.train.simulated.run import maker

settings = TrainSettings.model_validate_json(sys.argv[1])
with Processes() as processes:
    trainer = scene_training(maker(settings), settings, processes=processes)
    losses = [step.loss for step in trainer.run()]
    total = sum(float(one.detach().double().abs().sum()) for one in trainer.network.parameters())
print(json.dumps({"rank": processes.rank, "losses": losses, "total": total}))
"""


def test_two_processes_train_as_one_with_twice_the_batch() -> None:
    one = settings("rdl-sim", batch=2, window=4)
    trainer = scene_training(maker(one), one)
    alone = [step.loss for step in trainer.run()]
    total = sum(float(value.detach().double().abs().sum()) for value in trainer.network.parameters())
    half = one.replace(batch=1).model_dump_json()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = []
    for rank in range(2):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        environment = {**os.environ, **{name: str(value) for name, value in place.items()}}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        command = [sys.executable, "-c", _ONE_OF_TWO, half]
        running.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    try:
        told = [json.loads(process.communicate(timeout=240)[0].splitlines()[-1]) for process in running]
    finally:
        for process in running:
            process.kill()
    assert {one["rank"] for one in told} == {0, 1}
    for one in told:
        assert one["losses"] == pytest.approx(alone, rel=1e-4)
        assert one["total"] == pytest.approx(total, rel=1e-5)


def test_half_of_torchruns_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(ConfigError, match="WORLD_SIZE is 'two'"):
        Processes()


def test_series_of_different_numbers_of_frames_share_their_widefield_images() -> None:
    few, many = (make_sr_scene(3, 1, SCENES.replace(phases=(phases,))) for phases in (3, 5))
    batch = make_sr_batch([(few, 0), (many, 0)])
    assert batch.frames.shape == (2, 1, 32, 32)
    # What the network is shown is the same as if all series were alike.
    alone = make_sr_batch([(many, 0)])
    torch.testing.assert_close(batch.frames[1:], alone.frames.mean(dim=1, keepdim=True))
    torch.testing.assert_close(batch.truth[1:], alone.truth)


@pytest.mark.parametrize("architecture", ["rdl-sim", "dfcan"])
def test_half_precision_is_for_convolutions_and_gives_nearly_the_same(architecture: str) -> None:
    torch.manual_seed(0)
    task = source_of(architecture)
    made = new_network(settings(architecture))  # with FNSM, whose Fourier transforms need float32
    torch.nn.init.normal_(made.last.weight, std=0.05)
    batch = task.make_batch([(task.make_scene(2, 0, SCENES), 0)])
    whole, half = (task.judge(made, batch, half=half) for half in (False, True))
    assert not torch.equal(whole.loss, half.loss)
    torch.testing.assert_close(half.loss, whole.loss, rtol=0.05, atol=0.01)


def test_other_sizes_keep_the_shipped_networks_other_settings() -> None:
    config = new_network(TrainSettings(network={"width": 16})).config
    assert vars(config) == {**vars(SHIPPED), "width": 16}


def test_what_tensorboard_cannot_write_to_is_told_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for board in ("notes.txt", "notes.txt/board"):
        with pytest.raises(ConfigError, match=r"--tensorboard .*notes\.txt is a file"):
            check_board(tmp_path / board)
    monkeypatch.setattr("rdl_live.train.loop.board.find_spec", lambda _: True)
    check_board(tmp_path / "new" / "board")


def test_a_training_on_recordings_is_not_for_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    check_alone()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="without torchrun"):
        check_alone()


def test_processes_that_cannot_find_each_other_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(ConfigError, match=r"WORLD_SIZE is 2.*unset WORLD_SIZE"), Processes():
        pass
