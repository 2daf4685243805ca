"""What every frame carries from the engine to the file."""

import json
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any, NamedTuple

from rdl_live.files.recorder.layout import ImageAddress, to_json


class SeriesKey(NamedTuple):
    """Which series of an acquisition: one for each time point, position, plane and channel."""

    time: int
    position: int
    z: int
    channel: int

    @property
    def place(self) -> tuple[int, int]:
        """Position and plane: what two series must share to show the same specimen."""
        return self.position, self.z

    def __str__(self) -> str:
        """Name it in a message."""
        return f"time {self.time}, position {self.position}, z {self.z}, channel {self.channel}"


class FrameFlag(IntFlag):
    """What is wrong with a frame."""

    NONE = 0
    MISSING = 1
    """The exposure failed, or its frame never came; the pixels are zeros."""
    SATURATED = 2
    WRONG_PATTERN = 4
    """Another pattern was on the SLM than the plan says, or none."""
    LATE = 8
    """Not exposed when it was due."""


@dataclass(frozen=True, slots=True)
class FrameTag:
    """Where a frame belongs and how it was taken. Nothing is ever inferred from arrival order."""

    time: int
    angle: int = 0
    phase: int = 0
    pattern_id: int | None = None
    """Number of the pattern that was displayed, as the SLM or the pattern set counts."""
    timestamp_s: float | None = None
    """Start of the exposure by the clock of camera or host [s]."""
    channel: int = 0
    z: int = 0
    position: int = 0
    flags: FrameFlag = FrameFlag.NONE
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Anything else that JSON holds: exposure, power, stage position."""

    def __post_init__(self) -> None:
        """Check the numbers, and make Python's own of NumPy's.

        Raises:
            ValueError: an index below 0, a time stamp that is no number.
            TypeError: an index that is no integer.
        """
        for name in ("time", "angle", "phase", "channel", "z", "position"):
            index = operator.index(getattr(self, name))
            if index < 0:
                raise ValueError(f"frame tag: {name} is {index}; indices count from 0")
            object.__setattr__(self, name, index)
        if self.pattern_id is not None:
            object.__setattr__(self, "pattern_id", operator.index(self.pattern_id))
        if self.timestamp_s is not None:
            object.__setattr__(self, "timestamp_s", float(self.timestamp_s))
            if not math.isfinite(self.timestamp_s):
                raise ValueError(f"frame tag: timestamp_s is {self.timestamp_s}; leave it None if unknown")

    @property
    def series(self) -> SeriesKey:
        """The series that it belongs to."""
        return SeriesKey(self.time, self.position, self.z, self.channel)

    @property
    def image(self) -> ImageAddress:
        """Position, channel and plane."""
        return ImageAddress(self.position, self.channel, self.z)

    def __str__(self) -> str:
        """Name the frame in a message."""
        place = f"time {self.time}, angle {self.angle}, phase {self.phase}, channel {self.channel}"
        return f"{place}, z {self.z}, position {self.position}"


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """What the journal keeps of one slot of a series."""

    number: int | None
    """Place in the order of arrival, from 0; None for a slot that no frame was given for."""
    crc: int | None
    """CRC-32 of the pixels, little-endian, row by row; None where there are none."""
    flags: FrameFlag = FrameFlag.MISSING
    pattern_id: int | None = None
    timestamp_s: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        """Whether there are pixels, and none of them stands for a missing frame."""
        return self.crc is not None and not self.flags & FrameFlag.MISSING

    def to_json(self) -> dict[str, Any]:
        """Return the journal's form; what is unknown is left out."""
        known: dict[str, Any] = {
            "number": self.number,
            "pattern": self.pattern_id,
            "time_s": self.timestamp_s,
            "crc": self.crc,
        }
        known = {key: value for key, value in known.items() if value is not None}
        if self.flags:
            known["flags"] = int(self.flags)
        if self.metadata:
            known["metadata"] = self.metadata
        return known

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "FrameRecord":
        """Return the record that `to_json` made.

        Raises:
            ValueError: a journal that says what no recorder writes.
        """
        stamp, metadata = content.get("time_s"), content.get("metadata", {})
        if not isinstance(metadata, dict):
            raise ValueError(f"metadata {metadata!r:.40} of a frame")
        if stamp is not None and (type(stamp) not in (int, float) or not math.isfinite(stamp)):
            raise ValueError(f"time stamp {stamp!r:.40} of a frame")
        return cls(
            _optional(content.get("number"), "number of a frame"),
            _optional(content.get("crc"), "checksum of a frame", below=2**32),
            FrameFlag(whole(content.get("flags", 0), "flags of a frame", below=2**15)),
            _optional(content.get("pattern"), "pattern of a frame", low=-(2**63)),
            stamp,
            metadata,
        )


def whole(value: object, what: str, *, low: int = 0, below: int = 2**63) -> int:
    """Return a whole number of a file.

    Raises:
        ValueError: it is none, or not in low <= value < below.
    """
    if type(value) is not int or not low <= value < below:
        raise ValueError(f"{what} {value!r:.40}")
    return value


def _optional(value: object, what: str, *, low: int = 0, below: int = 2**63) -> int | None:
    return None if value is None else whole(value, what, low=low, below=below)


def plain_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy that JSON holds.

    Raises:
        TypeError: a value that JSON cannot hold.
        ValueError: NaN or infinity.
    """
    if not metadata:
        return {}
    copy: dict[str, Any] = json.loads(json.dumps(dict(metadata), default=to_json, allow_nan=False))
    return copy
