"""From frames to information bands, ready to be correlated.

Per orientation the P phase steps hold band 0 (widefield, H S) and for every harmonic h a band
H(k) S(k - h k0) m_h / 2 exp(i h phi). Nominal, equally spaced steps separate them by a phase DFT
(Gustafsson 2000, 10.1046/j.1365-2818.2000.00710.x), whose order h is the sideband of harmonic h.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from rdl_live.optics.estimate.grid import Grid, grid_of
from rdl_live.optics.estimate.hot import mend_hot_pixels
from rdl_live.optics.microscope import Camera
from rdl_live.optics.noise import CameraMaps, to_photons
from rdl_live.optics.noise_floor import half_power_beyond, power_beyond
from rdl_live.optics.otf import Otf


@dataclass(frozen=True)
class Exposure:
    """T series in photons, and their means."""

    photons: Tensor
    """(T, A, P, y, x) float32."""
    levels: Tensor
    """Mean of every frame, (T, A, P)."""
    mean: Tensor
    """Mean over all frames, (y, x)."""

    @classmethod
    def of(cls, raw: Tensor, camera: Camera, maps: CameraMaps | None) -> Self:
        """Convert series (T, A, P, y, x) of any number type."""
        photons = raw.new_empty(raw.shape, dtype=torch.float32)
        levels = []
        total = photons.new_zeros(raw.shape[-2:])
        # Frame by frame, for as long as one is at hand its sums cost next to nothing.
        for counts, frame in zip(raw.flatten(0, 2), photons.flatten(0, 2), strict=True):
            frame.copy_(to_photons(counts, camera, maps))
            levels.append(frame.mean())
            total += frame
        return cls(photons, torch.stack(levels).view(raw.shape[:3]), total.div_(len(levels)))


@dataclass(frozen=True)
class Bands:
    """Separated bands of T windowed series. x, y: raw pixels; photons throughout."""

    grid: Grid
    images: tuple[Tensor, ...]
    """Orders 0 ... P // 2 of the phase DFT of the mean-free, tapered frames, brought to equal brightness: (T, A, y, x)
    each, float32 where they have to be real (orders 0 and P / 2), else complex64."""
    spectra: tuple[Tensor, ...]
    """Their transforms, complex64: the half-plane of rfft2 for order 0, else all of fft2."""
    widefield: Tensor
    """Mean of all frames of a series: (T, y, x), complex64, for all that is asked of it is its product with waves."""
    wide_spectrum: Tensor
    """Its transform, half-plane: (T, y, x // 2 + 1)."""
    side_power: Tensor
    """Power of order 1, mean over time: (A, y, x) float32."""
    harmonics: int
    """Orders that carry a sideband of the pattern, from 1 on."""
    intensity: Tensor
    """Mean brightness of every frame relative to that of its series, averaged over time: (A, P) float64."""
    floor: Tensor
    """Noise power per Fourier sample of ONE frame, sum of window^2 x variance per pixel, of what changes from frame to
    frame: (A,) float64."""
    fixed: float
    """The same of what all frames of the series have in common and no structure can be: a fixed pattern of the camera.
    It adds up in the widefield and is absent from the sidebands. At least 0."""
    photons: float
    """Mean of the raw frames [photons]."""
    read_noise_e: float
    """Read noise of the camera [electrons], 0 where unknown."""
    repeats: int = 1
    """How often each frame of the camera stands among these."""

    @property
    def groups(self) -> int:
        """Orientations that have frames of their own."""
        return self.angles // self.repeats

    @property
    def otf(self) -> Otf:
        """Detection OTF."""
        return self.grid.otf

    @property
    def shape(self) -> tuple[int, int]:
        """(y, x)."""
        return self.grid.shape

    @property
    def angles(self) -> int:
        """Orientations A."""
        return self.intensity.shape[0]

    @property
    def phases(self) -> int:
        """Phase steps P."""
        return self.intensity.shape[1]

    @property
    def times(self) -> int:
        """Time points T."""
        return self.widefield.shape[0]

    @property
    def frame_count(self) -> int:
        """Frames of the camera in a series."""
        return self.groups * self.phases

    @property
    def wide_floor(self) -> float:
        """Noise power per Fourier sample of the widefield: 1 / (A P) of a frame's, and all that is fixed."""
        return float(self.floor.mean()) / self.frame_count + self.fixed


def _phase_dft(frames: Tensor, gains: Tensor, window: Tensor, images: list[Tensor]) -> None:
    """Write the orders 0 ... P // 2 of one orientation's frames (P, y, x) to images (y, x) of their number type.

    They are the means over the phase axis of frames x gains x exp(-2 pi i order j / P), times the window.
    """
    steps = len(frames)
    rows = []
    for order, image in enumerate(images):
        turns = [2 * math.pi * order * step / steps for step in range(steps)]
        rows.append([math.cos(turn) / steps for turn in turns])
        if image.is_complex():
            rows.append([-math.sin(turn) / steps for turn in turns])
    weights = torch.tensor(rows, device=frames.device) * gains
    # One product of matrices reads the frames once.
    planes = iter((weights @ frames.flatten(1)).view(-1, *window.shape))
    for image in images:
        real = next(planes)
        if image.is_complex():
            torch.complex(real.mul_(window), next(planes).mul_(window), out=image)
        else:
            torch.mul(real, window, out=image)


def power(spectrum: Tensor) -> Tensor:
    """Return |spectrum|^2 in the least number of passes."""
    return spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)


