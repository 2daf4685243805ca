"""The patterns of a stack in three dimensions: wave vector of both harmonics together, their contrast and phases.

A pattern found slice by slice is the start. Where two bands overlap, order m and the widefield are brought to the same
transfer (as in `rdl_live.optics.estimate.refine`, here over kz too). In real space their product, summed over z, is a
positive envelope times exp(2 pi i m dk . r), dk the error of k0: one dk is sought for both orders. Order 1 is regressed
on the two copies of the OTF that the axial wave makes, whose phases say where that wave lies relative to the focus.
"""

import cmath
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.optics.pattern import Pattern
from rdl_live.optics.reconstruct.separation import Separation, separation
from rdl_live.optics.stack.bands import StackGrid, band_spectrum
from rdl_live.optics.stack.place import lateral
from rdl_live.optics.stack.transfer import StackOtf

_HIGH_PASS = 0.1
"""Cut-offs around the centres of both bands that are left out: haze, and edges."""
_DEPTH = 0.3
"""Amplitude of a band that is assumed in weighing the noises."""
_SURE = 4.0
"""Standard errors of an amplitude from which its order counts."""
_DEEPEST = (1.4, 1.0)
"""Contrast of each harmonic: three equal beams have 4 / 3 and 2 / 3, for the first harmonic moves along z."""
_ALIKE = 0.03
"""Smallest eigenvalue of the two copies' overlap, relative, below which they cannot be told apart."""
_REACHES = (1.0, 0.25, 0.0625, 0.016)
"""Of the search for dk, step by step [1 / field]."""
_STEPS = 9


@dataclass(frozen=True)
class OrderFit:
    """What one order shows."""

    value: complex
    """Its amplitude m / 2; its phase is by how much that of the start was off."""
    sigma: float
    """Standard error of the amplitude, of noise alone."""

    @property
    def sure(self) -> bool:
        """Whether it is there."""
        return abs(self.value) > _SURE * self.sigma


@dataclass(frozen=True)
class StackFit:
    """A pattern in three dimensions."""

    pattern: Pattern
    """With `Pattern.axial_rad`."""
    orders: tuple[OrderFit, ...]
    """First and second harmonic."""


def fit_stack(photons: Tensor, pattern: Pattern, otf: StackOtf, grid: StackGrid, noise: float) -> StackFit:
    """Fit a pattern to the frames of one orientation of a stack.

    Args:
        photons: (phase, z, y, x) float32.
        pattern: found slice by slice, k0 right to half a turn over the field.
        otf: of the padded stack.
        grid: of these frames.
        noise: variance of a pixel of a frame [photons^2].
    """
    start = pattern.replace(modulation=(1.0, 1.0), shifts_rad=(), local=())
    unmixing = separation(start)
    wide = band_spectrum(photons, start, unmixing, 0, grid)
    orders = [_Order(photons, start, unmixing, m, wide, otf, grid, noise) for m in (1, 2)]
    theta = orders[0].theta(0.0, 0.0)
    dx = dy = 0.0
    for _ in range(2):
        dx, dy = _search(orders, theta, dx, dy)
        theta = orders[0].theta(dx, dy)
    fits = [one.fit(dx, dy, theta) for one in orders]
    width, height = grid.shape[2] * grid.pixel_um, grid.shape[1] * grid.pixel_um
    off = cmath.phase(fits[0].value) if fits[0].sure else 0.5 * cmath.phase(fits[1].value)
    shift = cmath.phase(fits[1].value) - 2 * off
    found = pattern.replace(
        kx=start.kx + dx / width,
        ky=start.ky + dy / height,
        phases_rad=tuple(math.remainder(phase + off, 2 * math.pi) for phase in start.phases_rad),
        modulation=tuple(
            min(2 * abs(one.value), most) if one.sure else 0.0 for one, most in zip(fits, _DEEPEST, strict=True)
        ),
        shifts_rad=(0.0, math.remainder(shift, 2 * math.pi)),
        axial_rad=theta,
        local=(),
    )
    return StackFit(found, tuple(fits))


