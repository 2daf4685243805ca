"""A colour that a file does not name is not guessed in silence."""

from pathlib import Path

import pytest

from rdl_live.files import load_microscope
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.colours import choose_colour


@pytest.mark.parametrize("labels", [(), (ChannelLabel("Channel:0"),)], ids=["no name", "a name that says nothing"])
def test_the_first_is_taken_and_said(root: Path, labels: tuple[ChannelLabel, ...]) -> None:
    channels = load_microscope(root / "configs" / "demo-multicolour.yaml").channels
    chosen = choose_colour(labels, channels, None)
    assert chosen.channel == channels[0]
    assert "read as 405" in chosen.assumed
    assert "--channel NAME if it is 488 or 560" in chosen.assumed
    assert not chosen.notes  # nothing is known to be wrong


def test_there_is_nothing_to_be_said_where_it_is_clear(root: Path) -> None:
    channels = load_microscope(root / "configs" / "demo-multicolour.yaml").channels
    assert not choose_colour((), channels, channels[1]).assumed  # asked for
    assert not choose_colour((), channels[:1], None).assumed  # the only one
    named = choose_colour((ChannelLabel("488"),), channels, None)
    assert named.channel == channels[1]
    assert not named.notes
    assert not named.assumed