def over_time(values: Tensor) -> Tensor:
    """Return the sum over the first axis, without a copy where it is one."""
    return values.sum(dim=0) if len(values) > 1 else values[0]


def _separated(photons: Tensor, means: Tensor, gains: Tensor, window: Tensor) -> tuple[Tensor, ...]:
    """Return the images (T, A, y, x) of the phase DFT's orders; overwrites the photons with mean-free ones."""
    times, angles, steps = means.shape
    orders = tuple(
        photons.new_empty((times, angles, *window.shape), dtype=torch.complex64 if 2 * order % steps else torch.float32)
        for order in range(steps // 2 + 1)
    )
    for time, orientation in itertools.product(range(times), range(angles)):
        frames = photons[time, orientation]
        # Before anything else: what is left is small, and so is its rounding.
        frames -= means[time, orientation, :, None, None]
        _phase_dft(frames, gains[time, orientation], window, [order[time, orientation] for order in orders])
    return orders


def separate(exposure: Exposure, otf: Otf, harmonics: int, read_noise_e: float = 0.0, repeats: int = 1) -> Bands:
    """Window and separate T series.

    Args:
        exposure: T series; overwritten.
        otf: detection OTF.
        harmonics: bands per orientation.
        read_noise_e: camera's read noise, for the floor where the OTF leaves none to measure.
        repeats: how often each frame of the camera stands among these.
    """
    photons = exposure.photons
    grid = grid_of(otf, (photons.shape[-2], photons.shape[-1]), photons.device)
    mended = mend_hot_pixels(photons, exposure.mean)
    levels = (photons.mean(dim=(-2, -1)) if mended else exposure.levels).to(torch.float64)
    series_mean = levels.mean(dim=(1, 2), keepdim=True)
    positive = torch.where(levels > 0, levels, torch.ones_like(levels))
    gains = torch.where(levels > 0, series_mean / positive, torch.ones_like(levels)).to(torch.float32)
    images = _separated(photons, levels.to(torch.float32), gains, grid.window)
    spectra = (torch.fft.rfft2(images[0]), *(torch.fft.fft2(order) for order in images[1:]))
    side_power = over_time(power(spectra[1])).div_(len(photons))
    photon_mean = float(levels.mean())
    phases = photons.shape[2]
    floor = power_beyond(side_power, otf)
    if floor is None:
        floor = torch.full_like(levels[0, :, 0], grid.area * max(photon_mean + read_noise_e**2, 0.0) / phases)
    wide_spectrum = spectra[0].mean(dim=1)
    safe_mean = torch.where(series_mean == 0, torch.ones_like(series_mean), series_mean)
    return Bands(
        grid=grid,
        images=images,
        spectra=spectra,
        widefield=images[0].mean(dim=1).to(torch.complex64),
        wide_spectrum=wide_spectrum,
        side_power=side_power,
        harmonics=harmonics,
        intensity=(levels / safe_mean).mean(dim=0),
        # A phase DFT is a mean of P frames, with 1 / P of the noise of one.
        floor=floor * phases,
        fixed=_fixed(wide_spectrum, otf, photons.shape[-1], float(floor.mean()) * repeats / photons.shape[1]),
        photons=photon_mean,
        read_noise_e=read_noise_e,
        repeats=repeats,
    )


def _fixed(wide_spectrum: Tensor, otf: Otf, columns: int, changing: float) -> float:
    """Return the power beyond the cut-off of the widefield (T, y, x // 2 + 1) that noise which changes leaves."""
    found = half_power_beyond(over_time(power(wide_spectrum)) / len(wide_spectrum), otf, columns)
    return 0.0 if found is None else max(float(found) - changing, 0.0)
