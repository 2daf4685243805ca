"""The OTF in three dimensions, as tables over (kz, |k| in the plane).

Made half-way: h(k, u), the lateral OTF at the distance u from focus, is smooth and finite, where the OTF itself has a
pole at zero (light that is out of focus is not lost). A transform along u on the planes of a stack gives the rest.

    h(k, u) = int V A(q + k/2) A(q - k/2) cos(2 pi u (w(q + k/2) - w(q - k/2))) d2q / int V A^2 d2q

with w = sqrt(K^2 - q^2), K = n / emission, A = (1 - q^2 / K^2)^(-1/4) within the aperture (an objective that obeys the
sine condition), and V the overlap of the fields that emitters of all orientations leave at two places of the pupil: at
the apertures of 3D-SIM fields are vectors, and fine detail passes half as well as a scalar theory says. No aberrations.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.otf import Otf, pixel_mtf

_SAMPLES = 129
"""Of |k|, from 0 to the cut-off."""
_NODES, _NODES_A_TURN = 32, 8
"""Of the quadrature, each way."""


def defocused_otf(k: Tensor, u_um: Tensor, *, na: float, index: float, emission_um: float) -> Tensor:
    """Return h(k, u), (k, u) float64, 1 at k = 0 for all u.

    Args:
        k: lateral frequencies (n,), 0 to the cut-off [cycles/um].
        u_um: distances from focus (m,) [um].
        na: numerical aperture.
        index: of the immersion medium.
        emission_um: wavelength in vacuum [um].
    """
    # The rim of an aperture as wide as the medium allows has no finite weight.
    sphere, rim = index / emission_um, min(na, 0.999 * index) / emission_um
    turns = float(u_um.abs().max()) * (sphere - math.sqrt(sphere**2 - rim**2))
    nodes, weights = np.polynomial.legendre.leggauss(_NODES + round(_NODES_A_TURN * turns))
    node = torch.from_numpy(0.5 * (nodes + 1)).to(k.device)
    weight = torch.from_numpy(0.5 * weights).to(k.device)
    found = [_at(float(one), u_um.double(), sphere, rim, node, weight) for one in k]
    whole = _at(0.0, u_um[:1].double(), sphere, rim, node, weight)
    return torch.stack(found) / whole


def _at(k: float, u: Tensor, sphere: float, rim: float, node: Tensor, weight: Tensor) -> Tensor:
    """Return the integral over a quarter of the lens that both shifted pupils share, (u,)."""
    long = rim - 0.5 * k
    if long <= 0:
        return torch.zeros_like(u)
    x = long * node[:, None]
    high = torch.sqrt((rim**2 - (x + 0.5 * k) ** 2).clamp(min=0))
    y = high * node[None, :]
    area = long * weight[:, None] * high * weight[None, :]
    near = torch.sqrt((sphere**2 - (x - 0.5 * k) ** 2 - y**2).clamp(min=1e-12))
    far = torch.sqrt((sphere**2 - (x + 0.5 * k) ** 2 - y**2).clamp(min=1e-12))
    area = area * sphere / torch.sqrt(near * far) * _fields(x - 0.5 * k, near, x + 0.5 * k, far, y, sphere)
    path = (far - near).flatten()
    return torch.cos(2 * math.pi * u[:, None] * path) @ area.flatten()


def _fields(x_near: Tensor, near: Tensor, x_far: Tensor, far: Tensor, y: Tensor, sphere: float) -> Tensor:
    """Return the sum over emitters' and camera's axes of the products of the fields at two places of the pupil.

    An emitter p leaves (p . e) rho + (p . phi) phi at the pupil's place (rho, phi), e the meridional direction before
    the lens turns it into the radial one.
    """
    one, other = (_directions(x, y.expand_as(w), w, sphere) for x, w in ((x_near, near), (x_far, far)))
    found = torch.zeros_like(near)
    for at_pupil, before in zip(*one, strict=True):
        for at_other, before_other in zip(*other, strict=True):
            found += (at_pupil * at_other).sum(dim=0) * (before * before_other).sum(dim=0)
    return found


def _directions(x: Tensor, y: Tensor, w: Tensor, sphere: float) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return (radial, azimuthal) directions at the pupil, and those of the emitter's field that become them."""
    x, w = x.expand_as(y), w.expand_as(y)
    q = torch.hypot(x, y).clamp(min=1e-9)
    c, s, zero = x / q, y / q, torch.zeros_like(q)
    radial, azimuthal = torch.stack([c, s, zero]), torch.stack([-s, c, zero])
    meridional = torch.stack([w / sphere * c, w / sphere * s, -q / sphere])
    return (radial, azimuthal), (meridional, azimuthal)


@dataclass(frozen=True)
class MeasuredBands:
    """OTFs of a bead stack, one an order: radial, of 3D-SIM of beads or (order 0 alone) of their widefield."""

    orders: tuple[Tensor, ...]
    """Each (|k|, kz) complex, kz in the order of a transform, the brightest sample in focus at u = 0."""
    k_spacing: float
    kz_spacing: float
    """Distances of the samples [cycles/um]."""