class _Order:
    """One order of one orientation against the widefield, in real space, at the trial wave vector."""

    def __init__(
        self,
        photons: Tensor,
        pattern: Pattern,
        unmixing: Separation,
        order: int,
        wide: Tensor,
        otf: StackOtf,
        grid: StackGrid,
        noise: float,
    ) -> None:
        side = band_spectrum(photons, pattern, unmixing, order, grid)
        at_zero = lateral(otf, grid, (0.0, 0.0))
        at_side = lateral(otf, grid, (order * pattern.kx, order * pattern.ky))
        here, parts = otf.table(0), otf.components(order)
        same = (at_zero.rows == at_side.rows)[:, None] & (at_zero.columns == at_side.columns)[None, :]
        away = [(one.low + one.share) * otf.spacing / otf.lateral.cutoff for one in (at_zero, at_side)]
        mask = same.float()
        for one in away:
            mask = mask * (1 - torch.exp(-0.5 * (one / _HIGH_PASS) ** 2))
        variance = [noise * unmixing.variance[0], noise * unmixing.variance[order]]
        through = [torch.zeros_like(side) for _ in parts]
        count = len(parts)
        gram_noise = torch.zeros(count, count, dtype=torch.complex128)
        side_noise = 0.0
        for plane in range(grid.padded[0]):
            t0, ts = at_zero.at(here[plane]), [at_side.at(one[plane]) for one in parts]
            power = sum((one.abs().square() for one in ts), torch.zeros_like(mask))
            root = mask / (power * variance[0] + _DEPTH**2 * t0.abs().square() * variance[1]).clamp(min=1e-12).sqrt()
            side[plane] *= t0 * root
            side_noise += float((t0 * root).abs().square().sum())
            weighted = [one * root for one in ts]
            for number, one in enumerate(weighted):
                torch.mul(wide[plane], one, out=through[number][plane])
                for other in range(count):
                    gram_noise[number, other] += complex((weighted[other] * one.conj()).sum())
        z, y, x = grid.shape
        inside = z * y * x
        whole = math.prod(grid.padded)
        seen = torch.fft.ifftn(side)[:z, :y, :x]
        views = [torch.fft.ifftn(one)[:z, :y, :x] for one in through]
        self._products = [(seen * one.conj()).sum(dim=0) for one in views]
        gram = torch.tensor([[complex((b * a.conj()).sum()) for b in views] for a in views], dtype=torch.complex128)
        self._gram = gram - gram_noise * (variance[0] * inside / whole)
        self._side_noise = variance[1] * side_noise / whole
        self._order = order

    def _mixed(self, theta: float) -> tuple[Tensor, float]:
        """Return product and power of the widefield through the order's OTF for a phase of the axial wave."""
        if len(self._products) == 1:
            return self._products[0], float(self._gram[0, 0].real)
        turn = torch.tensor([cmath.exp(-1j * theta), cmath.exp(1j * theta)], dtype=torch.complex128)
        product = sum(
            (complex(one.conj()) * part for one, part in zip(turn, self._products, strict=True)),
            torch.zeros_like(self._products[0]),
        )
        return product, float((turn.conj() @ self._gram @ turn).real)

    def theta(self, dx: float, dy: float) -> float:
        """Return the phase of the axial wave in focus; 0 where it does not show."""
        if len(self._products) == 1:
            return 0.0
        eigen = torch.linalg.eigvalsh(self._gram)
        if float(eigen[0]) < _ALIKE * float(eigen[-1]):
            return 0.0
        right = torch.stack([_dft(one, self._order * dx, self._order * dy) for one in self._products])
        down, up = (complex(one) for one in torch.linalg.solve(self._gram, right))
        return 0.5 * cmath.phase(up * down.conjugate())

    def merit(self, dx: Tensor, dy: Tensor, theta: float) -> Tensor:
        """Return how much of the order is explained at errors of k0, (dy, dx), relative to its noise."""
        product, power = self._mixed(theta)
        found = _zoom(product, self._order * dx, self._order * dy)
        return found / max(power * self._side_noise, 1e-30)

    def fit(self, dx: float, dy: float, theta: float) -> OrderFit:
        """Return the amplitude at an error of k0."""
        product, power = self._mixed(theta)
        if power <= 0:
            return OrderFit(0j, math.inf)
        value = complex(_dft(product, self._order * dx, self._order * dy)) / power
        return OrderFit(value, math.sqrt(self._side_noise / power))


def _search(orders: "list[_Order]", theta: float, x: float, y: float) -> tuple[float, float]:
    """Return dk (x, y) at which both orders together are explained best [1 / field]."""
    for reach in _REACHES:
        steps = torch.linspace(-reach, reach, _STEPS, dtype=torch.float64)
        merit = sum((one.merit(x + steps, y + steps, theta) for one in orders), torch.zeros(_STEPS, _STEPS).double())
        row, column = divmod(int(merit.argmax()), _STEPS)
        x, y = x + float(steps[column]), y + float(steps[row])
    return x, y


def _zoom(product: Tensor, fx: Tensor, fy: Tensor) -> Tensor:
    """Return |DFT|^2 of (y, x) at (len fy, len fx) frequencies [1 / field], origin at the image's corner."""
    left, right = (_waves(size, f) for size, f in zip(product.shape, (fy, fx), strict=True))
    found = left @ product.to(torch.complex128) @ right.T
    return found.abs().square()


def _dft(product: Tensor, fx: float, fy: float) -> Tensor:
    left, right = (
        _waves(size, torch.tensor([f], dtype=torch.float64)) for size, f in zip(product.shape, (fy, fx), strict=True)
    )
    found: Tensor = (left @ product.to(torch.complex128) @ right.T)[0, 0]
    return found


def _waves(size: int, f: Tensor) -> Tensor:
    place = torch.arange(size, dtype=torch.float64) + 0.5
    return torch.polar(torch.ones(1, dtype=torch.float64), -2 * math.pi / size * f[:, None] * place)
