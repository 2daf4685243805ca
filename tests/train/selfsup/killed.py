"""A training that may be killed at any moment: run as a process, `python -m tests.train.selfsup.killed FOLDER STEPS`.

It takes up the checkpoint in FOLDER if there is one, writes one after every step, and tells each step in a line. With a
file `slow` in FOLDER it stops in the middle of writing the next checkpoint, says "half", and waits to be killed.
With N instead of FOLDER: kill it at N random moments, half of them in the middle of a checkpoint, and compare.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rdl_live.optics import Camera, Channel, Microscope, Optics
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_live.train import Training, pair_training
from rdl_live.train.loop import loop
from rdl_live.train.recordings.film import Film
from rdl_live.train.recordings.moments import Moments
from rdl_live.train.recordings.settings import SelfSupSettings
from rdl_models import ObjectPlane, ObjectPlaneConfig

CHECKPOINT, SLOW = "w.checkpoint", "slow"


def trainer(steps: int, checkpoint: Path | None) -> Training[Any]:
    """Return the training, taken up again if there is a checkpoint."""
    scope = Microscope(
        name="test",
        optics=Optics(na=1.4, pixel_size_um=0.07),
        channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
        camera=Camera(offset_adu=100.0, gain_e_per_adu=0.5, read_noise_e=1.0),
    )
    made = simulate(scope, SpecimenSettings(seed=4), photons=4.0, shape=(48, 48), time_points=9, seed=3)
    frames = np.stack([one.adu.numpy() for one in made])
    film = Film("film.tif", scope, scope.channels[0], made.patterns, frames)
    settings = SelfSupSettings(
        steps=steps, batch=1, tile=48, rehearsal=0.25, workers=0, validate_every=4, learning_rate=3e-3
    )
    torch.manual_seed(0)
    network = ObjectPlane(ObjectPlaneConfig(width=8, blocks=1, spread=4))
    resume = checkpoint is not None and checkpoint.is_file()
    return pair_training(network, Moments([film], settings), checkpoint=checkpoint, resume=resume)


def train(folder: Path, steps: int) -> None:
    """Train to the end, or until killed."""
    loop.CHECKPOINT_EVERY_S = 0.0
    whole = Path.write_bytes

    def write_half(path: Path, content: bytes) -> int:
        if not (folder / SLOW).exists():
            return whole(path, content)
        whole(path, content[: len(content) // 2])
        print("half", flush=True)
        time.sleep(600)
        raise TimeoutError("nobody killed it")

    Path.write_bytes = write_half  # type: ignore[method-assign]
    training = trainer(steps, folder / CHECKPOINT)
    print("ready", flush=True)
    for step in training.run():
        print(step.number, flush=True)
    print(json.dumps(training.state.losses), flush=True)


def start(folder: Path, steps: int) -> "subprocess.Popen[str]":
    """Start it as a process of its own."""
    command = [sys.executable, "-m", "tests.train.selfsup.killed", str(folder), str(steps)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])


def kill_after(process: "subprocess.Popen[str]", words: str) -> None:
    """Kill it by SIGKILL (TerminateProcess on Windows) as soon as it has said this."""
    with process:
        for line in process.stdout or ():
            if line.strip() == words:
                break
        process.kill()


def finish(folder: Path, steps: int) -> list[float]:
    """Run it to the end; return the losses of all steps."""
    with start(folder, steps) as process:
        lines = [line.strip() for line in process.stdout or ()]
    losses: list[float] = json.loads(lines[-1])
    return losses


def kill_often(kills: int, steps: int = 60) -> int:
    """Kill it at random moments; return 1 if the loss curve is not that of an undisturbed training."""
    undisturbed = [step.loss for step in trainer(steps, None).run()]
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(kills):
            slow = folder / SLOW
            with start(folder, steps) as process:
                said = iter(process.stdout or ())
                for line in said:
                    if line.strip() == "ready":
                        break
                if number % 2:
                    slow.touch()
                    next((line for line in said if line.strip() == "half"), None)
                else:
                    time.sleep(rng.uniform(0.0, 0.5))
                process.kill()
            slow.unlink(missing_ok=True)
            print(f"killed {number + 1} of {kills}", flush=True)
        found = finish(folder, steps)
        left = sorted(one.name for one in folder.iterdir())
    same = found == undisturbed
    print(f"{kills} kills, {len(found)} steps: losses {'equal to the bit' if same else 'DIFFER'}; files left: {left}")
    return 0 if same else 1


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1].isdigit():
        sys.exit(kill_often(int(sys.argv[1])))
    train(Path(sys.argv[1]), int(sys.argv[2]))
