"""Is the judge of retraining right? `python -m benchmarks.judging --out FILE.jsonl`, which goes on where it was left.

For each case (`benchmarks.judging_cases`) a recording is simulated, the shipped weights are trained on it, and the
judge compares them with those that they came from, without the truth; then the truth is asked. Where no weights did
better on what is held out, the last ones are judged, which are worse as a rule. One JSON line a case.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.judging_cases import Case, Recorded, cases, described, record
from rdl_live.restore import Restorer
from rdl_live.train.loop.loop import Training
from rdl_live.train.recordings.film import INSET
from rdl_live.train.recordings.moments import Moments
from rdl_live.train.recordings.run import starting_weights
from rdl_live.train.recordings.settings import Scheme, SelfSupSettings
from rdl_live.train.recordings.trainer import PairTask
from rdl_live.train.recordings.verdict import gain
from rdl_models import Weights

OTHER_FIELD = 1000
TOLERATED = 1.01
"""True ratio above which weights must not be written."""


def measure(case: Case, steps: int) -> dict[str, Any]:
    """Train, judge, and ask the truth."""
    start = time.perf_counter()
    recorded = record(case)
    film = recorded.film
    settings = SelfSupSettings(
        scheme=Scheme(case.scheme),
        steps=steps,
        batch=1,
        tile=64,
        workers=0,
        rehearsal=0.0,
        validate_every=steps,
        learning_rate=case.rate,
        seed=case.seed,
    )
    old = starting_weights("rdl", film)
    moments = Moments([film], settings)
    training = Training(PairTask(old.network, moments))
    for _ in training.run():
        pass
    found_any = training.state.best_step > 0
    network = training.result if found_any else training.average
    found = gain(moments, training.started, network)
    new = replace(old, network=network)
    held = [moment.time for moment in moments.held]
    other = record(case, seed=case.seed + OTHER_FIELD, times=2)
    elsewhere = found.elsewhere
    return {
        **described(case),
        "true": true_ratio(recorded, held, old, new),
        "true_other_field": true_ratio(other, range(2), old, new),
        "judged": found.here.ratio.record(),
        "standing": found.here.standing,
        "elsewhere": None if elsewhere is None else elsewhere.ratio.record(),
        "written": found_any and found.helped,
        "chosen": found_any,
        "steps": steps,
        "seconds": round(time.perf_counter() - start, 1),
    }


def true_ratio(recorded: Recorded, times: Sequence[int], old: Weights, new: Weights) -> float:
    """Return the error of the delivered images after / before, inside of the field."""
    film, inside = recorded.film, slice(2 * INSET, -2 * INSET)
    errors = []
    for weights in (old, new):
        quiet = weights.network.eval()
        restorer = Restorer(film.scope, film.patterns, film.shape, replace(weights, network=quiet))
        total = 0.0
        for at in times:
            image = restorer(torch.from_numpy(film.frames[at].astype(np.float32))).double().numpy()
            total += float(((image - recorded.truth[at])[inside, inside] ** 2).mean())
        errors.append(total)
    return float(np.sqrt(errors[1] / errors[0]))


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return how often the judge was right."""
    known = [row for row in rows if row["judged"][0] is not None]
    holds = [row["judged"][1] <= row["true"] <= row["judged"][2] for row in known]
    wrong = [
        row
        for row in known
        if (row["standing"] == "better" and row["true"] > 1) or (row["standing"] == "worse" and row["true"] < 1)
    ]
    harm = [row for row in rows if row["true"] > TOLERATED and (row["written"] or row["standing"] == "better")]
    return {
        "cases": len(rows),
        "interval_holds_truth": round(float(np.mean(holds)), 3) if holds else None,
        "wrong_with_confidence": len(wrong),
        "harm_written_or_called_better": len(harm),
        "written": sum(bool(row["written"]) for row in rows),
        "standing": {
            name: sum(row["standing"] == name for row in rows) for name in ("better", "worse", "equal", "unknown")
        },
        "median_true_of_written": (
            round(float(np.median([row["true"] for row in rows if row["written"]])), 4)
            if any(row["written"] for row in rows)
            else None
        ),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Go on with the cases; return 1 where the judge was wrong too often."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judging", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.jsonl", help="a line a case; gone on with")
    parser.add_argument("--steps", type=int, default=60, help="of each training (default 60)")
    parser.add_argument("--most", type=int, help="cases to do now")
    parser.add_argument("--part", default="0/1", metavar="I/N", help="every Nth case from the Ith (0/1)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    first, count = (int(one) for one in options.part.split("/"))
    rows = _known(options.out)
    done = {Case(**{name: row[name] for name in described(cases()[0])}).name for row in rows}
    left = [one for one in cases()[first::count] if one.name not in done][: options.most]
    for case in left:
        row = measure(case, options.steps)
        rows.append(row)
        with options.out.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")
        print(json.dumps({"case": case.name, **{key: row[key] for key in ("true", "judged", "standing", "written")}}))
        sys.stdout.flush()
    found = summary(rows)
    print(json.dumps(found, indent=2))
    right = (found["interval_holds_truth"] or 0) >= 0.9 and found["wrong_with_confidence"] <= len(rows) / 60
    return 0 if right and not found["harm_written_or_called_better"] else 1


def _known(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


if __name__ == "__main__":
    sys.exit(main())
