"""Everything about a reconstruction that does not depend on the pixel values, computed once.

    SR(k) = A(k) sum_b conj(T_b(k)) F_b(k) / (sum_b |T_b(k)|^2 + w^2(k))

over widefield and sidebands b (Gustafsson 2000, 10.1046/j.1365-2818.2000.00710.x, eq. 4), each weighed by the
inverse of its noise. Bands are demodulated in real space by the exact carrier, so every band costs one
transform on the raw grid and lands at its place in the SR half-plane by block copies; the OTF, the modulation,
the half-pixel shift to the SR grid, w and A are folded into one weight per band.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rdl_live.optics.estimate.refine import plane_wave
from rdl_live.optics.fourier import frequencies, good_size, shift_phase
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import Pattern, PatternSet
from rdl_live.optics.reconstruct.apodization import Apodization, apodization
from rdl_live.optics.reconstruct.blocks import Block, band_blocks
from rdl_live.optics.reconstruct.separation import separation, shared_separation
from rdl_live.optics.target import extended_cutoff

MARGIN = 16
"""Raw pixels by which frames of 32 pixels or more are extended at least, so that opposite edges do not touch."""


@dataclass(frozen=True)
class Attenuation:
    """Notch at the centre of every band's OTF against out-of-focus haze (Wicker 2013; as in fairSIM).

    The transfer used for weighing is multiplied by 1 - strength exp(-k^2 / (2 width^2)).
    """

    strength: float = 0.98
    width: float = 1.0
    """[cycles/um]."""

    def __post_init__(self) -> None:
        if not (0 <= self.strength < 1 and self.width > 0):
            raise ValueError(
                f"attenuation needs 0 <= strength < 1 and width > 0 cycles/um, got {self.strength} and {self.width}"
            )

    def __call__(self, k: Tensor) -> Tensor:
        """Weight at |k| [cycles/um] of the raw band."""
        return 1 - self.strength * torch.exp(-0.5 * (k / self.width) ** 2)


@dataclass(frozen=True)
class Rectangle:
    """The part of the SR spectrum that one band fills, and its matched filter there."""

    low: tuple[int, int]
    """First frequency, signed indices (row u, column v)."""
    transfer: Tensor
    """conj(T) / noise variance, (rows, columns) float32."""
    gain: Tensor
    """|T|^2 / noise variance, its share in the Wiener denominator, float32."""


@dataclass(frozen=True)
class Geometry:
    """Grids, unmixing, carriers and matched filters: all that patterns and frame shape decide."""

    shape: tuple[int, int]
    padded: tuple[int, int]
    otf: Otf
    unmixing: Tensor
    """(A, 1 + 2 harmonics, P) float32: b_0, Re b_1, Im b_1 ... or of their conjugates, as `k0` says; row 0 includes the
    orientation's share in the widefield."""
    carriers: Tensor
    """(A, harmonics, y, x) complex64: exp(-2 pi i h k0 . r), times what each place carries of the pattern."""
    k0: Tensor
    """(A, harmonics, 2) float64: h (kx, ky) of these [cycles/um], or its opposite, where kx is at most 0."""
    widefield: Rectangle
    sidebands: dict[tuple[int, int], Rectangle]
    """By (orientation, harmonic index); patterns that are not trusted are left out."""
    power: Tensor
    """Wiener denominator D without w^2, (SR rows, SR columns) float32; about 1 at zero frequency."""
    noise: float
    """Variance of the summed bands' noise / D, for raw frames of unit variance at mean brightness."""
    cutoff: float
    """Of the SR image [cycles/um]."""
    shared: bool = False
    """Whether all patterns are in every frame."""
    factor: int = 2
    """SR pixels for one of the camera's, each way."""
    excess: float = 0.0
    """Noise power of the widefield beyond its share of the frames' noise, relative to that: a fixed pattern adds up in
    the widefield alone."""

    @property
    def sr_spectrum(self) -> tuple[int, int]:
        """(rows, columns) of the padded SR image's half-plane."""
        return half_plane(self.padded, self.factor)

    @property
    def sr_padded(self) -> tuple[int, int]:
        """(y, x) of the padded SR image."""
        return self.factor * self.padded[0], self.factor * self.padded[1]

    def radius(self) -> Tensor:
        """|k| on the SR half-plane [cycles/um], float32."""
        kx, ky = frequencies(self.sr_padded, self.otf.pixel_um / self.factor, half=True, device=self.power.device)
        return torch.hypot(kx.to(torch.float32), ky.to(torch.float32))


def half_plane(padded: tuple[int, int], factor: int) -> tuple[int, int]:
    """Return (rows, columns) of the half-plane of an image `factor` times as fine as a padded grid of even sizes."""
    return factor * padded[0], factor * padded[1] // 2 + 1


