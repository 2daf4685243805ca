"""Small recordings to be browsed: two colours, some frames missing, some images recorded."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.files.recorder import FrameFlag, FrameTag, Recorder, RecordingLayout, SrLayout, SrRecorder
from rdl_live.optics.microscope import Camera, Channel, Microscope, Optics
from rdl_live.optics.pattern import PatternSet, evenly_spaced, illumination

SIDE, PIXEL_UM, TIMES = 48, 0.065, 5
PATTERNS = evenly_spaced(0.2, modulation=(0.8,))
SCOPE = Microscope(
    name="small",
    optics=Optics(na=1.49, pixel_size_um=PIXEL_UM),
    channels=(
        Channel(name="488", excitation_nm=488, emission_nm=525),
        Channel(name="560", excitation_nm=560, emission_nm=600),
    ),
    camera=Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=1.0),
)
HOLE = (2, 1, 2)
"""Time, angle, phase of a frame that is missing (488)."""
DENOISED = 3
"""Time point whose recorded image was denoised."""


def raw_series(time: int, channel: int) -> npt.NDArray[np.uint16]:
    """Return ADU (3, 3, y, x) of some bright points under the patterns."""
    rng = np.random.default_rng([time, channel])
    specimen = np.full((SIDE, SIDE), 4.0)
    specimen[rng.integers(4, SIDE - 4, 30), rng.integers(4, SIDE - 4, 30)] = 400.0
    light = illumination(PATTERNS, (SIDE, SIDE), PIXEL_UM).numpy()
    photons = rng.poisson(np.maximum(light, 0) * specimen)
    return (photons / 0.5 + 100).round().astype(np.uint16)


def sr_image(time: int) -> npt.NDArray[np.float32]:
    """Return a recorded image that is told apart from every other."""
    return np.random.default_rng(time).normal(100, 10, (2 * SIDE, 2 * SIDE)).astype(np.float32)


def record(folder: Path, *, with_sr: bool = True, otf_damping: object = None, **provenance: Any) -> Path:
    """Record to raw.ome.zarr, and to sr.ome.zarr for time points 1 and 3 of the first colour; return the folder."""
    how = {} if otf_damping is None else {"otf_damping": otf_damping}
    made = {"microscope": SCOPE.model_dump(mode="json"), "software": "rdl-live test", **provenance}
    names: tuple[Any, ...] = ("488", "560")
    layout = RecordingLayout(
        frame=(SIDE, SIDE), pixel_size_um=PIXEL_UM, time_points=TIMES, channels=names, provenance=made
    )
    with Recorder(folder / "raw.ome.zarr", layout) as recorder:
        for time in range(TIMES):
            for channel in range(2):
                _put(recorder, time, channel)
    if with_sr:
        fine = SrLayout(
            frame=(2 * SIDE, 2 * SIDE),
            pixel_size_um=PIXEL_UM / 2,
            time_points=TIMES,
            channels=names,
            provenance=made,
        )
        with SrRecorder(folder / "sr.ome.zarr", fine) as recorder:
            for time in (1, DENOISED):
                denoiser = "rdl" if time == DENOISED else "none"
                made_with = {**pattern_set(PATTERNS), "denoiser": denoiser, **how}
                recorder.append(sr_image(time), time, provenance=made_with)
    return folder


def pattern_set(patterns: PatternSet) -> dict[str, Any]:
    """Return patterns as an image's journal line has them."""
    return {"pattern_set": patterns.model_dump(mode="json")}


def _put(recorder: Recorder, time: int, channel: int) -> None:
    series = raw_series(time, channel)
    for angle in range(3):
        for phase in range(3):
            flags = FrameFlag.SATURATED if (time, channel, angle) == (4, 0, 0) else FrameFlag.NONE
            tag = FrameTag(
                time,
                angle,
                phase,
                channel=channel,
                timestamp_s=time + 0.1 * angle,
                flags=flags,
                metadata={"exposure_ms": 5.0, "power_percent": 20.0},
            )
            if channel == 0 and (time, angle, phase) == HOLE:
                recorder.mark_missing(tag)
            else:
                recorder.append(series[angle, phase], tag)
