"""A stack that is larger than what may be used goes through `restore` in bounded memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from rdl_models import Card, Care, CareConfig, save_weights

SCRIPT = """
import resource, sys
from pathlib import Path
import torch
from rdl_live.app.restore.run import restore_file
from rdl_live.files import voxels
from rdl_live.restore import care_blocks
torch.set_num_threads(1)
voxels.IN_MEMORY_BYTES, care_blocks.FREE_BYTES = 2**20, 64 * 2**20
folder = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
restore_file(folder / "raw.tif", None, str(folder / "w.safetensors"), folder / "out.tif")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the peak of a process is asked of the system")
@pytest.mark.parametrize("dims", [2, 3])
def test_memory_does_not_grow_with_the_stack(dims: int, tmp_path: Path) -> None:
    shape = (96, 768, 768)  # 226 MB as float32, twice that with its result
    made = Care(CareConfig(dims=dims, width=1, depth=1, kernel=3))
    card = Card(name="w", architecture="care", config=vars(made.config), trained_on={}, steps=1, minutes=0.1)
    save_weights(tmp_path / "w.safetensors", made, card)
    plane = np.random.default_rng(1).poisson(20, shape[1:]).astype(np.float32)
    with tifffile.TiffWriter(tmp_path / "raw.tif") as file:
        for number in range(shape[0]):
            file.write(np.roll(plane, number, 0), photometric="minisblack", contiguous=True)
    run = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) < 300  # MB beyond what the program itself takes
    assert tifffile.imread(tmp_path / "out.tif").shape[-3:] == shape