def build_geometry(
    otf: Otf,
    patterns: PatternSet,
    shape: tuple[int, int],
    *,
    factor: int,
    shared: bool = False,
    attenuation: Attenuation | None = None,
    device: torch.device | str = "cpu",
) -> Geometry:
    """Compute all that depends on patterns and frame shape alone.

    Args:
        otf: detection OTF.
        patterns: the illumination.
        shape: (y, x) of a raw frame.
        factor: how much finer the image is.
        shared: all patterns are in every frame: their bands are taken for harmonics of one orientation.
        attenuation: optional notch.
        device: where to compute.
    """
    # The margin is filled with mirror images, so it is never wider than the frame.
    padded = (good_size(shape[0] + min(MARGIN, shape[0] // 2)), good_size(shape[1] + min(MARGIN, shape[1] // 2)))
    parts = [shared_separation(patterns)] if shared else [separation(pattern) for pattern in patterns]
    noise = 1 / sum(1 / part.variance[0] for part in parts)
    unmixing = torch.stack([part.coefficients for part in parts])
    unmixing[:, 0] *= torch.tensor([noise / part.variance[0] for part in parts])[:, None]
    grids = (padded, factor)
    widefield = _rectangle(otf, (0.0, 0.0), grids, 1.0, 1.0, attenuation, device)
    sidebands = {}
    carriers, waves = [], []
    for orientation, band, harmonic, pattern in _bands_of(patterns, shared):
        # Of the two sidebands, each the other's conjugate, take the one whose centre is in the half-plane that is
        # kept: most of the other one would have to be mirrored.
        side, depth = -1 if pattern.kx > 0 else 1, pattern.modulation[harmonic - 1]
        k0 = (side * harmonic * pattern.kx, side * harmonic * pattern.ky)
        unmixing[orientation, 2 * band] *= side
        wave = plane_wave((-k0[0], -k0[1]), shape, otf.pixel_um, device)
        carriers.append(wave * _over_field(pattern.local, shape, device) if pattern.local else wave)
        waves.append(k0)
        if depth > 0 and pattern.trusted:
            strength = noise / parts[orientation].variance[band]
            found = _rectangle(otf, k0, grids, depth / 2, strength, attenuation, device)
            sidebands[orientation, band - 1] = found
    return Geometry(
        shape=shape,
        padded=padded,
        otf=otf,
        unmixing=unmixing.to(device=device, dtype=torch.float32),
        carriers=torch.stack(carriers).reshape(len(parts), -1, *shape),
        k0=torch.tensor(waves, dtype=torch.float64, device=device).reshape(len(parts), -1, 2),
        widefield=widefield,
        sidebands=sidebands,
        power=_power(grids, widefield, sidebands, device),
        noise=noise,
        cutoff=extended_cutoff(otf.cutoff, patterns),
        shared=shared,
        factor=factor,
    )


def _bands_of(patterns: PatternSet, shared: bool) -> Iterator[tuple[int, int, int, Pattern]]:
    """Yield (orientation, number of the band in it from 1 on, harmonic, pattern) of every sideband."""
    for number, pattern in enumerate(patterns):
        if shared:
            yield 0, number + 1, 1, pattern
            continue
        for harmonic in range(1, len(pattern.modulation) + 1):
            yield number, harmonic, harmonic, pattern


def _over_field(shares: tuple[tuple[float, ...], ...], shape: tuple[int, int], device: torch.device | str) -> Tensor:
    """Return what the parts of the field carry of a sideband, pixel by pixel, (y, x) float32: no ghosts elsewhere."""
    parts = torch.tensor(shares, dtype=torch.float32, device=device)[None, None]
    field: Tensor = torch.nn.functional.interpolate(parts, size=shape, mode="bilinear")[0, 0]
    return field


def with_excess(geometry: Geometry, excess: float) -> Geometry:
    """Return the geometry whose widefield weighs less for its fixed noise; see `Geometry.excess`."""
    if excess == geometry.excess:
        return geometry
    band, factor = geometry.widefield, (1 + geometry.excess) / (1 + excess)
    widefield = Rectangle(band.low, band.transfer * factor, band.gain * factor)
    power = _power((geometry.padded, geometry.factor), widefield, geometry.sidebands, geometry.power.device)
    return replace(geometry, widefield=widefield, power=power, excess=excess)


def _rectangle(
    otf: Otf,
    k0: tuple[float, float],
    grids: tuple[tuple[int, int], int],
    amplitude: float,
    strength: float,
    attenuation: Attenuation | None,
    device: torch.device | str,
) -> Rectangle:
    """Matched filter of the band T(k) = amplitude H(k + k0) over the SR frequencies that it fills."""
    ranges, (padded, factor) = [], grids
    for size, centre in zip(padded, (-k0[1], -k0[0]), strict=True):
        per_um = size * otf.pixel_um
        # No further than the raw grid's Nyquist frequency around the band, nor the SR grid's around zero.
        reach = min(int(otf.cutoff * per_um) + 1, size // 2 - 1)
        middle = round(centre * per_um)
        last = factor * size // 2 - 1
        low, high = max(middle - reach, -last), min(middle + reach, last)
        ranges.append((low, torch.arange(low, high + 1, dtype=torch.float64, device=device) / per_um))
    (low_u, ky), (low_v, kx) = ranges
    at_x, at_y = (kx + k0[0]).to(torch.float32)[None, :], (ky + k0[1]).to(torch.float32)[:, None]
    transfer = amplitude * otf(at_x, at_y)
    weight = strength * transfer
    if attenuation is not None:
        weight = weight * attenuation(torch.hypot(at_x, at_y))
    return Rectangle((low_u, low_v), weight, weight * transfer)


def _power(
    grids: tuple[tuple[int, int], int],
    widefield: Rectangle,
    sidebands: dict[tuple[int, int], Rectangle],
    device: torch.device | str,
) -> Tensor:
    """Sum the gains of all bands, +k0 and -k0, on the SR half-plane."""
    padded, sr = grids[0], half_plane(*grids)
    target = torch.zeros(sr, dtype=torch.complex64, device=device)
    ones = torch.ones((), dtype=torch.complex64, device=device).expand(padded)
    for part in band_blocks(widefield.gain, widefield.low, padded, sr, real=True):
        part.add(ones, target)
    for band in sidebands.values():
        for part in band_blocks(band.gain, band.low, padded, sr):
            part.add(ones, target)
    return target.real.contiguous()


@dataclass(frozen=True)
class Plan:
    """Final weights: matched filters x A / (D + w^2), cut into blocks."""

    geometry: Geometry
    wiener: float
    """The Wiener parameter, or its equivalent, for the report."""
    widefield: tuple[Block, ...]
    sidebands: dict[tuple[int, int], tuple[Block, ...]]


def build_plan(geometry: Geometry, damping: Tensor | float, wiener: float, shape: Apodization) -> Plan:
    """Fold denominator, apodization and grid shift into the weights.

    Args:
        geometry: bands.
        damping: w^2 on the SR half-plane, or one number.
        wiener: figure to report.
        shape: apodization.
    """
    target = apodization(shape, geometry.radius(), geometry.cutoff)
    quotient = target / (geometry.power + damping).clamp(min=1e-12)
    # Intensities are kept: the mean is known best of all and must not be damped.
    quotient[0, 0] = 1 / geometry.power[0, 0]
    return Plan(
        geometry,
        wiener,
        _weighted(geometry, geometry.widefield, quotient, real=True),
        {key: _weighted(geometry, band, quotient) for key, band in geometry.sidebands.items()},
    )


def matched_plan(geometry: Geometry) -> Plan:
    """Plan without denominator and apodization: gives sum conj(T) F, for measuring the spectrum."""
    ones = torch.ones_like(geometry.power)
    return Plan(
        geometry,
        0.0,
        _weighted(geometry, geometry.widefield, ones, real=True),
        {key: _weighted(geometry, band, ones) for key, band in geometry.sidebands.items()},
    )


def _weighted(geometry: Geometry, band: Rectangle, quotient: Tensor, *, real: bool = False) -> tuple[Block, ...]:
    rows, columns = quotient.shape
    device = quotient.device
    u = torch.arange(band.low[0], band.low[0] + band.transfer.shape[0], device=device)[:, None]
    v = torch.arange(band.low[1], band.low[1] + band.transfer.shape[1], device=device)[None, :]
    # The quotient of a real image's filter is even: v < 0 is read at the opposite frequency.
    there = quotient[torch.where(v < 0, -u, u) % rows, v.abs()]
    pixel_um, factor = geometry.otf.pixel_um, geometry.factor
    ky = u.to(torch.float64) / (geometry.padded[0] * pixel_um)
    kx = v.to(torch.float64) / (geometry.padded[1] * pixel_um)
    # The centre of SR pixel 0 lies before that of raw pixel 0; more samples, of the same intensities.
    shift = factor**2 * shift_phase(kx, ky, 0.5 * pixel_um * (1 / factor - 1))
    weight = (band.transfer * there * shift).to(torch.complex64)
    return tuple(band_blocks(weight, band.low, geometry.padded, (rows, columns), real=real))
