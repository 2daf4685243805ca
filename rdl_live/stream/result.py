"""What the pipeline gives for each series."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from rdl_live._names import NO_DENOISER
from rdl_live.files.recorder import FrameFlag
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.quality.in_step import SeriesVerdict
from rdl_live.restore import Guards
from rdl_live.restore.restored import SIGMA, SIM
from rdl_live.restore.restored import WIDEFIELD as WIDEFIELD
from rdl_live.stream.series import SeriesKey


@dataclass(frozen=True)
class Quality:
    """What is known of the light and the patterns behind one image."""

    photons_per_pixel: float
    """Mean photons per raw pixel and frame."""
    brightest_adu: float
    """Largest raw value."""
    score: float
    """Smallest score of all orientations, at the latest estimation; 0 in even light."""
    modulation: float
    """Smallest modulation depth of all orientations that are trusted; 0 if none is."""
    trusted: int
    """Orientations whose pattern is trusted."""
    mcnr: float | None
    """Modulation contrast-to-noise ratio, at the latest estimation."""


@dataclass(frozen=True)
class Result:
    """A super-resolved image and how it was made."""

    images: Mapping[str, Tensor]
    """By name, each (y, x) float32: "widefield" (mean photons per raw pixel and frame of the same series), and what the
    stage gives, in photons per raw pixel area; see `rdl_live.restore.restored`."""
    main: str
    """The name of the one that is shown first and recorded."""
    key: SeriesKey
    channel: str
    """Name of the colour."""
    patterns: PatternSet
    """The patterns that it was reconstructed with."""
    calibrated_on: SeriesKey
    """The series from which its damping was measured; with `patterns`, `otf_damping` and the raw series it makes the
    same image, unless that remembers those before."""
    quality: Quality
    flags: FrameFlag
    """What the raw frames were flagged with."""
    exposed_s: float | None
    """Start of the series' last exposure, by the camera's clock [s]."""
    arrived_s: float
    """When the last raw frame arrived, by `time.perf_counter` [s]."""
    ready_s: float
    """When the image was ready, by the same clock [s]."""
    otf_damping: tuple[float, float] = (0.0, 0.0)
    """Of the OTF that it was made with; see `Channel`."""
    computed_s: float = 0.0
    """How long computing the image took, once the series was whole [s]."""
    denoiser: str = NO_DENOISER
    guards: Guards | None = None
    """What the guards say of the denoised image, where they were asked for this series."""
    seen: PatternSet | None = None
    """The patterns at the latest estimation, trusted or not: what the light is like now; None if none was made."""

    verdict: SeriesVerdict | None = None
    """Whether this series fits the patterns in use. If not, the image is made without super-resolution, and `patterns`
    are not trusted. None where it was not judged: a part of those that follow good ones."""

    @property
    def newest(self) -> PatternSet:
        """What the light is like, as far as it is known: the latest estimation, or what the image was made with."""
        return self.patterns if self.seen is None else self.seen

    @property
    def fits(self) -> bool:
        """Whether nothing speaks against the image: its series fits the patterns, as far as it was judged."""
        return self.verdict is None or self.verdict.trusted

    @property
    def sr(self) -> Tensor:
        """The main image, on the modality's finer grid or its own."""
        return self.images[self.main]

    @property
    def widefield(self) -> Tensor:
        """Mean of the series, (y, x)."""
        return self.images[WIDEFIELD]

    @property
    def sim(self) -> Tensor | None:
        """The same series by the physics alone, as `sr`; None if not asked for."""
        return self.images.get(SIM)

    @property
    def sigma(self) -> Tensor | None:
        """Standard error expected of `sr`, in its shape and unit; None where it is not known."""
        return self.images.get(SIGMA)

    @property
    def latency_s(self) -> float:
        """From the last raw frame to this image [s]."""
        return self.ready_s - self.arrived_s
