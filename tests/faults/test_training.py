"""Row 22 of docs/faults.md: a training that is killed while it writes its checkpoint."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rdl_live.train import scene_training
from tests.train.test_training import SETTINGS, tiny

ENDLESS = """
import sys
from pathlib import Path
from rdl_live.train import scene_training
from tests.train.test_training import SETTINGS, tiny
trainer = scene_training(tiny, SETTINGS, checkpoint=Path(sys.argv[1]))
next(iter(trainer.run()))
print("ready", flush=True)
while True:
    trainer.save()
"""


@pytest.mark.parametrize("delays", [(0.07,), pytest.param((0.0, 0.13), marks=pytest.mark.slow)])
def test_22_killed_in_a_checkpoint(root: Path, tmp_path: Path, delays: tuple[float, ...]) -> None:
    file = tmp_path / "w.checkpoint"
    path = os.pathsep.join(str(root / folder) for folder in (".", "devices", "models"))
    for delay in delays:
        process = subprocess.Popen(
            [sys.executable, "-c", ENDLESS, str(file)],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        while not file.exists():
            assert process.poll() is None
            time.sleep(0.001)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        scene_training(tiny, SETTINGS, checkpoint=file, resume=True)  # a whole one, of some step
