"""`make fuzz ARGS="--minutes 60"`: break files at random and see that the readers only ever complain in words.

One process at a time, one target after the other. With atheris (`pip install atheris`; no dependency of ours) what is
broken next follows the code that is reached; without it, what was read well after a change is changed again. Each
finding is written to `--out` with the input that showed it, and the exit code is 1 if there are any.
"""

import argparse
import hashlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from . import NAMES
from .harness import Outcome, Runner, limit_memory

INSTRUMENTED = ["rdl_live", "rdl_models", "tifffile", "zarr", "yaml", "xml"]


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="for all targets together")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--target", choices=NAMES, action="append", help="only this one; may be repeated")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "rdl-fuzz", help="for findings")
    parser.add_argument("--input", type=Path, help="try this one input only (needs one --target)")
    engines = ("atheris", "random")
    chosen = engines[0] if importlib.util.find_spec("atheris") else engines[1]
    parser.add_argument("--engine", choices=engines, default=chosen)
    options = parser.parse_args()
    names = options.target or list(NAMES)
    options.out.mkdir(parents=True, exist_ok=True)
    if len(names) > 1:
        return max([_in_child(name, options, options.minutes / len(names)) for name in names])
    return _fuzz_one(names[0], options)


def _in_child(name: str, options: argparse.Namespace, minutes: float) -> int:
    """Fuzz in a process of its own: an input may kill it, and atheris ends it."""
    command = [sys.executable, "-m", "tests.fuzz", "--target", name, "--minutes", str(minutes)]
    command += ["--seed", str(options.seed), "--out", str(options.out), "--engine", options.engine]
    told = options.out / f"{name}.json"
    told.unlink(missing_ok=True)
    code = subprocess.run(command, check=False).returncode
    if code not in (0, 1) or not told.exists():
        print(f"{name}: the process died with {code}; its last input is {options.out / name}.last", flush=True)
        return 1
    return int(bool(json.loads(told.read_text())["findings"]))


def _fuzz_one(name: str, options: argparse.Namespace) -> int:
    if options.engine == "atheris" and not options.input:
        import atheris

        with atheris.instrument_imports(include=INSTRUMENTED):
            from .targets import target
    else:
        from .targets import target

    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(target(name), Path(folder) / name, options.out / f"{name}.last")
        limit_memory()
        if options.input:
            runner.attempt(options.input.read_bytes())
        elif options.engine == "atheris":
            _follow_coverage(runner, options, Path(folder))
        else:
            _at_random(runner, Random(f"{options.seed} {name}"), 60 * options.minutes)
        _tell(name, runner.outcome, options.out)
    return int(bool(runner.outcome.findings))


def _at_random(runner: Runner, random: Random, seconds: float) -> None:
    """Try mutations of the seeds, and of what has been read well after a mutation."""
    seeds = runner.target.seeds
    pool = list(seeds)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        content = runner.target.mutate(random.choice(pool), random)
        refused = runner.outcome.refused
        if runner.attempt(content) and runner.outcome.refused == refused and len(content) < 100_000:
            if len(pool) < len(seeds) + 200:
                pool.append(content)
            else:
                pool[random.randrange(len(seeds), len(pool))] = content


def _follow_coverage(runner: Runner, options: argparse.Namespace, folder: Path) -> None:
    """Let libFuzzer choose what is mutated; it ends the process, so what was found is told as it goes."""
    import atheris

    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(runner.target.seeds):
        (corpus / str(number)).write_bytes(seed)

    def mutate(content: bytes, largest: int, seed: int) -> bytes:
        return runner.target.mutate(content or runner.target.seeds[0], Random(seed))[:largest]

    def attempt(content: bytes) -> None:
        known = len(runner.outcome.findings)
        runner.attempt(bytes(content))
        if runner.outcome.tried % 200 == 0 or len(runner.outcome.findings) > known:
            _tell(runner.target.name, runner.outcome, options.out, say=lambda _: None)

    limits = [f"-max_total_time={max(int(60 * options.minutes), 1)}", "-timeout=0", "-rss_limit_mb=0"]
    limits += [
        f"-seed={options.seed % 2**31 + 1}",
        "-max_len=200000",
        "-verbosity=0",
        f"-artifact_prefix={options.out}/",
    ]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], attempt, custom_mutator=mutate)
    atheris.Fuzz()


def _tell(name: str, outcome: Outcome, out: Path, say: Callable[[str], None] = print) -> None:
    told = {
        "target": name,
        "inputs": outcome.tried,
        "refused": outcome.refused,
        "slowest_s": round(outcome.slowest_s, 2),
        "findings": list(outcome.findings),
    }
    say(json.dumps(told))
    (out / f"{name}.json").write_text(json.dumps(told))
    for why, content in outcome.findings.items():
        file = out / f"{name}-{hashlib.sha1(why.encode()).hexdigest()[:12]}"
        file.write_bytes(content)
        file.with_suffix(".txt").write_text(why + "\n")


if __name__ == "__main__":
    sys.exit(main())
