"""What is counted between a host and the process that computes its images."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from rdl_live.files import load_microscope
from rdl_live.files.recorder.tags import SeriesKey
from rdl_live.stream.worker_process import Link


def test_a_series_whose_image_has_come_is_not_lost_with_the_process(root: Path) -> None:
    """A process may be killed between sending an image and saying that it is done with the series."""
    scope = load_microscope(root / "configs" / "demo.yaml")
    setup = SimpleNamespace(recipe=SimpleNamespace(shape=(8, 8), factor=2, scope=scope))
    link = Link(cast(Any, None), cast(Any, setup), cast(Any, None))
    first, second = SeriesKey(0, 0, 0, 0), SeriesKey(1, 0, 0, 0)
    link.note(first, 0.0)
    link.note(second, 0.0)
    assert link.lost == (first, second)
    link.made(first)
    assert link.lost == (second,)
    assert link.series == (first, second)  # its block is in use until it is released
    link.answered((first,))
    assert (link.series, link.lost) == ((second,), (second,))
