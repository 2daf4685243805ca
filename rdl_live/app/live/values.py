"""What a live run is given, and what it reports."""

from dataclasses import dataclass, field
from typing import Literal

from rdl_live._names import NO_DENOISER
from rdl_live.acquire import RunReport
from rdl_live.app.live.stats import Latency, ResultStats
from rdl_live.files.recorder import RecordingSummary
from rdl_live.optics.pattern import PatternSet
from rdl_live.stream import PipelineStatus


@dataclass(frozen=True)
class LiveOptions:
    """How a run is processed."""

    denoise: str = NO_DENOISER
    memory: bool = True
    """Whether denoised images remember the series before, where nothing changes."""
    overwrite: bool = False
    queue_series: int = 3
    """Whole series that may wait for the pipeline; more would only show what is long past."""
    device: str = "auto"
    """Where to compute: "auto", "cpu" or "cuda"."""
    estimate_every_s: float = 5.0
    patterns: tuple[PatternSet, ...] | None = None
    """Fixed patterns for each colour of the plan; by default they are estimated while it runs."""
    processing: Literal["process", "thread"] = "process"
    """Where images are computed: a process of its own cannot harm the recording, whatever happens to it."""
    hang_s: float = 20.0
    """After this time without an answer the process is replaced [s]."""


@dataclass(frozen=True)
class LiveStatus:
    """Where a run stands, for a status line."""

    raw_frames: int
    missing: int
    raw_fps: float
    sr_frames: int
    sr_fps: float
    dropped: int
    """Whole series that the pipeline could not keep up with."""
    refused: int
    latency: Latency | None
    photons_per_pixel: float | None
    dose_j_cm2: float | None
    patterns: PatternSet | None
    warnings: int
    lit: bool
    """Whether the light path is open."""
    series: int
    """Series gone through, whole or not."""
    written_bytes: int
    """Bytes of the raw recording that are on the disk."""


@dataclass(frozen=True)
class LiveOutcome:
    """How a run ended."""

    run: RunReport
    raw: RecordingSummary
    sr: RecordingSummary
    pipeline: PipelineStatus
    sr_dropped: int
    stats: ResultStats
    raw_fps: float
    dose_j_cm2: float | None
    warnings: tuple[str, ...]
    denoiser: str
    doses_j_cm2: dict[str, float | None] = field(default_factory=dict)
    """Of each channel; empty where parts of a run take different ones."""
    restarts: int = 0
    """How often the processing was started anew."""

    @property
    def raw_frames_dropped(self) -> int:
        """Frames that were exposed and are not on the disk."""
        status = self.run.status
        return status.missing + max(status.frames - self.raw.raw_frames, 0)
