"""Which colour is read is said before anything is learnt from it, where neither file nor user names it."""

from pathlib import Path

import pytest
import tifffile

from rdl_live.app.retrain.films import open_film, open_films
from tests.cases.scene import Scene, film, flat, microscope

SENTENCE = "the file does not name its channel: read as 488, the first; add --channel NAME if it is 561"


@pytest.mark.parametrize(
    ("names", "channel", "said"), [(("488", "561"), None, True), (("488", "561"), "488", False), ((), None, False)]
)
def test_the_colour_that_is_assumed_is_said(
    tmp_path: Path, names: tuple[str, ...], channel: str | None, said: bool
) -> None:
    scene = Scene(seed=5)
    tifffile.imwrite(tmp_path / "raw.tif", flat(film(scene, 2)), photometric="minisblack")
    scope = microscope(tmp_path / "M.yaml", scene, *names)
    opened = open_film(tmp_path / "raw.tif", scope, channel=channel)
    assert opened.assumed == (SENTENCE if said else "")
    heard: list[str] = []
    open_films([tmp_path / "raw.tif"], scope, channel=channel, notify=heard.append)
    assert (f"raw.tif: {SENTENCE}" in heard) == said
