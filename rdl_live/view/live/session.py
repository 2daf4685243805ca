"""What the window needs of a microscope: to ask for things, and to know how it is. Without Qt.

`rdl_live.app.LiveSession` is such a session; a test may make another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rdl_live._names import NO_DENOISER
from rdl_live.view.panes.picture import Picture

if TYPE_CHECKING:  # loads torch, which the window must not wait for
    from rdl_live.acquire.lamp import Lamp
    from rdl_live.acquire.plan import Plan
    from rdl_live.acquire.progress import Progress
    from rdl_live.optics.microscope import Microscope
    from rdl_live.optics.pattern import PatternSet


KINDS = {"raw": "Raw", "widefield": "Widefield", "sim": "SIM", "denoised": "Denoised SIM"}
"""Names and titles of the images of a series, from the least to the most that was made of it."""
TRUTH = "truth"
"""Name of the picture of the specimen as it is: a simulated microscope knows it."""
BESIDE = "beside: "
"""Begins the names of pictures of other channels: the newest image of each illumination of a colour, side by side."""
CLASSICAL = ("raw", "widefield", "sim", TRUTH)
"""Those that no denoiser has touched."""
MORE = {"sr": "By network, fine detail inferred", "disagreement": "Disagreement", TRUTH: "Truth (simulated)"}
"""Titles of images that some stages give."""


def kinds_of(scope: "Microscope | None") -> dict[str, str]:
    """Return `KINDS` as a microscope has them: what its modality makes stands in the place of classical SIM."""
    if scope is None or scope.image_name == "sim":
        return dict(KINDS)
    made = {} if scope.image_name in KINDS else {scope.image_name: title_of(scope.image_name)}
    return {"raw": KINDS["raw"], "widefield": KINDS["widefield"], **made, "denoised": "Denoised"}


def title_of(name: str) -> str:
    """Return the title of an image."""
    if name.startswith(BESIDE):
        return name.removeprefix(BESIDE)
    return KINDS.get(name) or MORE.get(name) or name.replace("_", " ").replace("-", " ").capitalize()


class Activity(StrEnum):
    """What the microscope is at."""

    OPENING = "opening"
    IDLE = "idle"
    STARTING = "starting"
    LIVE = "live"
    SNAPPING = "snapping"
    RECORDING = "recording"
    STOPPING = "stopping"
    BROKEN = "broken"
    """The devices cannot be used before they are connected anew."""
    CLOSED = "closed"

    @property
    def busy(self) -> bool:
        """Whether there is something to stop."""
        return self in (Activity.STARTING, Activity.LIVE, Activity.SNAPPING, Activity.RECORDING, Activity.STOPPING)


class Light(StrEnum):
    """Whether there is light on the sample."""

    OFF = "off"
    ON = "on"
    UNKNOWN = "unknown"
    """A device did not say that it went dark: somebody must look."""


class Severity(StrEnum):
    """How much a notice matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Notice:
    """Something that the user should know."""

    number: int
    """Counts up; a view asks for those after the last that it has seen."""
    severity: Severity
    text: str
    details: str = ""
    """More, to be copied for whoever helps."""


@dataclass(frozen=True)
class Settings:
    """What the user sets."""

    channel: str = ""
    power_percent: float = 50.0
    """Light in percent of full."""
    exposure_ms: float = 10.0
    """Of each raw frame."""
    region: tuple[int, int, int, int] | None = None
    """x, y, width, height on the camera chip [pixels]; None: as the session starts."""
    denoiser: str = NO_DENOISER
    beside: tuple[str, ...] = ()
    """Channels that live view takes in turn, where `channel` is one of them."""
    memory: bool = True
    """Whether denoised images remember the series before, where nothing changes."""
    modality: str = ""
    """What is taken, as in plans: single-frame, or "" for what the microscope file describes."""


@dataclass(frozen=True)
class DemoKnobs:
    """What can be turned on the simulated microscope."""

    kinds: tuple[str, ...]
    """Kinds of specimen."""
    kind: str
    photons_per_ms: float
    """Brightness of the dye: mean photons per raw pixel and ms at full power."""
    speed_um_s: float
    """Motion of the specimen."""
    lit: float = 1.0
    """Share of the specimen's light that the channel's illumination leaves: TIRF keeps most of a thick cell dark."""
    camera: str = ""
    """What the chip's pixels are like; "" where that cannot be chosen."""

    @property
    def seen_per_ms(self) -> float:
        """Mean photons per raw pixel and ms at full power, in the channel's light."""
        return self.photons_per_ms * self.lit


@dataclass(frozen=True)
class Recording:
    """A recording that is being made, or was made last."""

    folder: Path
    series: int
    planned: int | None
    """Series in all; None: until it is stopped."""
    written_bytes: int
    running: bool
    seconds: float
    """Since its start."""
    raw: Path
    """The raw recording."""
    progress: "Progress | None" = None
    """How far the plan has come, whether in time, what is missing and why; None where it is of live view."""


@dataclass(frozen=True)
class Counts:
    """What has gone through since the start of live view or recording."""

    raw: int = 0
    missing: int = 0
    """Frames that did not come from the camera."""
    images: int = 0
    dropped: int = 0
    """Whole series that the computer could not keep up with; they are recorded, but not shown."""
    refused: int = 0
    """Series that were incomplete or showed wrong patterns; no image is made of them."""


