"""Recordings to retrain on, with their truth: specimens that the shipped weights never saw."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
import torch
import yaml
from numpy.typing import NDArray

from benchmarks.scene import MARGIN_PX, UPSAMPLE, make_scene
from rdl_live.optics import Camera, Channel, Microscope, Optics
from rdl_live.optics.noise import expose
from rdl_live.specimen import SpecimenSettings, simulate

READ_NOISE_E = 1.0
SEED, OTHER_SEED = 90, 91
OTHER_TIMES = 3
"""Time points of the second field, which nothing is trained on."""


@dataclass(frozen=True)
class Case:
    """One specimen under one microscope."""

    name: str
    unseen: str
    """What of it the shipped weights never saw."""
    kind: str = ""
    """Of the simulator; empty for a picture."""
    density: float = 1.0
    haze: float = 0.0
    speed_um_s: float = 0.005
    """At a series a second."""
    picture: str = ""
    """Of scikit-image."""
    pixel_um: float = 0.08
    na: float = 1.42
    emission_nm: float = 525.0
    wanted: float = 0.95
    """Error against the truth / that of the weights that were started from, at most."""

    @property
    def scope(self) -> Microscope:
        """The microscope."""
        return Microscope(
            name=self.name,
            optics=Optics(na=self.na, pixel_size_um=self.pixel_um),
            channels=(Channel(name="green", excitation_nm=0.93 * self.emission_nm, emission_nm=self.emission_nm),),
            camera=Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=READ_NOISE_E),
        )


CASES = (
    Case("reticulum", "kind", kind="reticulum"),
    Case("mixed", "kind", kind="mixed"),
    Case("page", "a page of text, no cell", picture="page"),
    Case("crowded", "actin 4 x as dense as usual (trained: 2.5 x at most) in 70 % haze", "actin", 4.0, 0.7),
    Case(
        "other-optics",
        "reticulum at NA 1.22, 620 nm, 56 nm pixels",
        "reticulum",
        pixel_um=0.056,
        na=1.22,
        emission_nm=620,
    ),
    Case("moving", "reticulum that moves 14 nm a series, each way", "reticulum", speed_um_s=0.02),
    Case("fast", "reticulum that moves 85 nm a series, too much for tis", "reticulum", speed_um_s=0.12, wanted=1.0),
)


@dataclass(frozen=True)
class Recording:
    """Files and truth of a case."""

    raw: Path
    microscope: Path
    truth: NDArray[np.float32]
    """(time, 2y, 2x) photons per raw pixel area, haze included."""
    other: NDArray[np.uint16]
    """Another field of the same specimen, (time, A, P, y, x) ADU."""
    other_truth: NDArray[np.float32]


def record(case: Case, photons: float, times: int, size: int, folder: Path) -> Recording:
    """Simulate the case and write it as a user would have it."""
    microscope = folder / "M.yaml"
    described = case.scope.model_dump(mode="json", exclude_defaults=True)
    microscope.write_text(yaml.safe_dump(described), encoding="utf-8")
    make: Callable[..., tuple[NDArray[np.uint16], NDArray[np.float32]]] = _picture if case.picture else _cells
    frames, truth = make(case, photons, times, size, SEED)
    other, other_truth = make(case, photons, OTHER_TIMES, size, OTHER_SEED)
    tifffile.imwrite(folder / "film.tif", frames.reshape(-1, size, size))
    return Recording(folder / "film.tif", microscope, truth, other, other_truth)


def _cells(
    case: Case, photons: float, times: int, size: int, seed: int
) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    grown = SpecimenSettings(
        kind=case.kind, seed=seed, density=case.density, haze=case.haze, speed_um_s=case.speed_um_s
    )
    # One instrument: the same patterns whatever the specimen.
    made = simulate(case.scope, grown, photons=photons, shape=(size, size), time_points=times, seed=SEED)
    series = list(made)
    return np.stack([one.adu.numpy() for one in series]), np.stack([one.total.numpy() for one in series])


def _picture(
    case: Case, photons: float, times: int, size: int, seed: int
) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    from skimage import data
    from skimage.transform import resize

    side = (size + 2 * MARGIN_PX) * UPSAMPLE
    image = np.asarray(getattr(data, case.picture)(), np.float64)
    image = image if seed == SEED else image[::-1, ::-1]
    image = resize(image, (side, side), order=3).clip(0)
    scene = make_scene(size, photons=photons, seed=SEED, image=image / image.mean())
    generator = torch.Generator().manual_seed(seed)
    frames = [expose(scene.expected, case.scope.camera, generator=generator).numpy() for _ in range(times)]
    return np.stack(frames), np.repeat(scene.truth[None], times, axis=0)