@dataclass(frozen=True)
class StackOtf:
    """Tables of one channel on the planes of one padded stack."""

    lateral: Otf
    """In the plane: cut-off, pixel and damping."""
    planes: int
    step_um: float
    axial: float
    """kz of the light [cycles/um]."""
    na: float
    index: float
    emission_um: float
    measured: MeasuredBands | None = None

    @classmethod
    def of(
        cls,
        scope: Microscope,
        channel: Channel,
        planes: int,
        step_um: float,
        axial: float,
        measured: MeasuredBands | None = None,
    ) -> "StackOtf":
        """Return the OTF of a microscope's channel."""
        optics = scope.optics
        lateral = Otf.of(scope, channel)
        return cls(
            lateral, planes, step_um, axial, optics.na, optics.immersion_index, channel.emission_nm * 1e-3, measured
        )

    @property
    def spacing(self) -> float:
        """Of |k| in the tables [cycles/um]."""
        return self.lateral.cutoff / (_SAMPLES - 1)

    @cached_property
    def _half_way(self) -> Tensor:
        """h(k, u), (|k|, u in the order of a transform) complex128."""
        if self.measured is not None:
            return _half_way(self.measured, 0, self._k, self._u)
        known, back = torch.unique(self._u.abs(), return_inverse=True)
        found = defocused_otf(self._k, known, na=self.na, index=self.index, emission_um=self.emission_um)
        every: Tensor = found[:, back].to(torch.complex128)
        return every

    @property
    def _k(self) -> Tensor:
        samples = torch.arange(_SAMPLES, dtype=torch.float64)
        return samples * self.spacing

    @property
    def _u(self) -> Tensor:
        """Distances from focus in the order of a transform [um]."""
        found: Tensor = torch.fft.fftfreq(self.planes, dtype=torch.float64) * self.planes * self.step_um
        return found

    def components(self, order: int) -> tuple[Tensor, ...]:
        """Return the tables (kz, |k|) complex64 whose combination is the OTF of an order.

        One for orders 0 and 2; two for order 1, which the axial wave moves up and down: the OTF is
        exp(-i theta) times the first plus exp(i theta) times the second.
        """
        if order != 1:
            return (self._transformed(self._of_order(order)),)
        if self.measured is not None and len(self.measured.orders) > 1:
            return (self._transformed(self._of_order(1)),)
        wave = torch.polar(torch.full_like(self._u, 0.5), 2 * math.pi * self.axial * self._u)
        return self._transformed(self._half_way * wave), self._transformed(self._half_way * wave.conj())

    def table(self, order: int, theta: float = 0.0) -> Tensor:
        """Return the OTF of an order, (kz, |k|) complex64, for a phase theta of the axial wave in focus [rad]."""
        parts = self.components(order)
        if len(parts) == 1:
            return parts[0]
        turn = complex(math.cos(theta), math.sin(theta))
        return parts[0] * turn.conjugate() + parts[1] * turn

    def _of_order(self, order: int) -> Tensor:
        """Return h of an order, of the same scale as that of order 0."""
        if self.measured is None or order == 0 or len(self.measured.orders) <= order:
            return self._half_way
        found = _half_way(self.measured, order, self._k, self._u)
        wave = torch.cos(2 * math.pi * self.axial * self._u) if order == 1 else torch.ones_like(self._u)
        model = self._half_way * wave
        scaled: Tensor = found * math.sqrt(float(model.abs().square().sum() / found.abs().square().sum()))
        return scaled

    @staticmethod
    def _transformed(half_way: Tensor) -> Tensor:
        found: Tensor = torch.fft.fft(half_way, dim=1).T.contiguous().to(torch.complex64)
        return found

    def damping(self, kx: Tensor, ky: Tensor) -> Tensor:
        """Return what else acts at lateral frequencies (kx, ky) of the camera: its pixels, and what was measured."""
        a, b = self.lateral.damping
        k = torch.hypot(kx, ky)
        factor = torch.exp(-k * (a + b * k)) * (k < self.lateral.cutoff)
        if self.measured is not None:
            return factor  # beads were seen through the pixels, too
        return factor * pixel_mtf(kx, ky, self.lateral.pixel_um)


def _half_way(measured: MeasuredBands, order: int, k: Tensor, u: Tensor) -> Tensor:
    """Return h(k, u) of a measured order at other samples, 1 at k = 0 in focus for order 0."""
    table = measured.orders[order].to(torch.complex128)
    kz = torch.fft.fftfreq(table.shape[1], dtype=torch.float64) * table.shape[1] * measured.kz_spacing
    waves = torch.polar(torch.ones(1, dtype=torch.float64), 2 * math.pi * kz[:, None] * u[None, :])
    # What lies further from focus than the beads' stack reaches was not measured.
    half = 0.5 / measured.kz_spacing
    seen = table @ waves * (u.abs() <= half)
    position = k / measured.k_spacing
    low = position.floor().clamp(max=table.shape[0] - 2).long()
    share = (position - low).clamp(0, 1)[:, None]
    found = seen[low] * (1 - share) + seen[low + 1] * share
    found[position > table.shape[0] - 1] = 0
    return found / complex(measured.orders[0].sum(dim=1)[0])
