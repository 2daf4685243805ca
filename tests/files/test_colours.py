"""A colour that a file does not name is not guessed in silence."""

from pathlib import Path

import pytest

from rdl_live.errors import DataError
from rdl_live.files import load_microscope
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.colours import choose_colour, match


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


def test_illuminations_of_one_colour_are_told_apart_by_name_alone(root: Path) -> None:
    channels = load_microscope(root / "configs" / "demo-tirf.yaml").channels

    def found(name: str) -> str | None:
        one = match(ChannelLabel(name, 488.0, 525.0), channels)
        return one and one.name

    assert found("488 GI") == "488 GI"
    assert found("TIRF 488") == "488 TIRF"
    assert found("488") is None  # so the first is assumed, which is reported
    assert match(ChannelLabel("560 GI", 560.0, 600.0), channels) == channels[4]
    with pytest.raises(DataError, match="both"):
        match(ChannelLabel("488 GI", 560.0, 600.0), channels)
