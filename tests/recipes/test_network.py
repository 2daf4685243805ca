"""The recipe "add a network" of CONTRIBUTING.md: one file outside of the program, and its registration."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from rdl_live._tables import Table
from rdl_live.app.denoiser import check_denoiser
from rdl_live.app.exchange.export import export_package
from rdl_live.app.exchange.package import import_package
from rdl_live.errors import ConfigError
from rdl_live.stream import PipelineRecipe
from rdl_live.train import SceneSettings, TrainSettings, train_denoiser
from rdl_live.train.simulated import evaluate
from rdl_models import ARCHITECTURES, Architecture, Card, Rcan3d, Rcan3dConfig, load_weights, save_weights
from tests.stream.conftest import frames_of, scene_of

from .toy_network import ARCHITECTURE, Toy, ToyConfig


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    ARCHITECTURES.register(ARCHITECTURE)
    yield
    ARCHITECTURES.forget(ARCHITECTURE.name)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Trained."""
    monkeypatch.setattr(evaluate.held_out_scores, "__kwdefaults__", {"levels": (5.0,), "count": 1, "device": "cpu"})
    scenes = SceneSettings(size=48, exposures=1)
    settings = TrainSettings(
        architecture="toy", network={"size": 3}, steps=4, batch=1, window=2, workers=0, scenes=scenes
    )
    out = tmp_path / "toy.safetensors"
    card = train_denoiser(out, settings)
    assert (card.architecture, card.task, card.config) == ("toy", "object-plane denoising", {"size": 3})
    return out


def test_a_network_of_another_package_is_trained_exported_and_live(weights: Path, tmp_path: Path) -> None:
    loaded = load_weights(weights)
    assert isinstance(loaded.network, Toy)
    assert not torch.equal(loaded.network.blur.weight, Toy(ToyConfig()).blur.weight)
    export_package(weights, tmp_path / "toy.zip", author="A. Tester", license_id="CC-BY-4.0")
    again, card = import_package(tmp_path / "toy.zip", tmp_path / "again.safetensors")
    assert card == loaded.card
    check_denoiser(str(again))
    scene = scene_of(64)
    recipe = PipelineRecipe(
        scene.scope, scene.scope.channels[:1], (64, 64), denoise=str(again), patterns=(scene.patterns,)
    )
    recipe.check()
    with ThreadPoolExecutor(1) as executor:
        pipeline = recipe.build(executor, lambda _: None)
        result = [pipeline.push(frame, tag) for frame, tag in frames_of(scene.series(1), 0)][-1]
    assert result is not None
    assert result.denoiser == "toy"
    assert result.sim is not None
    assert float(result.sr.mean()) == pytest.approx(float(result.sim.mean()), rel=0.01)  # photons in, photons out
    assert float((result.sr - result.sim).abs().max()) > 0


def test_an_installed_package_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "toy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n", encoding="utf-8")
    points = info / "entry_points.txt"
    points.write_text("[rdl_live.architectures]\ntoy = tests.recipes.toy_network:ARCHITECTURE\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    table = Table("rdl_live.architectures", Architecture)
    found = table.find("toy")
    assert found is not None
    assert found.words == ARCHITECTURE.words
    assert table.names() == ("toy",)
    points.write_text("[rdl_live.architectures]\ntoy = tests.recipes.toy_network:Toy\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"toy_network:Toy.*is no Architecture"):
        Table("rdl_live.architectures", Architecture).names()
    points.write_text("[rdl_live.architectures]\ntoy = nowhere:TOY\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"toy \(nowhere:TOY\) cannot be loaded"):
        Table("rdl_live.architectures", Architecture).find("toy")


def test_two_of_one_name_are_refused() -> None:
    ARCHITECTURES.register(ARCHITECTURE)  # the same once more
    with pytest.raises(ConfigError, match="two of the name 'toy'"):
        ARCHITECTURES.register(Architecture(**{**vars(ARCHITECTURE), "words": "does something else"}))


def test_weights_for_something_else_are_refused_and_both_are_named(tmp_path: Path) -> None:
    path = tmp_path / "volume.safetensors"
    config = Rcan3dConfig(width=4, groups=1, blocks=1, relative=True)
    card = Card(name="volume", architecture="rcan3d", config=vars(config), trained_on={}, steps=0, minutes=0)
    torch.manual_seed(0)
    save_weights(path, Rcan3d(config), card)
    assert load_weights(path).card.task == "stack denoising"
    with pytest.raises(ConfigError, match=r"'rcan3d', for stack denoising, do not denoise SIM series"):
        check_denoiser(str(path))
    scene = scene_of(64)
    recipe = PipelineRecipe(scene.scope, scene.scope.channels[:1], (64, 64), denoise=str(path))
    with pytest.raises(ConfigError, match="stack denoising"):
        recipe.check()
