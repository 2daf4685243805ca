"""The process of `rdl_live.app.retrain.process`: trains, writes one JSON object per line, ends when its input ends."""

import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch takes a second to load
    from rdl_live.train.loop.loop import Look
    from rdl_live.train.recordings.film import Film

NICE = 10
"""Imaging goes first: with all cores busy this process gets about a tenth of one."""
MOST_BYTES = 256 * 2**20
"""Raw frames in memory."""


def main(text: str) -> int:
    """Train as the order says; return the exit code."""
    if hasattr(os, "nice"):  # on Windows whoever starts it has set its priority
        os.nice(NICE)
    ended, orderly = threading.Event(), threading.Event()
    threading.Thread(target=_until_input_ends, args=(ended, orderly), daemon=True).start()
    import torch

    from rdl_live.errors import RdlError

    torch.set_num_threads(1)
    try:
        _train(json.loads(text), ended, orderly)
    except RdlError as error:
        _say(phase="failed", word=str(error))
    return 0


def _train(order: dict[str, Any], ended: threading.Event, orderly: threading.Event) -> None:
    from rdl_live.app.retrain.films import open_films
    from rdl_live.train import train_on_films
    from rdl_live.train.loop.loop import Step
    from rdl_live.train.loop.outputs import Outputs, check_outputs
    from rdl_live.train.recordings.settings import Scheme, SelfSupSettings

    out = Path(order["out"])
    outputs = Outputs(out)
    check_outputs(outputs, resume=order["resume"], overwrite=False)
    films = open_films(
        [Path(raw) for raw in order["raws"]],
        Path(order["microscope"]),
        channel=order["channel"],
        most_bytes=MOST_BYTES,
        notify=_word,
    )
    scheme = order["scheme"]
    settings = SelfSupSettings(
        scheme=Scheme.TIS if scheme == "auto" else Scheme(scheme),
        minutes=order["minutes"],
        steps=order["steps"],
        start=order["start"],
        # No helpers: memory and processors belong to the imaging.
        workers=0,
    )

    def watch(step: Step) -> bool:
        _say(
            phase="training",
            done=step.done,
            step=step.number,
            loss=step.loss,
            held_out=_root(step.look),
            before=_root(step.before),
            preview=str(outputs.preview) if step.look is not None else None,
        )
        return ended.is_set()

    orderly.set()
    result = train_on_films(
        films, out, settings, auto=scheme == "auto", resume=order["resume"], watch=watch, notify=_word
    )
    orderly.clear()
    for word in result.words:
        _word(word)
    outcome = None if result.gain is None else result.gain.outcome
    if ended.is_set():
        _say(phase="cancelled")
    elif result.card is None:
        _say(phase="unchanged", done=1.0, outcome=outcome)
    else:
        verdict = _judged(films, out, order["start"]) if order["judge"] else {"offered": True}
        _say(phase="done", done=1.0, weights=str(out), outcome=outcome, **verdict)


def _judged(films: "list[Film]", out: Path, start: str) -> dict[str, object]:
    """Compare the new weights with those started from on some recordings; return what follows, for the window."""
    from rdl_live.app.compare.judge import judge_films

    _say(phase="judging")
    offered, words = judge_films(films, (start, str(out)))
    return {"offered": offered, "verdict": words}


def _root(look: "Look | None") -> float | None:
    return None if look is None else max(look.error, 0.0) ** 0.5


def _until_input_ends(ended: threading.Event, orderly: threading.Event) -> None:
    """Wait for the end of the input; `orderly` says that the training sees it and keeps its checkpoint."""
    sys.stdin.read()
    ended.set()
    if not orderly.is_set():  # before it there is nothing to keep, after it the weights are written
        os._exit(0)


def _word(text: str) -> None:
    _say(word=text)


def _say(**said: object) -> None:
    print(json.dumps({name: value for name, value in said.items() if value is not None}), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
