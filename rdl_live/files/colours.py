"""Which colour of a file is which channel of the microscope file: by name and wavelength, not by place."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rdl_live.errors import DataError
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.optics.microscope import Channel

_EXCITATION_NM, _EMISSION_NM = 12.0, 32.0
"""How far a wavelength may be from that of a channel: lasers differ between makers, filters are broad."""
_NUMBER = re.compile(r"(?<![\d.])([3-9]\d\d|1[01]\d\d)(?:\.\d+)?(?!\d)(?!\s*(?:ms|x|px|%))")
_DYES_NM = {
    **dict.fromkeys(("dapi", "hoechst", "bfp", "ebfp"), 455.0),
    **dict.fromkeys(("cfp", "cerulean", "mturquoise"), 478.0),
    **dict.fromkeys(("gfp", "egfp", "fitc", "mneongreen", "meos"), 515.0),
    **dict.fromkeys(("yfp", "eyfp", "venus", "mvenus"), 530.0),
    **dict.fromkeys(("cy3", "tritc", "dsred", "tdtomato"), 575.0),
    **dict.fromkeys(("rfp", "mcherry", "texas red", "mscarlet", "mruby"), 603.0),
    **dict.fromkeys(("cy5", "sir", "farred", "far red", "irfp"), 668.0),
}
"""Names of dyes that people give to channels, and where these emit."""


@dataclass(frozen=True)
class ChosenColour:
    """Which colour is read, with which channel's optics."""

    index: int | None
    """In the file; None where it names no colours."""
    channel: Channel | None
    """Of the microscope file; None where that is not known here."""
    notes: tuple[str, ...] = ()
    assumed: str = ""
    """Sentence that says which channel was assumed, where file and user name none and there are several."""


def match(label: ChannelLabel, channels: Sequence[Channel]) -> Channel | None:
    """Return the channel that a file's colour is, None where its name and wavelengths say nothing of any.

    Raises:
        DataError: name and wavelengths mean different channels; names both.
    """
    named = _by_name(label.name, channels)
    lit = _nearest(label.excitation_nm, channels, "excitation_nm", _EXCITATION_NM)
    seen = _nearest(label.emission_nm, channels, "emission_nm", _EMISSION_NM)
    # DeltaVision files and others keep the laser's wavelength where that of the emission should be.
    if not seen and label.excitation_nm is None:
        seen = _nearest(label.emission_nm, channels, "excitation_nm", _EXCITATION_NM)
    said = [one for one in (named, lit, seen) if one]
    both = [channel for channel in channels if said and all(channel in one for one in said)]
    if said and not both:
        found = list(dict.fromkeys(one[0].name for one in said))
        raise DataError(
            f"a channel of the file is {label}: by its name or wavelengths it is both {' and '.join(found)} of the "
            "microscope file; correct one of them"
        )
    # Several illuminations of one colour have the same wavelengths: then a name must say which.
    return both[0] if len(both) == 1 else None


def _by_name(name: str, channels: Sequence[Channel]) -> list[Channel]:
    plain = name.strip().lower()
    for channel in channels:
        if channel.name.strip().lower() == plain:
            return [channel]
    numbers = {float(number) for number in _NUMBER.findall(plain)}
    found = [
        one
        for number in numbers
        for one in (
            *_nearest(number, channels, "excitation_nm", _EXCITATION_NM),
            *(channel for channel in channels if number in {float(n) for n in _NUMBER.findall(channel.name)}),
        )
    ]
    if not found:
        dyes = [nm for dye, nm in _DYES_NM.items() if re.search(rf"\b{dye}\b", plain)]
        found = [one for nm in dyes for one in _nearest(nm, channels, "emission_nm", _EMISSION_NM)]
    if not found:
        found = [one for nm in numbers for one in _nearest(nm, channels, "emission_nm", _EMISSION_NM)]
    if len({(one.excitation_nm, one.emission_nm) for one in found}) > 1:
        return []
    lit = [
        one
        for one in found
        if one.illumination and re.search(rf"\b{re.escape(one.illumination.name.lower())}\b", plain)
    ]
    return lit or found


def _nearest(nm: float | None, channels: Sequence[Channel], what: str, tolerance: float) -> list[Channel]:
    """Return the channels of the nearest wavelength: several only where these are illuminations of one colour."""
    if nm is None:
        return []
    near = min(channels, key=lambda channel: abs(getattr(channel, what) - nm), default=None)
    if near is None or abs(getattr(near, what) - nm) > tolerance:
        return []
    return [near, *(one for one in channels if one is not near and _same_colour(one, near))]