@dataclass(frozen=True)
class Readings:
    """Numbers for the traces; None where they are not known."""

    photons: float | None = None
    """Mean photons per raw pixel and frame."""
    brightness: float | None = None
    """Photons for the same light, relative to those at the start: 1 until the dye bleaches."""
    mcnr: float | None = None
    modulation: float | None = None
    score: float | None = None
    raw_fps: float = 0.0
    image_fps: float = 0.0
    latency_ms: float | None = None
    brightest_adu: float | None = None


@dataclass(frozen=True)
class StagePlace:
    """Where stage and focus are, as they were read last."""

    xy_um: tuple[float, float] | None = None
    """x and y of the stage; None where there is none, or it does not answer."""
    z_um: float | None = None
    """Of the focus; None where there is none, or it does not answer."""
    moving: bool = False
    """Whether the window is moving one of them."""


@dataclass(frozen=True)
class Snapshot:
    """How the microscope is; made by the session, not by devices being asked."""

    activity: Activity = Activity.OPENING
    says: str = ""
    """What it is at, in words."""
    stalled_s: float = 0.0
    """For how long the camera has given nothing, where that is too long [s]; 0 where all is well."""
    light: Light = Light.OFF
    lamps: "tuple[Lamp, ...]" = ()
    """What lights the sample, as set and read back, and where it is not read back, why; empty in the dark. Not what is
    set for the next live view."""
    plan: str = ""
    """Name of the plan that runs; "" where live view, a snap or a recording of live view does."""
    settings: Settings = field(default_factory=Settings)
    channels: tuple[str, ...] = ()
    illuminations: tuple[str, ...] = ()
    """How the light of each channel enters the sample, in words; "" where the microscope file does not say."""
    powers_w_cm2: tuple[float | None, ...] = ()
    """Light on the sample at full power, of each channel."""
    denoisers: tuple[str, ...] = (NO_DENOISER,)
    chip: tuple[int, int] | None = None
    """Width and height of the whole camera chip [pixels]."""
    recording: Recording | None = None
    counts: Counts = field(default_factory=Counts)
    readings: Readings = field(default_factory=Readings)
    patterns: "PatternSet | None" = None
    """As estimated last, trusted or not."""
    nominal: "PatternSet | None" = None
    """The patterns that were planned for the same channel; None where that is not known."""
    patterns_of: str = ""
    """That channel."""
    dose_j_cm2: float | None = None
    """Since the window was opened, or the dose was set to zero."""
    disk_free_bytes: int | None = None
    doubts: tuple[str, ...] = ()
    """What the guards say of the denoised image; empty where nothing is wrong, or nothing was asked."""
    stage: StagePlace = field(default_factory=StagePlace)
    """Where stage and focus are."""
    demo: DemoKnobs | None = None
    """None for a real microscope."""
    at_s: float = 0.0
    """When it was made, by `time.perf_counter`."""


@dataclass(frozen=True, eq=False)
class Images:
    """The newest images, all of one series but for the raw frame."""

    number: int
    """Counts up."""
    channel: str
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    """By name: those of `KINDS`, and whatever else the stage gives."""
    patterns: "PatternSet | None" = None
    """The image was made with these."""
    denoiser: str = NO_DENOISER
    seen: "PatternSet | None" = None
    """As estimated last when it was made, trusted or not: what the light was like; None if none was estimated."""
    errors: Mapping[str, float] = field(default_factory=dict)
    """Of the images against the truth, by name, where that is known; 0 is perfect."""
    misfit: str = ""
    """Why this series does not fit the patterns in use, so that the image has no super-resolution; empty if it does."""

    def __getitem__(self, name: str) -> Picture | None:
        """Return the picture of this name; None where there is none."""
        return self.pictures.get(name)

    @property
    def by_network(self) -> list[str]:
        """Names of the images that a denoiser or another stage has made."""
        return [name for name in self.pictures if name not in CLASSICAL and not name.startswith(BESIDE)]


class Session(Protocol):
    """A microscope to sit at. No method waits for a device; all may be called from the GUI thread at any time."""

    @property
    def snapshot(self) -> Snapshot:
        """How it is."""

    @property
    def microscope(self) -> "Microscope | None":
        """Its description; None before it is read."""

    def take_images(self) -> Images | None:
        """Return the newest images, or None where they have been taken already."""

    def notices(self, after: int) -> Sequence[Notice]:
        """Return the notices after this number."""

    def live(self) -> None:
        """Show what the camera sees, until it is stopped; nothing is recorded."""

    def snap(self) -> None:
        """Take one series."""

    def record(self, folder: Path, plan: "Plan | None" = None) -> None:
        """Record to a folder that is made: a plan, or what live view shows until it is stopped."""

    def move(self, places_um: Mapping[str, float], *, by: bool = False) -> None:
        """Drive "x", "y", "z" to places, or by distances [um]; refused, with a notice, while something is recorded."""

    def stop(self) -> None:
        """Stop whatever runs or moves; the light is off within a second, also where a device hangs."""

    def change(self, **settings: object) -> None:
        """Change fields of `Settings`; light follows at once, the rest with a short pause of live view."""

    def turn(self, **knobs: object) -> None:
        """Change fields of `DemoKnobs`."""

    def watch_disk(self, folder: Path) -> None:
        """Tell how much room is left where this folder is to be."""

    def reset_dose(self) -> None:
        """Count the dose from 0: another place on the sample."""

    def reconnect(self) -> None:
        """Unload the devices and load them again, after one has failed for good."""

    def close(self) -> None:
        """Stop, go dark, unload; returns at once."""

    def join(self, timeout_s: float) -> bool:
        """Wait until it is closed; return whether it is."""
