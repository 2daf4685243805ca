"""What is judged: a SIM series in so much light, and the truth; simulated, or of BioSR's folders."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rdl_live.errors import ConfigError, DataError
from rdl_live.files import load_microscope
from rdl_live.optics import Channel, Microscope, PatternSet, expose, to_photons
from rdl_live.optics.microscope import Camera
from rdl_live.optics.modality import modality_of
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_live.train.pairs.folders import open_pairs

STRUCTURES: Mapping[str, str] = {
    "clathrin-coated pits": "rings",
    "ER": "reticulum",
    "microtubules": "filaments",
    "F-actin": "actin",
}
"""Of rising complexity, each with the kind of specimen that is like it."""
_READ_NOISE_E = 1.5
_FIRST_SEED = 0xA55E55


@dataclass(frozen=True, eq=False)
class Sample:
    """A series and its truth."""

    scope: Microscope
    """Its camera gives photons."""
    patterns: PatternSet
    """As they are found in this series."""
    series: Tensor
    """(angle, phase, y, x) float32 photons."""
    truth: Tensor
    """(factor y, factor x) float32 photons a raw pixel area."""

    @property
    def channel(self) -> Channel:
        """The colour."""
        return self.scope.channels[0]

    @property
    def widefield(self) -> Tensor:
        """Mean of the frames, (y, x)."""
        return self.series.mean(dim=(0, 1))


def masked_mean(widefield: Tensor) -> float:
    """Return the mean where there is structure: of the pixels above the mean of the image.

    Qiao et al. 2021 give light as the mean photons of a raw frame within a mask of the structure.
    """
    return float(widefield[widefield > widefield.mean()].mean())


def assessed_microscope() -> Microscope:
    """Return the simulated microscope: that of BioSR, as far as it is published."""
    wavelength = {"name": "488", "excitation_nm": 488, "emission_nm": 525}
    return Microscope.model_validate(
        {
            "name": "assessment (simulated)",
            "optics": {"na": 1.41, "pixel_size_um": 0.0626},
            "channels": [wavelength],
            "camera": Camera(read_noise_e=_READ_NOISE_E).model_dump(),
        }
    )


def simulated(structure: str, photons: float, index: int, side: int) -> Sample:
    """Return sample number `index`; the same specimens at every light level.

    Args:
        structure: one of `STRUCTURES`.
        photons: mean of a raw frame where there is structure.
        index: of the specimen.
        side: raw pixels each way.
    """
    scope = assessed_microscope()
    settings = SpecimenSettings(kind=STRUCTURES[structure], seed=_FIRST_SEED + index, background=0.05)
    camera = Camera(offset_adu=100.0, gain_e_per_adu=0.5, read_noise_e=_READ_NOISE_E)
    made = simulate(scope, settings, photons=1.0, shape=(side, side), seed=index, modulation=0.8).series(0)
    light = photons / masked_mean(made.expected.mean(dim=(0, 1)))
    generator = torch.Generator().manual_seed(_FIRST_SEED + 1000 * index + round(photons))
    counts = expose(light * made.expected, camera, generator=generator)
    series = to_photons(counts.to(torch.float32), camera)
    patterns = modality_of(scope).estimate(series.numpy()[None], scope)
    return Sample(scope, patterns, series, light * made.total)


@dataclass(frozen=True)
class DataCell:
    """Samples of one structure in one light."""

    structure: str
    photons: float
    samples: Sequence["LazySample"]

    def sample(self, index: int) -> Sample:
        """Read one."""
        return self.samples[index].read()


@dataclass(frozen=True)
class LazySample:
    """A sample that is read when it is wanted."""

    cell: Path
    level: int
    scope: Microscope
    frames: int

    def read(self) -> Sample:
        """Read it and find its patterns."""
        field = open_pairs(self.cell, self.frames, self.scope.pattern.sr_factor, self.scope.camera)[0]
        frames, truth = field.load(self.level)
        geometry = self.scope.pattern
        series = frames.reshape(*geometry.counts, *frames.shape[-2:])
        scope = self.scope.replace(camera=Camera(read_noise_e=self.scope.camera.read_noise_e).model_dump())
        return Sample(scope, modality_of(scope).estimate(series.numpy()[None], scope), series, truth)


def recorded(folder: Path, microscope: Path | None, most: int) -> Iterator[DataCell]:
    """Give the cells of BioSR's folders: a structure a folder (or the folder itself), a row for each light level.

    Raises:
        ConfigError: no microscope file.
        DataError: no such folders.
    """
    if microscope is None:
        raise ConfigError(f"--data {folder}: series need --microscope M.yaml, the file of their microscope")
    scope = load_microscope(microscope)
    inner = [one for one in sorted(folder.iterdir()) if one.is_dir()] if folder.is_dir() else []
    structures = [one for one in inner if any(one.glob("*/RawSIMData_level_*.mrc"))]
    if not structures and any(folder.glob("*/RawSIMData_level_*.mrc")):
        structures = [folder]
    if not structures:
        raise DataError(
            f"{folder}: holds no folders with BioSR's cells (RawSIMData_level_*.mrc); choose another --data"
        )
    for structure in structures:
        cells = [one for one in sorted(structure.iterdir()) if any(one.glob("RawSIMData_level_*.mrc"))][-most:]
        fields = [open_pairs(one, scope.pattern.frames, scope.pattern.sr_factor, scope.camera)[0] for one in cells]
        for level in range(min(one.levels for one in fields)):
            light = np.mean([masked_mean(one.load(level)[0].mean(dim=0)) for one in fields])
            lazy = [LazySample(one, level, scope, scope.pattern.frames) for one in cells]
            yield DataCell(structure.name, round(float(light), 1), lazy)
