"""A training that the system ends: after the step at hand, with its checkpoint, a sentence, and no process left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

PATIENCE_S = 300.0
COMMAND = (
    "train denoise --out w.safetensors --network width=8 --network blocks=1 --network levels=1 "
    "--size 48 --minutes 60 --workers 1 --batch 1 --threads 1"
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_terminated_training_keeps_its_checkpoint_and_leaves_no_worker(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "from rdl_live.cli import main; main()", *COMMAND.split()]
    with subprocess.Popen(program, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as training:
        try:
            _wait(lambda: (tmp_path / "w-preview.png").exists() or training.poll() is not None)
            workers = _children(training.pid)
            assert workers
            training.send_signal(signal.SIGTERM)
            _, said = training.communicate(timeout=PATIENCE_S)
        finally:
            training.kill()
    assert training.returncode == 128 + signal.SIGTERM
    assert "stopped: w.safetensors.checkpoint is kept; go on with --resume" in said
    assert (tmp_path / "w.safetensors.checkpoint").is_file()
    assert not (tmp_path / "w.safetensors").exists()
    _wait(lambda: not any(_alive(worker) for worker in workers))


def _wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.2)
    raise AssertionError("nothing happened")


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _alive(pid: int) -> bool:
    """Whether it runs still; one that nobody has asked for its exit code does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
