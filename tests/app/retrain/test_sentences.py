"""The sentence that a user reads at the end of a retraining is the right one: scripted runs, from figures to words."""

from typing import Any

import pytest

from rdl_live.app.compare.run import judged_words
from rdl_live.app.retrain.process import taken
from rdl_live.train.recordings.bootstrap import Interval
from rdl_live.train.recordings.judge import Judged
from rdl_live.train.recordings.verdict import NOTHING, Gain
from rdl_live.view.live.session import Severity
from rdl_live.view.retrain.model import RetrainModel, headline
from rdl_live.view.retrain.state import Phase, Progress

Line = dict[str, Any]
BEFORE: tuple[Line, ...] = (
    {"word": "structures move 6 nm from a time point to the next"},
    {"phase": "training", "done": 0.5, "step": 50, "loss": 0.4, "held_out": 0.97, "before": 1.0},
)


def judged(value: float, low: float, high: float) -> Judged:
    return Judged(Interval(value, low, high), Interval(value**2 - 1, low**2 - 1, high**2 - 1), 1.0, ())


def kept(gain: Gain) -> tuple[Line, ...]:
    """What the process says where it writes nothing."""
    assert not gain.helped
    return (*BEFORE, {"word": gain.words}, {"phase": "unchanged", "done": 1.0, "outcome": gain.outcome})


def written(gain: Gain, here: Judged, elsewhere: Judged | None, *, warnings: bool = False) -> tuple[Line, ...]:
    """What it says where it writes weights, which are then compared."""
    assert gain.helped
    standing, words = judged_words(here, elsewhere, "rdl")
    offered = standing == "better" and not warnings
    last = {"phase": "done", "weights": "w.safetensors", "outcome": gain.outcome, "offered": offered, "verdict": words}
    return (*BEFORE, {"word": gain.words}, {"phase": "judging"}, last)


BETTER, PLACE = judged(0.9, 0.85, 0.95), judged(0.97, 0.9, 1.04)
BRIGHT = "bright data: the noise is 1.0% of the image's contrast; nothing was trained, keep the weights that you have"
RUNS = [
    (written(Gain(BETTER, PLACE), BETTER, PLACE), "the new denoiser is better", "and the new denoiser is better"),
    (written(Gain(BETTER, PLACE), judged(0.96, 0.9, 1.02), None), "the old denoiser is kept", "cannot tell whether"),
    (
        written(Gain(BETTER, PLACE), BETTER, judged(1.1, 1.05, 1.2)),
        "the old denoiser is kept",
        "cannot tell whether it is better than rdl on other recordings",
    ),
    (written(Gain(BETTER, None), BETTER, None, warnings=True), "the old denoiser is kept", "old denoiser is kept"),
    (kept(NOTHING), "nothing was gained", "at no time were the errors on held-out photons smaller"),
    (kept(Gain(judged(1.0, 0.99, 1.01), None)), "nothing was gained", "next to nothing gained"),
    (kept(Gain(judged(0.99, 0.97, 0.995), None)), "nothing was gained", "next to nothing gained"),
    (kept(Gain(judged(1.06, 1.02, 1.1), None)), "made it worse", "training made it worse: errors at held-out"),
    (kept(Gain(judged(0.96, 0.9, 1.02), None)), "cannot tell whether retraining helps", "cannot tell whether"),
    (kept(Gain(BETTER, judged(1.1, 1.05, 1.2))), "only in the part of the field", "only where it was learnt"),
    (({"word": BRIGHT}, {"phase": "unchanged", "done": 1.0}), "Ended before any training", "bright data"),
    ((*BEFORE, {"phase": "failed", "word": "film.tif: no such file"}), "Failed", "film.tif: no such file"),
]


@pytest.mark.parametrize(("lines", "short", "long"), RUNS)
def test_the_sentence_at_the_end_is_the_right_one(lines: tuple[Line, ...], short: str, long: str) -> None:
    progress = Progress()
    for line in lines:
        progress = taken(progress, line)
    assert progress.phase.over
    title = headline(progress, 10)
    assert short in title
    if progress.phase is not Phase.DONE:
        assert "Nothing is changed" in title
    news = RetrainModel().news(progress)
    assert news is not None
    assert long in news[1]
    assert news[0] is {Phase.FAILED: Severity.ERROR, Phase.DONE: Severity.WARNING}.get(
        progress.phase if not progress.offered else Phase.UNCHANGED, Severity.INFO
    )
    # Only what was found certainly better is called better.
    called = "is better" in title or "is better:" in news[1]
    assert called == progress.offered


def test_while_it_trains_the_error_is_relative_to_the_start() -> None:
    progress = Progress()
    for line in BEFORE:
        progress = taken(progress, line)
    assert "0.970 of that at the start" in headline(progress, 10)
