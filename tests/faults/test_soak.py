"""The soak (`make soak`), short: starts, stops and faults at random."""

from pathlib import Path

from benchmarks.soak import Soak


def test_a_short_soak_leaves_nothing_behind(tmp_path: Path) -> None:
    report = Soak(300.0, 5, tmp_path, most_runs=6)()
    assert report.ok, report.problems
    assert report.runs == report.dark_stops > 0
    assert report.recordings > 0
    assert not list(tmp_path.iterdir())
