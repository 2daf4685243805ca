"""The simulator looks like real recordings: by the statistics of those that lie beside the repository."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray

from rdl_live.optics import Camera, Channel, Microscope, Optics, Otf, to_photons
from rdl_live.optics.noise_floor import window2d
from rdl_live.optics.quality.mcnr import mcnr_map
from rdl_live.optics.sensor import SENSORS, Sensor
from rdl_live.train import SceneSettings
from rdl_live.train.simulated.scene import set_up
from rdl_live.train.simulated.unkind import UnkindSettings
from rdl_models import Span

Real = NDArray[np.float64]
SCENES = 14


@dataclass(frozen=True)
class Likeness:
    """What a recording is known by, whatever is in it."""

    floor_colour: float
    """Noise beyond the OTF: upper half of the frequencies / lower half; 1 is white."""
    coarse: float
    """log10 of the signal's power at .2 of the cut-off / that at .5: haze and blur make it large."""
    fine: float
    """The same of .5 and .75: the OTF that there is, where bands of the sides overlap with the middle one."""
    modulation: float
    """Mean square of the MCNR / photons, less what noise alone gives: contrast of the frames, whatever their light."""
    dark: float
    """The darkest places / the mean: background."""

    @classmethod
    def of(cls, series: torch.Tensor, scope: Microscope) -> "Likeness":
        """Measure a series (A, P, y, x) of ADU."""
        otf, photons = Otf.of(scope), to_photons(series, scope.camera)
        window = window2d((photons.shape[-2], photons.shape[-1]))
        spectra = torch.fft.fft2((photons - photons.mean(dim=(-2, -1), keepdim=True)) * window)
        power = (spectra.abs() ** 2).mean(dim=(0, 1)).numpy()
        ky, kx = (np.fft.fftfreq(size, otf.pixel_um) for size in power.shape)
        share = np.hypot(ky[:, None], kx[None, :]) / otf.cutoff
        beyond = share > 1.08
        middle = (1.08 + share.max()) / 2
        floor = power[beyond].mean()

        def band(low: float, high: float) -> float:
            return max(float(power[(share > low) & (share < high)].mean() - floor), 1e-3 * float(floor))

        mean, scene = float(photons.mean()), photons.mean(dim=(0, 1))
        bright = scene > scene.mean()
        noise_alone = 16 / photons.shape[1]
        contrast = float((mcnr_map(photons[None])[0][:, bright] ** 2).mean()) - noise_alone
        return cls(
            float(power[beyond & (share > middle)].mean() / power[beyond & (share <= middle)].mean()),
            float(np.log10(band(0.15, 0.25) / band(0.45, 0.55))),
            float(np.log10(band(0.45, 0.55) / band(0.7, 0.8))),
            contrast / float(scene[bright].mean()),
            float(torch.quantile(scene.flatten()[::3], 0.02)) / mean,
        )


@pytest.fixture(scope="module")
def simulated() -> list[Likeness]:
    """What unkind scenes are like, at the light of the real recordings."""
    settings = SceneSettings(
        size=96, exposures=1, angles=(3,), phases=(3,), photons=Span(low=60, high=60), unkind=UnkindSettings(share=1.0)
    )
    found = []
    for index in range(SCENES):
        rng = np.random.default_rng([4, index])
        setup = set_up(rng, settings)
        _, series = next(setup.exposures(rng, settings))
        found.append(Likeness.of(series[0], setup.scope))
    return found


def recordings(folder: Path) -> dict[str, tuple[torch.Tensor, Microscope]]:
    """Return those whose gain is known, or told by their noise."""

    def scope(na: float, pixel: float, colours: tuple[float, float], camera: Camera) -> Microscope:
        channel = Channel(name="one", excitation_nm=colours[0], emission_nm=colours[1])
        return Microscope(name="real", optics=Optics(na=na, pixel_size_um=pixel), channels=(channel,), camera=camera)

    def series(file: str, side: int) -> torch.Tensor:
        return torch.as_tensor(tifffile.imread(folder / file).astype(np.float32)).reshape(3, 3, side, side)

    b_sim = Camera(offset_adu=100, gain_e_per_adu=0.511)
    emccd = Camera(offset_adu=7000, gain_e_per_adu=1 / 20.5)
    return {
        "cristae": (series("b-sim-cristae/raw_9x120x120.tif", 120), scope(1.3, 0.065, (549, 569), b_sim)),
        "mitochondria": (
            series("b-sim-mitochondria/bsim2_hela_mito_120_raw.tif", 120),
            scope(1.3, 0.065, (600, 660), b_sim),
        ),
        "rzcao": (series("rzcao-microtubules/microtubules_9x256x256.tif", 256), scope(1.49, 0.0867, (640, 660), emccd)),
    }


@pytest.mark.parametrize("name", ["cristae", "mitochondria", "rzcao"])
def test_real_recordings_lie_among_the_simulated_ones(shared_data: Path, simulated: list[Likeness], name: str) -> None:
    real = Likeness.of(*recordings(shared_data)[name])
    for quality in ("floor_colour", "coarse", "fine", "modulation", "dark"):
        values = np.array([getattr(one, quality) for one in simulated])
        off = (getattr(real, quality) - values.mean()) / values.std()
        # Specimens differ widely in themselves; what no scene is like would be further off.
        assert abs(off) < 3, f"{quality}: {getattr(real, quality):.3f} is {off:.1f} deviations from the simulated ones"


def test_the_scmos_chip_is_like_a_calibrated_one(shared_data: Path) -> None:
    maps = [
        np.asarray(tifffile.imread(shared_data / f"b-sim-mitochondria/bsim2_{name}_map.tif"), np.float64)
        for name in ("offset", "gain", "variance")
    ]
    chip = Sensor(SENSORS["scmos"], Camera(offset_adu=100, gain_e_per_adu=0.511, read_noise_e=1.2), (120, 120)).maps

    def spread(values: Real) -> float:
        low, high = np.percentile(values, [16, 84])
        return float(high - low) / 2

    real = (spread(maps[0]), spread(maps[1]) / np.median(maps[1]), spread(np.log(maps[2]) / 2))
    ours = (
        spread(chip.offset_adu.numpy()),
        spread(chip.gain_e_per_adu.numpy()) / 0.511,
        spread(np.log(chip.read_noise_e.numpy())),
    )
    # Cameras differ from each other: within a factor of 2.5.
    for one, other in zip(ours, real, strict=True):
        assert 0.4 < one / other < 2.5
