"""Is the judge of retraining right? `python -m benchmarks.judging --out FILE.jsonl`, which goes on where it was left.

For each case (`benchmarks.judging_cases`) a recording is simulated, the shipped weights are trained on it as `train`
does (rehearsal, weights part of the way back), and the judge compares them with those that they came from, without the
truth; then the truth is asked: for the error, and for the share of it that the 90 % intervals hold. `--rates` trains
each recording several times: at the usual rate, and at one that does harm as a rule, such as 0.004. Where no weights
did better on what is held out, the last ones are judged. One JSON line a training.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.judging_cases import Case, Recorded, cases, described, record
from rdl_live.restore import Restorer
from rdl_live.train.loop.loop import Training
from rdl_live.train.recordings.blend import best_blend
from rdl_live.train.recordings.film import INSET
from rdl_live.train.recordings.judge import measure as measured
from rdl_live.train.recordings.judge import other_patterns, spread
from rdl_live.train.recordings.moments import Moments
from rdl_live.train.recordings.run import starting_weights
from rdl_live.train.recordings.settings import Scheme, SelfSupSettings
from rdl_live.train.recordings.trainer import PairTask
from rdl_live.train.recordings.verdict import Gain
from rdl_live.train.retraining import rehearsed
from rdl_models import Network, Weights, load_weights

OTHER_FIELD = 1000
RATE = SelfSupSettings().learning_rate
"""Learning rate."""
WITHIN = 1.645
"""Standard deviations that hold 90 % of a normal distribution."""
KNOWN_TIMES = 3
"""Time points that judge weights that are given."""
PLACE_TIMES = 4
"""Time points that judge the part of the field that nothing is learnt from."""
TOLERATED = 1.01
"""True ratio above which weights must not be written."""


def measure(case: Case, steps: int, rates: Sequence[float] = (RATE,)) -> list[dict[str, Any]]:
    """Train on one recording, once at each learning rate, judge the weights, and ask the truth."""
    recorded, other = record(case), record(case, seed=case.seed + OTHER_FIELD, times=2)
    film, start, worked = recorded.film, time.perf_counter(), time.process_time()
    settings = SelfSupSettings(
        scheme=Scheme(case.scheme),
        steps=steps,
        workers=0,
        seed=case.seed,
    )
    old = starting_weights("rdl", film)
    many = [Moments([film], settings.replace(learning_rate=rate)) for rate in rates]
    trained = [_trained(PairTask(old.network, one)) for one in many]
    moments = many[0]
    took = time.process_time() - worked
    held = [moment.time for moment in moments.judging(film)]
    networks, others = [old.network, *(network for network, _ in trained)], other_patterns(film)
    here = measured(film, networks, held, others=others)
    place = moments.places[id(film)]
    apart = (
        None
        if place is None
        else measured(film, networks, spread(range(1, len(film), 2), PLACE_TIMES), area=place.area(film), others=others)
    )
    rows = []
    for number, (network, share) in enumerate(trained, start=1):
        found = Gain(here.judged(number), None if apart is None else apart.judged(number))
        new = replace(old, network=network)
        same, elsewhere = against_truth(recorded, held, old, new), against_truth(other, range(2), old, new)
        rows.append(
            {
                **described(case),
                "rate": rates[number - 1],
                "trusted": sum(one.trusted for one in film.patterns),
                "true": same.ratio,
                "true_other_field": elsewhere.ratio,
                "covered": [round(one, 4) for one in same.covered],
                "covered_other_field": [round(one, 4) for one in elsewhere.covered],
                "judged": found.here.ratio.record(),
                "standing": found.here.standing,
                "elsewhere": None if found.elsewhere is None else found.elsewhere.ratio.record(),
                "written": share > 0 and found.helped,
                "share": share,
                "steps": steps,
                "training_cpu_s": round(took / len(rates), 1),
                "cpu_s": round(time.process_time() - worked, 1),
                "seconds": round(time.perf_counter() - start, 1),
            }
        )
    return rows


def measure_known(case: Case, weights: Sequence[str]) -> list[dict[str, Any]]:
    """Judge weights that there are already against the first of them, and ask the truth; nothing is trained."""
    start = time.perf_counter()
    recorded = record(case)
    film, known = recorded.film, [load_weights(name) for name in weights]
    held = spread(range(len(film)), KNOWN_TIMES)
    sample = measured(film, [one.network for one in known], held, others=other_patterns(film))
    rows = []
    for number in range(1, len(known)):
        found = sample.judged(number)
        rows.append(
            {
                **described(case),
                "weights": Path(weights[number]).name,
                "true": against_truth(recorded, held, known[0], known[number]).ratio,
                "judged": found.ratio.record(),
                "standing": found.standing,
                "written": False,
                "seconds": round(time.perf_counter() - start, 1),
            }
        )
    return rows


def _trained(task: PairTask) -> tuple[Network, float]:
    """Return the network that a training gives, and the share of the change that it holds.

    0 where nothing did better on what is held out than the first one; then it is the network of the end.
    """
    training = Training(rehearsed(task))
    for _ in training.run():
        pass
    found = best_blend(task, training.started, training.learnt)
    return (found.network if found.share else training.learnt), found.share


@dataclass(frozen=True)
class Truth:
    """What the truth says of two denoisers."""

    ratio: float
    """Error of the second / that of the first (root mean square)."""
    covered: tuple[float, float]
    """Share of the pixels whose truth lies within the 90 % interval of each; NaN where it tells none."""


def against_truth(recorded: Recorded, times: Sequence[int], old: Weights, new: Weights) -> Truth:
    """Ask the truth about the delivered images, inside of the field."""
    film, inside = recorded.film, slice(2 * INSET, -2 * INSET)
    errors, covered = [], []
    for weights in (old, new):
        quiet = weights.network.eval()
        restorer = Restorer(film.scope, film.patterns, film.shape, replace(weights, network=quiet))
        total, held = 0.0, []
        for at in times:
            restored = restorer.restore(torch.from_numpy(film.frames[at].astype(np.float32)))
            off = np.abs(restored.sr.double().numpy() - recorded.truth[at])[inside, inside]
            total += float((off**2).mean())
            if restored.sigma is not None:
                held.append(float((off <= WITHIN * restored.sigma.double().numpy()[inside, inside]).mean()))
        errors.append(total)
        covered.append(float(np.mean(held)) if held else float("nan"))
    return Truth(float(np.sqrt(errors[1] / errors[0])), (covered[0], covered[1]))


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


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Return the table of trainings for a page: one line each, sorted by kind and light."""
    heads = (
        *("specimen", "photons", "motion", "scheme", "wrong", "seed", "steps", "CPU s"),
        *("true", "true, other field", "judged (95 %)", "holds", "standing", "written", "90 % intervals hold"),
    )
    lines = ["| " + " | ".join(heads) + " |", "| --- | ---: | --- | --- | --- |" + " ---: |" * 5 + " --- |" * 5]
    for row in sorted(rows, key=lambda one: (one["kind"], one["photons"], one["motion"], one["trouble"])):
        value, low, high = row["judged"]
        known = value is not None
        told = f"{value:.3f} ({low:.3f} to {high:.3f})" if known else "too small to compare"
        holds = ("yes" if low <= row["true"] <= high else "**no**") if known else ""
        cells = (
            *(row["kind"], f"{row['photons']:g}", row["motion"], row["scheme"], row["trouble"], row["seed"]),
            *(row["steps"], f"{row['training_cpu_s']:.0f}", f"{row['true']:.3f}", f"{row['true_other_field']:.3f}"),
            *(told, holds, row["standing"], "yes" if row["written"] else ""),
            f"{row['covered'][0]:.3f}, {row['covered'][1]:.3f}",
        )
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Go on with the cases; return 1 where the judge was wrong too often."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judging", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.jsonl", help="a line a case; gone on with")
    parser.add_argument("--steps", type=int, default=45, help="of each training (default 45)")
    parser.add_argument(
        "--round", type=int, default=1, metavar="N", help="other seeds, fields, microscopes (from 2 on)"
    )
    parser.add_argument("--rates", type=float, nargs="+", default=[RATE], metavar="R", help="learning rates")
    parser.add_argument("--most", type=int, help="cases to do now")
    parser.add_argument("--part", default="0/1", metavar="I/N", help="every Nth case from the Ith (0/1)")
    parser.add_argument("--table", type=Path, metavar="FILE.md", help="write the trainings as a table there")
    parser.add_argument("--weights", nargs="+", metavar="W", help="judge these against the first; no training")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    first, count = (int(one) for one in options.part.split("/"))
    rows = _known(options.out)
    wanted = cases(options.round)
    done = {Case(**{name: row[name] for name in described(wanted[0]) if name in row}).name for row in rows}
    left = [one for one in wanted[first::count] if one.name not in done][: options.most]
    for case in left:
        found = measure_known(case, options.weights) if options.weights else measure(case, options.steps, options.rates)
        rows += found
        with options.out.open("a", encoding="utf-8") as lines:
            lines.write("".join(json.dumps(row) + "\n" for row in found))
        for row in found:
            shown = ("rate", "weights", "true", "judged", "standing", "written")
            told = {key: row[key] for key in shown if key in row}
            print(json.dumps({"case": case.name, **told}), flush=True)
    if options.table:
        options.table.write_text(markdown([row for row in rows if "steps" in row]), encoding="utf-8")
    table = summary(rows)
    print(json.dumps(table, indent=2))
    right = (table["interval_holds_truth"] or 0) >= 0.9 and table["wrong_with_confidence"] <= len(rows) / 60
    return 0 if right and not table["harm_written_or_called_better"] else 1


def _known(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


if __name__ == "__main__":
    sys.exit(main())
