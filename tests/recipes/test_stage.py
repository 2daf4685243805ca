"""The recipe "add a stage" of CONTRIBUTING.md: one file outside of the program, and its registration."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from rdl_live.app.denoiser import check_denoiser
from rdl_live.app.session.mailbox import Mailbox
from rdl_live.errors import ConfigError
from rdl_live.restore.stage import Stage
from rdl_live.restore.stages import STAGES
from rdl_live.stream import PipelineRecipe, Result
from rdl_models import Card, Dfcan, DfcanConfig, save_weights
from tests.stream.conftest import frames_of, scene_of

from .toy_stage import KIND

LIVE = """
import time

from rdl_live.stream import PipelineRecipe, ProcessHost, SeriesQueue
from tests.stream.conftest import frames_of, scene_of

scene = scene_of(64)
recipe = PipelineRecipe(
    scene.scope, scene.scope.channels[:1], (64, 64), denoise="smoother", patterns=(scene.patterns,)
)
recipe.check()
results, told = [], []
queue = SeriesQueue((3, 3, 64, 64), 3, shared=True)
host = ProcessHost(recipe, queue, (results.append,), told.append)
host.start()
assert host.wait_ready(60), told
for frame, tag in frames_of(scene.series(1), 0):
    queue.offer(frame, tag, time.perf_counter())
while not results and not told:
    time.sleep(0.01)
host.stop()
assert not told, told
(result,) = results
print(result.denoiser, result.main, sorted(result.images), float(result.sr.mean()) > 0)
"""


@pytest.fixture
def _registered() -> Iterator[None]:
    STAGES.register(KIND)
    yield
    STAGES.forget(KIND.name)


def live(denoise: str) -> Result:
    scene = scene_of(64)
    recipe = PipelineRecipe(
        scene.scope, scene.scope.channels[:1], (64, 64), denoise=denoise, patterns=(scene.patterns,)
    )
    recipe.check()
    with ThreadPoolExecutor(1) as executor:
        pipeline = recipe.build(executor, lambda _: None)
        result = [pipeline.push(frame, tag) for frame, tag in frames_of(scene.series(1), 0)][-1]
    assert result is not None
    return result


@pytest.mark.usefixtures("_registered")
def test_a_stage_of_another_package_makes_named_images() -> None:
    check_denoiser("smoother", live=True)
    result = live("smoother")
    assert (result.denoiser, result.main) == ("smoother", "denoised")
    assert set(result.images) == {"widefield", "sim", "denoised", "taken away"}
    assert float(result.sr.mean()) == pytest.approx(float(result.images["sim"].mean()), rel=1e-4)
    mailbox = Mailbox()
    mailbox.open(scene_of(64).scope, ("488",), 0.07)
    mailbox.put_result(result)
    images = mailbox.take()
    assert images is not None
    assert images.by_network == ["denoised", "taken away"]
    picture = images["taken away"]
    assert picture is not None
    assert picture.pixel_um == pytest.approx(0.035)


def test_a_stage_is_found_by_its_entry_point_in_the_worker_process_as_well(tmp_path: Path) -> None:
    info = tmp_path / "smoother-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: smoother\nVersion: 1.0\n", encoding="utf-8")
    points = "[rdl_live.stages]\nsmoother = tests.recipes.toy_stage:KIND\n"
    (info / "entry_points.txt").write_text(points, encoding="utf-8")
    script = tmp_path / "run.py"
    script.write_text(f"if __name__ == '__main__':\n{textwrap.indent(LIVE, '    ')}", encoding="utf-8")
    root = Path(__file__).parents[2]
    path = os.pathsep.join(map(str, (tmp_path, root, root / "devices", root / "models")))
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, str(script)]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == "smoother denoised ['denoised', 'sim', 'taken away', 'widefield'] True"


def dfcan(folder: Path, **size: int) -> Path:
    path = folder / "dfcan.safetensors"
    config = DfcanConfig(**{"width": 4, "groups": 1, "blocks": 1, "window": 16, **size}, residual=True)
    torch.manual_seed(0)
    card = Card(name="dfcan", architecture="dfcan", config=vars(config), trained_on={}, steps=0, minutes=0)
    save_weights(path, Dfcan(config), card)
    return path


@pytest.mark.parametrize("channels", [1, 9])
def test_dfcan_is_a_live_stage(tmp_path: Path, channels: int) -> None:
    path = dfcan(tmp_path, channels=channels)
    check_denoiser(str(path), live=True)
    result = live(str(path))
    assert (result.denoiser, result.main) == ("dfcan", "sr")
    assert set(result.images) == {"widefield", "sim", "sr"}
    # Untrained, it is the enlarged widefield image: photons in, photons out.
    enlarged = torch.nn.functional.interpolate(result.widefield[None, None], scale_factor=2, mode="bicubic")[0, 0]
    torch.testing.assert_close(result.sr, enlarged, rtol=1e-3, atol=1e-3 * float(enlarged.max()))
    with pytest.raises(ConfigError, match="for super-resolution, do not denoise SIM series"):
        check_denoiser(str(path))  # not a live run


def test_dfcan_for_another_series_or_another_grid_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="take 15 frames, the microscope 'test' gives 9"):
        live(str(dfcan(tmp_path, channels=15)))
    (tmp_path / "dfcan.safetensors").unlink()
    with pytest.raises(ConfigError, match="3 times as fine"):
        live(str(dfcan(tmp_path, channels=1, scale=3)))


def test_the_recipe_names_all_that_a_stage_must_have(root: Path) -> None:
    recipe = (root / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Add a stage")[2].partition("\n## ")[0]
    asked = [name for name in vars(Stage) if not name.startswith("_")]
    assert asked
    assert [name for name in asked if name not in recipe] == []
