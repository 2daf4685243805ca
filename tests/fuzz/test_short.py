"""A short form of `make fuzz`: the same targets, a fixed choice of broken inputs."""

from pathlib import Path
from random import Random

import pytest

from . import NAMES

pytest.importorskip("resource", reason="watches memory as Linux and macOS tell it")

INPUTS = 80


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_broken_files_are_refused_in_words(name: str, tmp_path: Path) -> None:
    from .harness import Runner
    from .targets import target

    runner, random = Runner(target(name), tmp_path / name), Random(7)
    for seed in runner.target.seeds:
        assert runner.attempt(seed), runner.outcome.findings.keys()
    whole = runner.outcome.tried - runner.outcome.refused
    assert whole >= len(runner.target.seeds) // 2, "the seeds themselves are not read"
    for _ in range(INPUTS):
        runner.attempt(runner.target.mutate(random.choice(runner.target.seeds), random))
    assert not runner.outcome.findings
    assert runner.outcome.refused, "nothing was broken"
