"""What a pipeline is made of: camera maps of the whole chip serve every region of it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from rdl_live.errors import DataError
from rdl_live.stream import PipelineRecipe

from .conftest import Scene, frames_of


def test_maps_of_the_whole_chip_serve_a_region(scene: Scene, tmp_path: Path) -> None:
    chip, corner, shape = (scene.side + 20, scene.side + 12), (11, 3), (scene.side, scene.side)
    offset = np.random.default_rng(3).uniform(90, 130, chip).astype(np.float32).round()
    path = tmp_path / "offset.tif"
    tifffile.imwrite(path, offset)
    scope = scene.scope.replace(camera={**scene.scope.camera.model_dump(), "offset_file": str(path)})

    def image(recipe: PipelineRecipe, added: np.ndarray) -> torch.Tensor:
        recipe.check()
        with ThreadPoolExecutor(1) as executor:
            pipeline = recipe.build(executor, lambda _: None)
            series = (scene.series(1) + added).astype(np.uint16)
            results = [pipeline.push(frame, tag) for frame, tag in frames_of(series, 0)]
        assert results[-1] is not None
        return results[-1].sr

    patterns = (scene.patterns,)
    plain = PipelineRecipe(scene.scope, scene.scope.channels[:1], shape, patterns=patterns)
    mapped = PipelineRecipe(scope, scope.channels[:1], shape, corner=corner, patterns=patterns)
    here = offset[corner[0] : corner[0] + shape[0], corner[1] : corner[1] + shape[1]]
    straight = image(plain, np.zeros(shape))
    assert torch.allclose(image(mapped, here - scene.scope.camera.offset_adu), straight, rtol=1e-4, atol=1e-3)
    with pytest.raises(DataError, match="same region"):
        PipelineRecipe(scope, scope.channels[:1], shape, patterns=patterns).check()
