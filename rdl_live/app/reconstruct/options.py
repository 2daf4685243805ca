"""How recordings are reconstructed, and small parts of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rdl_live._names import NO_DENOISER
from rdl_live.files import RawRequest
from rdl_live.files.page_writer import SUFFIXES
from rdl_live.optics import Apodization, Attenuation
from rdl_live.optics.modality import Shaping

SIGMA, WORTH = "-sigma", "-worth"
"""Added to the image's name for the files of its standard errors, and of the series that each pixel is worth."""

Progress = Callable[[str, int, int], None]
"""Called with (what is going on, done, total)."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True)
class Options:
    """How to reconstruct."""

    channel: str | None = None
    reading: RawRequest = field(default_factory=RawRequest)
    """Which position is read, and what the user says of the order of its frames."""
    denoise: str = NO_DENOISER
    memory: float | None = None
    """Series that an image may be made of where nothing moves, itself included; None: the usual number."""
    wiener: float | None = None
    apodization: Apodization = Apodization.OTF
    attenuation: Attenuation | None = None
    overwrite: bool = False
    workers: int | None = None
    """Series that are computed at a time; None: one for each core."""
    patterns: Path | None = None
    """Report, JSON of `estimate` or recording whose patterns are used; None: they are estimated."""
    cluster: str | None = None
    """Address of a dask scheduler, or local:N; None: compute here."""

    @property
    def shaping(self) -> Shaping:
        """What is said of the Wiener reconstruction."""
        return Shaping(self.wiener, self.apodization, self.attenuation)

    @property
    def reshapes(self) -> bool:
        """Whether any setting of the Wiener reconstruction is not the default."""
        return not self.shaping.usual


@dataclass
class Stopwatch:
    """Seconds spent, by name."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the time of a block to `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - start)

    def add(self, name: str, seconds: float) -> None:
        """Add a time to `name`."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


def sigma_path(out: Path) -> Path:
    """Return where the standard errors of an image go: beside it, sr.tif and sr-sigma.tif."""
    return _beside(out, SIGMA)


def worth_path(out: Path) -> Path:
    """Return where the number of series that each pixel is worth goes: sr-worth.tif beside sr.tif."""
    return _beside(out, WORTH)


def _beside(out: Path, what: str) -> Path:
    endings = (*(f".ome{one}" for one in SUFFIXES), *SUFFIXES)
    ending = next(one for one in endings if out.name.lower().endswith(one))
    return out.with_name(f"{out.name[: -len(ending)]}{what}{out.name[-len(ending) :]}")
