"""A series of patterns in a run of single frames: recorded, reconstructed, and compared with what the network makes."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rdl_live.acquire.fan_out import Frame
from rdl_live.files.recorder import FrameTag, SeriesKey
from rdl_live.optics import to_photons
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.modality import modality_of
from rdl_live.optics.noise import CameraMaps
from rdl_live.restore.agreement import Agreement, agreement
from rdl_live.restore.stages.single_image import super_resolved
from rdl_models import Weights


@dataclass(frozen=True)
class Check:
    """What one series said."""

    time: int
    """Single frames of its place taken before it."""
    channel: str
    position: int
    z: int
    found: Agreement | None
    """None where there is no SIM image to compare with."""
    why: str = ""
    """Why not."""

    @property
    def doubt(self) -> str:
        """What the user must know; "" where the images agree."""
        where = f"before time point {self.time} ({self.channel})"
        if self.found is None:
            return f"the series of patterns {where} cannot check the single-frame images: {self.why}"
        if self.found.agrees:
            return ""
        return (
            f"the SIM image {where} does not agree with what the network makes of a single frame ({self.found.words}): "
            "the specimen is of another kind than those that it has learnt from, or in other light. Rely on the SIM "
            "images, and train on such a specimen (`rdl-live train sr`)"
        )

    def record(self) -> dict[str, Any]:
        """Return it for a report."""
        found = None if self.found is None else {**asdict(self.found), "agrees": self.found.agrees}
        return {
            "time": self.time,
            "channel": self.channel,
            "position": self.position,
            "z": self.z,
            **({"error": None, "usual": None, "limit": None, "agrees": None} if found is None else found),
            "why": self.why,
        }


class SeriesCollector:
    """Keeps the frames of series of patterns; a listener (`rdl_live.acquire.fan_out.FrameListener`)."""

    name = "the check with SIM"

    def __init__(self, scope: Microscope) -> None:
        """Wait for series of this microscope."""
        self._counts = scope.pattern.counts
        self._frames: dict[SeriesKey, dict[tuple[int, int], Frame]] = {}

    def offer(self, frame: Frame | None, tag: FrameTag, arrived_s: float) -> None:
        """Keep a copy of a frame."""
        del arrived_s
        if frame is not None:
            self._frames.setdefault(tag.series, {})[tag.angle, tag.phase] = frame.copy()
        else:
            self._frames.get(tag.series, {}).pop((tag.angle, tag.phase), None)

    def whole(self) -> dict[SeriesKey, npt.NDArray[Any]]:
        """Return the whole series (angle, phase, y, x) ADU by their place."""
        angles, phases = self._counts
        return {
            key: np.stack([np.stack([found[a, p] for p in range(phases)]) for a in range(angles)])
            for key, found in self._frames.items()
            if len(found) == angles * phases
        }


class Comparison:
    """Compares series with what the weights make of a tenth of their photons."""

    def __init__(
        self,
        scope: Microscope,
        weights: Weights,
        maps: Callable[[], CameraMaps | None] = lambda: None,
    ) -> None:
        """Compare series of this microscope; `maps` gives the calibration of the region in use."""
        self._scope, self._weights, self._maps = scope, weights, maps

    def __call__(self, series: npt.NDArray[Any], channel: Channel, time: int, place: SeriesKey) -> Check:
        """Judge one series (angle, phase, y, x) ADU."""
        kind, scope, maps = modality_of(self._scope), self._scope, self._maps()
        raw = torch.from_numpy(series.astype(np.float32))
        photons = to_photons(raw, scope.camera, maps)
        bare = scope.in_photons()
        patterns = kind.estimate(photons.numpy()[None], bare, channel=channel)
        if not patterns.trusted:
            doubts = kind.doubts(patterns)
            why = doubts[0] if doubts else "its patterns were not found with confidence"
            return Check(time, channel.name, place.position, place.z, None, why)
        maker = kind.reconstruction(bare, patterns, (raw.shape[-2], raw.shape[-1]), channel=channel)
        maker.calibrate(photons)
        found = agreement(
            photons,
            super_resolved,
            (self._weights.network, self._weights.card),
            maker,
            scope.camera.read_noise_e,
        )
        return Check(time, channel.name, place.position, place.z, found)