def _same_colour(one: Channel, other: Channel) -> bool:
    """Whether two channels are illuminations of one colour."""
    lit = one.illumination is not None and other.illumination is not None
    return lit and (one.excitation_nm, one.emission_nm) == (other.excitation_nm, other.emission_nm)


def says_something(label: ChannelLabel) -> bool:
    """Whether a label names a wavelength, or a dye."""
    known = label.excitation_nm is not None or label.emission_nm is not None
    words = label.name.lower()
    return known or bool(_NUMBER.search(words)) or any(re.search(rf"\b{dye}\b", words) for dye in _DYES_NM)


def choose_colour(labels: Sequence[ChannelLabel], channels: Sequence[Channel], asked: Channel | None) -> ChosenColour:
    """Return the colour of a file to be read, and the channel of the microscope file that it is.

    Args:
        labels: of the file's colours, in order; empty where it has none.
        channels: of the microscope file.
        asked: the channel that the user wants; None: the first of the microscope file that the file has.

    Raises:
        DataError: the file's names contradict the wanted channel, or two colours of the file are the same channel.
    """
    if not labels:
        return ChosenColour(None, asked or channels[0], assumed=_assumed(channels, asked))
    matches = [match(label, channels) for label in labels]
    wanted = asked or next((channel for channel in channels if channel in matches), None)
    if wanted is None:
        return _unnamed(labels, channels, channels[0], None)
    places = [i for i, one in enumerate(matches) if one is not None and one.name == wanted.name]
    if len(places) > 1:
        both = " and ".join(str(labels[i]) for i in places[:2])
        raise DataError(f"the channels {both} of the file are both {wanted.name!r} of the microscope file; rename one")
    if places:
        return ChosenColour(places[0], wanted, _others(labels, places[0], asked))
    if any(one is not None for one in matches):
        raise DataError(_conflict(labels, matches, wanted))
    return _unnamed(labels, channels, wanted, asked)


def _unnamed(
    labels: Sequence[ChannelLabel], channels: Sequence[Channel], wanted: Channel, asked: Channel | None
) -> ChosenColour:
    """Choose by place, for the names say nothing; refuse if they speak of light that no channel has."""
    strange = [label for label in labels if says_something(label)]
    if strange:
        listed = ", ".join(f"{one.name!r} ({one.excitation_nm:g}/{one.emission_nm:g} nm)" for one in channels)
        raise DataError(
            f"its channel is {strange[0]}, which is none of the microscope file's: {listed}; correct the names or "
            "wavelengths of channels there, or take the right microscope file"
        )
    index = [channel.name for channel in channels].index(wanted.name)
    if len(labels) == 1:
        return ChosenColour(0, wanted, assumed=_assumed(channels, asked))
    if index >= len(labels):
        raise DataError(
            f"has {len(labels)} channels without names, so channel {wanted.name!r}, number {index} of the microscope "
            "file (counted from 0), is none of them"
        )
    return ChosenColour(index, wanted, _others(labels, index, asked))


def _assumed(channels: Sequence[Channel], asked: Channel | None) -> str:
    """Say which colour a file without names is read as, where there is more than one; nothing is wrong yet."""
    if asked is not None or len(channels) == 1:
        return ""
    first, others = channels[0].name, " or ".join(one.name for one in channels[1:])
    return f"the file does not name its channel: read as {first}, the first; add --channel NAME if it is {others}"


def _others(labels: Sequence[ChannelLabel], index: int, asked: Channel | None) -> tuple[str, ...]:
    """Say that other colours are left; those who asked for one know."""
    if asked is not None or len(labels) == 1:
        return ()
    return (f"channel {index} of {len(labels)} ({labels[index].name}) is read; choose another with --channel NAME",)


def _conflict(labels: Sequence[ChannelLabel], matches: Sequence[Channel | None], wanted: Channel) -> str:
    found = ", ".join(
        f"{label}{f' = {one.name!r}' if one is not None else ''}" for label, one in zip(labels, matches, strict=True)
    )
    known = next(one.name for one in matches if one is not None)
    return (
        f"channel {wanted.name!r} ({wanted.excitation_nm:g}/{wanted.emission_nm:g} nm) was asked for, but the file has "
        f"{found}; say --channel {known}, or correct the names in the microscope file"
    )
