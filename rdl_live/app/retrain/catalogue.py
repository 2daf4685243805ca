"""A catalogue of recordings: what there is to retrain on, and how good it is. One JSON file, safe to edit by hand."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rdl_live.app.reconstruct.judge import SeriesJudge
from rdl_live.app.retrain.films import open_film
from rdl_live.errors import ConfigError, DataError
from rdl_live.files import RawRequest, atomic_write
from rdl_live.train.recordings.film import Film
from rdl_live.train.recordings.moments import LEAST
from rdl_live.train.recordings.motion import measure_motion
from rdl_live.train.recordings.outlook import Likely, outlook
from rdl_live.train.recordings.settings import Scheme
from rdl_models import load_weights

FILE = "catalogue.json"
DENOISER = "rdl"
"""Asked whether retraining it is likely to help."""


class Entry(BaseModel):
    """One recording."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    raw: str
    """Path, as it was given when it was added, made absolute."""
    microscope: str
    """Path of the microscope file."""
    fingerprint: str
    """Hash of the first series; the same data are added once."""
    added: str
    """Date and time, UTC."""
    microscope_name: str
    channel: str
    time_points: Annotated[int, Field(ge=1)]
    shape: tuple[int, int]
    """(y, x) of a raw frame."""
    photons_per_pixel: float
    bleached: float
    """Share of the light that is lost from the first quarter of the time points to the last."""
    motion_nm: float | None
    """From one time point to the next, each way; None for a single time point, or where nothing agrees."""
    scheme: str | None
    """Retraining that suits: tis or split; None for too few time points."""
    patterns_trusted: bool
    contrast: tuple[float, ...] = ()
    """Of the stripes in each orientation, median over the series; empty in entries of earlier versions, as is what
    follows."""
    series_out_of_step: tuple[int, ...] = ()
    """Time points whose frames do not fit the patterns."""
    retraining: Likely | None = None
    """Whether it is likely to help: no, possible or likely."""
    outlook: str = ""
    """The same in words."""
    error: float | None = None
    """Of the shipped denoiser relative to the Wiener estimate, on held-out photons."""
    expected_error: float | None = None
    """The same as the denoiser expects it."""
    smallest_gain: float | None = None
    """Share of the error: smaller gains would not show on what is held out."""
    warnings: tuple[str, ...] = ()


class Catalogue(BaseModel):
    """All recordings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recordings: tuple[Entry, ...] = ()

    @classmethod
    def load(cls, path: Path) -> "Catalogue":
        """Read the file; an empty catalogue where there is none yet.

        Raises:
            DataError: it is damaged.
        """
        if not path.exists():
            return cls()
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it holds something else"
            raise DataError(f"{path}: not a whole catalogue ({reason}); repair it, or name another one") from error

    def with_entry(self, entry: Entry) -> "Catalogue":
        """Return the catalogue with a recording, in place of an older entry of the same data."""
        others = tuple(one for one in self.recordings if one.fingerprint != entry.fingerprint)
        return Catalogue(recordings=(*others, entry))

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        with atomic_write(path, overwrite=True) as temporary:
            temporary.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    def find(self, name: str) -> Entry:
        """Return the recording of a file name, path or fingerprint.

        Raises:
            ConfigError: there is none, or several.
        """
        found = [one for one in self.recordings if name in (one.raw, one.fingerprint, Path(one.raw).name)]
        if len(found) == 1:
            return found[0]
        known = ", ".join(Path(one.raw).name for one in self.recordings) or "nothing"
        many = "no recording" if not found else f"{len(found)} recordings"
        raise ConfigError(f"{name}: {many} of that name; the catalogue holds {known}")


def examine(raw: Path, microscope: Path, channel: str | None = None, reading: RawRequest | None = None) -> Entry:
    """Measure what a catalogue says of a recording.

    Raises:
        RdlError: a file cannot be used.
    """
    opened = open_film(raw, microscope, channel=channel, reading=reading)
    film = opened.film
    motion = measure_motion(film)
    moved = None if motion is None or not np.isfinite(motion.per_point_nm) else round(motion.per_point_nm, 1)
    light = _light(film)
    quarter = max(1, len(light) // 4)
    scheme = Scheme.SPLIT if motion is None else motion.scheme
    judge = SeriesJudge(film.patterns, film.scope, film.channel, film.shape, film.maps)
    verdicts = [judge(series) for series in film.frames]
    found = outlook(film, load_weights(DENOISER).network, scheme, DENOISER)
    return Entry(
        raw=str(raw.resolve()),
        microscope=str(microscope.resolve()),
        fingerprint=film.fingerprint,
        added=datetime.now(UTC).isoformat(timespec="seconds"),
        microscope_name=film.scope.name,
        channel=film.channel.name,
        time_points=len(film),
        shape=film.shape,
        photons_per_pixel=round(float(light.mean()), 3),
        bleached=round(float(1 - light[-quarter:].mean() / light[:quarter].mean()), 4),
        motion_nm=moved,
        scheme=None if motion is None or len(film) < LEAST[motion.scheme] else str(motion.scheme),
        patterns_trusted=opened.trusted,
        contrast=tuple(round(float(one), 3) for one in np.median([one.contrast for one in verdicts], axis=0)),
        series_out_of_step=tuple(film.first + time for time, one in enumerate(verdicts) if not one.trusted),
        retraining=found.likely,
        outlook=found.words,
        error=_rounded(found.error),
        expected_error=_rounded(found.expected),
        smallest_gain=_rounded(found.smallest_gain),
        warnings=opened.warnings,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _light(film: Film) -> np.ndarray:
    """Return the mean photons of every time point."""
    return np.array([float(film.photons(time).mean()) for time in range(len(film))])
