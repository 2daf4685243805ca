"""Between pipeline and screen: the newest images only, made for a view that wants them, never waited for."""

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from rdl_live.optics.microscope import Microscope
from rdl_live.optics.noise import CameraMaps, to_photons
from rdl_live.view.live.session import BESIDE, TRUTH, Images
from rdl_live.view.panes.picture import Picture

if TYPE_CHECKING:
    from rdl_live.app.live.truth import Truth
    from rdl_live.files.recorder import FrameTag
    from rdl_live.stream import Frame, Result

SIGMA, WORTH = "sigma", "worth"
"""The images that are shown as shades on another."""
SMOOTHED = 0.1
"""Weight of the newest frame in the brightness."""


class Mailbox:
    """Holds the newest raw frame and the newest result. What nobody has taken yet is replaced at no cost.

    `put_frame` and `put_result` are called by the acquisition's and the pipeline's threads, `take` by the view.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scope: Microscope | None = None
        self._pixel_um = 0.0
        self._maps: CameraMaps | None = None
        self._names: tuple[str, ...] = ("",)
        self._raw: tuple[npt.NDArray[np.float32], int] | None = None
        self._latest = Images(0, "")
        self._result: Result | None = None
        self._truth: Truth | None = None
        self._raw_wanted = True
        self._taken = 0
        self._reference: tuple[str, float] | None = None
        self._brightness: float | None = None
        self._beside: dict[str, Picture] = {}
        """The newest image of each illumination of one colour, by channel."""

    def open(self, scope: Microscope, names: tuple[str, ...], pixel_um: float) -> None:
        """Take what frames of the next run are: their microscope, channels, and pixel [um]; older ones stay."""
        with self._lock:
            self._scope, self._names, self._pixel_um, self._maps = scope, names, pixel_um, None
            self._raw_wanted = True

    def calibrate(self, maps: CameraMaps | None) -> None:
        """Take the per-pixel camera calibration of the region in use; None where the microscope file has none."""
        with self._lock:
            self._maps = maps

    def clear(self, *, beside: bool = True) -> None:
        """Forget all images: they are of another field; or of another channel, then not those `beside`."""
        with self._lock:
            if beside:
                self._beside.clear()
            self._latest = Images(self._latest.number + 1, self._latest.channel)
            self._raw = self._result = self._truth = None
            self._reference = self._brightness = None

    def forget_brightness(self) -> None:
        """Measure the brightness anew: another specimen."""
        with self._lock:
            self._reference = self._brightness = None

    @property
    def brightness(self) -> float | None:
        """Photons for the same light, relative to the brightest so far: 1 until the dye bleaches."""
        return self._brightness

    def put_frame(self, frame: "Frame | None", tag: "FrameTag") -> None:
        """Keep a raw frame as photons, if the last one was taken."""
        scope = self._scope
        if frame is None or scope is None or not self._raw_wanted:
            return
        photons = to_photons(torch.from_numpy(np.ascontiguousarray(frame)), scope.camera, self._maps).numpy()
        light = tag.metadata.get("power_percent", 0.0) * tag.metadata.get("exposure_ms", 0.0)
        with self._lock:
            self._raw, self._raw_wanted = (photons, tag.channel), False
            if light > 0:
                self._compare(self._names[tag.channel], float(photons.mean()) / light)

    def _compare(self, channel: str, yields: float) -> None:
        """Compare the photons for a unit of light with those of the channel's first frame; smoothed over some."""
        if self._reference is None or self._reference[0] != channel:
            self._reference, self._brightness = ((channel, yields) if yields > 0 else None), None
            return
        share = yields / self._reference[1]
        found = share if self._brightness is None else self._brightness + SMOOTHED * (share - self._brightness)
        if found > 1:
            # The first frame may have been a dim one; of what remains there cannot be more than all.
            self._reference = (channel, self._reference[1] * found)
        self._brightness = min(found, 1.0)

    def put_result(self, result: "Result") -> None:
        """Keep a result."""
        with self._lock:
            self._result = result

    def put_truth(self, truth: "Truth") -> None:
        """Keep what the specimen is, to be shown beside the next result."""
        with self._lock:
            self._truth = truth

    def take(self) -> Images | None:
        """Return the newest images, or None if there is nothing new."""
        with self._lock:
            raw, result, self._raw, self._result = self._raw, self._result, None, None
            pixel_um, self._raw_wanted = self._pixel_um, True
            before = self._latest
            if raw is None and result is None:
                fresh, self._taken = before.number > self._taken, before.number
                return before if fresh else None
            self._latest = self._joined(before, raw, result, pixel_um)
            self._taken = self._latest.number
            return self._latest

    def _joined(
        self, before: Images, raw: tuple[npt.NDArray[np.float32], int] | None, result: "Result | None", pixel_um: float
    ) -> Images:
        channel = result.channel if result else self._names[raw[1]] if raw else before.channel
        same = channel == before.channel
        picture = Picture(raw[0], pixel_um) if raw else before["raw"] if same else None
        camera = {} if picture is None else {"raw": picture}
        if result is None:
            keep = before if same else Images(0, channel)
            return replace(keep, number=before.number + 1, pictures={**keep.pictures, **camera})
        made = _pictures(result, pixel_um)
        return Images(
            before.number + 1,
            channel,
            {**camera, **made, **self._true(channel, pixel_um), **self._side_by_side(channel, made[result.main])},
            result.patterns,
            result.denoiser,
            result.seen,
            {} if self._truth is None else self._truth.errors,
            "" if result.verdict is None else result.verdict.why,
        )

    def _side_by_side(self, channel: str, image: Picture) -> dict[str, Picture]:
        """Return the newest images of all illuminations of a colour, once there are several."""
        scope = self._scope
        if scope is None or (here := scope.channel(channel)).illumination is None:
            return {}
        self._beside[channel] = image
        same = [c.name for c in scope.channels if c.illumination and c.excitation_nm == here.excitation_nm]
        shown = {f"{BESIDE}{name}": self._beside[name] for name in same if name in self._beside}
        return shown if len(shown) > 1 else {}

    def _true(self, channel: str, pixel_um: float) -> dict[str, Picture]:
        truth = self._truth
        if truth is None or truth.result.channel != channel:
            return {}
        rows = truth.result.widefield.shape[0]
        return {TRUTH: Picture(truth.image, pixel_um * rows / truth.image.shape[0])}


def _pictures(result: "Result", pixel_um: float) -> dict[str, Picture]:
    """Return the images of a result by name; the main one's standard error and worth go with it."""
    rows = result.widefield.shape[0]
    shades = (result.images.get(name) for name in (SIGMA, WORTH))
    sigma, worth = (None if one is None else one.cpu().numpy() for one in shades)
    found = {
        name: Picture(image.cpu().numpy(), pixel_um * rows / image.shape[0])
        for name, image in result.images.items()
        if name not in (SIGMA, WORTH)
    }
    if result.main in found:
        found[result.main] = replace(found[result.main], sigma=sigma, worth=worth)
    return found
