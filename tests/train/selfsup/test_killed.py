"""A training that was killed without warning goes on as if nothing had happened."""

from pathlib import Path

import pytest

from tests.train.selfsup.killed import CHECKPOINT, SLOW, finish, kill_after, start, trainer

STEPS = 6


@pytest.mark.slow
def test_killed_between_steps_and_in_the_middle_of_a_checkpoint_the_losses_are_the_same(tmp_path: Path) -> None:
    undisturbed = [step.loss for step in trainer(STEPS, None).run()]
    (tmp_path / SLOW).touch()
    kill_after(start(tmp_path, STEPS), "half")  # before there is any whole checkpoint
    assert not (tmp_path / CHECKPOINT).exists()
    (tmp_path / SLOW).unlink()
    kill_after(start(tmp_path, STEPS), "3")
    whole = (tmp_path / CHECKPOINT).read_bytes()
    (tmp_path / SLOW).touch()
    kill_after(start(tmp_path, STEPS), "half")
    assert (tmp_path / CHECKPOINT).read_bytes() == whole
    (tmp_path / SLOW).unlink()
    assert finish(tmp_path, STEPS) == undisturbed
    assert [one.name for one in tmp_path.iterdir()] == [CHECKPOINT]  # no halves are left
