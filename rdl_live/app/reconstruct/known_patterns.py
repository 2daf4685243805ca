"""Patterns from elsewhere and their OTF: what `--patterns FROM` reads from a report, `estimate --json`, a recording."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError

from rdl_live.errors import ConfigError, DataError
from rdl_live.optics import Channel, Microscope, Pattern, PatternSet

if TYPE_CHECKING:
    from collections.abc import Callable

JSON = ".json"
USED = "otf_damping_used"
"""Key of reports: the OTF's damping that was used."""
MAX_BYTES = 2**26
"""Of a report; those of long time-lapses list every series."""


@dataclass(frozen=True)
class Elsewhere:
    """What a recording, or a report of it, says of the microscope."""

    patterns: PatternSet
    otf_damping: tuple[float, float] | None = None
    """Of `Channel.otf_damping` [um, um^2]; None where nothing is said of it."""


@dataclass(frozen=True)
class KnownPatterns:
    """Patterns, and where they come from."""

    patterns: PatternSet
    file: str
    kind: str
    """`report` (also of `estimate --json`) or `recording`."""
    otf_damping: tuple[float, float] | None = None
    """See `Elsewhere`: a dim recording cannot show it, and the known depths are those of this OTF."""

    def record(self) -> dict[str, Any]:
        """Return it for a report."""
        damping = None if self.otf_damping is None else list(self.otf_damping)
        return {"file": self.file, "kind": self.kind, "otf_damping": damping}

    def damped(self, channel: Channel) -> Channel:
        """Return the channel with the OTF that goes with these patterns."""
        return channel if self.otf_damping is None else channel.replace(otf_damping=self.otf_damping)


class _Record(BaseModel):
    """One orientation of a report; see `pattern_records`."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    angle_deg: float
    period_um: Annotated[float, Field(gt=0)]
    phases_deg: Annotated[list[float], Field(min_length=3)]
    modulation: float | list[float]
    harmonic_shifts_deg: list[float] = []
    score: float = 0.0
    trusted: bool = True


def known_patterns(
    source: Path, scope: Microscope, estimated: "Callable[[Path], Elsewhere]", *, option: str = "--patterns"
) -> KnownPatterns:
    """Return the patterns that a file holds.

    Args:
        source: report, JSON of `estimate`, or a recording.
        scope: the microscope that they must fit.
        estimated: gives what a recording says.
        option: how the user named the file.

    Raises:
        ConfigError: the patterns have other numbers of orientations or phases, or not one is trusted.
        DataError: the file holds no patterns or cannot be read.
    """
    if source.suffix.lower() == JSON:
        found, kind = _read(source, option), "report"
    else:
        found, kind = estimated(source), "recording"
    try:
        found.patterns.check(*scope.pattern.pattern_counts)
    except ConfigError as error:
        raise ConfigError(f"{option} {source}: {error}") from error
    if not any(pattern.trusted for pattern in found.patterns):
        raise ConfigError(
            f"{option} {source}: none of its {len(found.patterns)} patterns is trusted; give a brighter recording, or "
            "its report"
        )
    return KnownPatterns(found.patterns, source.name, kind, found.otf_damping)


def _read(path: Path, option: str) -> Elsewhere:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{option} {path}: larger than any report; give a report or the output of estimate --json")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{option} {path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise DataError(
            f"{option} {path}: is not JSON ({error}); give a report or the output of estimate --json"
        ) from error
    records = content.get("patterns") if isinstance(content, dict) else None
    if not isinstance(records, list) or not records:
        raise DataError(f"{option} {path}: holds no list `patterns`; give a report or the output of estimate --json")
    patterns = tuple(_pattern(one, f"{option} {path}: patterns[{i}]") for i, one in enumerate(records))
    return Elsewhere(PatternSet(patterns=patterns), _damping(content.get(USED), f"{option} {path}: {USED}"))


def _damping(values: Any, where: str) -> tuple[float, float] | None:
    """Return the damping of a report; None in reports of versions that did not note it."""
    if values is None:
        return None
    try:
        return TypeAdapter(tuple[FiniteFloat, FiniteFloat]).validate_python(values)
    except ValidationError as error:
        raise DataError(f"{where}: must be two numbers [um, um^2], got {values!r}; give an unchanged report") from error


def _pattern(record: Any, where: str) -> Pattern:
    try:
        one = _Record.model_validate(record)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "entry"
        raise DataError(f"{where}.{field}: {first['msg'].lower()}; give an unchanged report") from error
    direction = math.radians(one.angle_deg)
    depths = one.modulation if isinstance(one.modulation, list) else [one.modulation]
    return Pattern(
        kx=math.cos(direction) / one.period_um,
        ky=math.sin(direction) / one.period_um,
        phases_rad=tuple(math.radians(phase) for phase in one.phases_deg),
        modulation=tuple(depths),
        shifts_rad=tuple(math.radians(shift) for shift in one.harmonic_shifts_deg),
        score=one.score,
        trusted=one.trusted,
        doubt="" if one.trusted else "the given pattern is not trusted",
    )
