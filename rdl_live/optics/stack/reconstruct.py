"""Three-dimensional SIM images: a generalised Wiener filter over the five bands of every orientation.

    SR(k) = A(k) sum_b conj(T_b(k)) F_b(k) / (sum_b |T_b(k)|^2 + w^2(k)),    k = (kx, ky, kz)

with b over widefield and sidebands, each weighed by the inverse of its noise (Gustafsson et al. 2008, eq. 3). The image
has twice the pixels each way in the plane and the planes of the stack: what the light's axial wave brings within reach
is in the recorded planes already (it moves with the focus), so that their distance must resolve it, and finer planes
would hold nothing more. Light out of focus is put back to where it came from: the stack's sum is kept.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from rdl_live.optics.fourier import frequencies, shift_phase
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.reconstruct.apodization import Apodization, apodization
from rdl_live.optics.reconstruct.object_spectrum import Rings, fitted_spectrum
from rdl_live.optics.reconstruct.separation import separation
from rdl_live.optics.stack.bands import StackGrid, band_spectrum
from rdl_live.optics.stack.place import lateral
from rdl_live.optics.stack.transfer import StackOtf

FACTOR = 2
"""Pixels of the image for one of the camera's, each way in the plane."""
_RANGE = (4e-4, 10.0)
"""Bounds of w^2, relative to the denominator of well-transferred frequencies. The lower one is not one of noise: what
lies above the first plane and below the last is not known, and without it what it left in the stack would be amplified.
"""
_WELL = 0.1
"""Of the lateral cut-off, where these are."""

Source = Callable[[int], Tensor]
"""Gives the frames of an orientation, (phase, z, y, x) float32 photons."""


class StackReconstructor:
    """Images of stacks of one channel, one pattern set and one grid; holds tables, no images."""

    def __init__(
        self,
        otf: StackOtf,
        patterns: PatternSet,
        grid: StackGrid,
        reach: float,
        *,
        wiener: float | None = None,
        shape: Apodization = Apodization.OTF,
    ) -> None:
        """Prepare.

        Args:
            otf: on the planes of the padded grid.
            patterns: fitted to a stack; those not trusted give their widefield alone.
            grid: of the stacks.
            reach: largest |kz| of the widefield's OTF [cycles/um].
            wiener: fixed Wiener parameter, relative to well-transferred frequencies; None: measured by `calibrate`.
            shape: apodization.
        """
        self._otf, self._patterns, self._grid, self._shape = otf, patterns, grid, shape
        self._parts = [separation(pattern) for pattern in patterns]
        self._noise = 1 / sum(1 / part.variance[0] for part in self._parts)
        used = [pattern for pattern in patterns if pattern.trusted and max(pattern.modulation) > 0]
        harmonics = sum(2 / pattern.period_um for pattern in used) / max(len(used), 1)
        self.cutoff = otf.lateral.cutoff + harmonics
        """In the plane [cycles/um]."""
        self.axial_cutoff = reach + (otf.axial if used else 0.0)
        self._fixed = wiener
        self.wiener: float | None = wiener
        """Wiener parameter in use; None before data."""
        self._damping: Tensor | None = None

    def __call__(self, source: Source, noise: float) -> Tensor:
        """Return the image (z, 2 y, 2 x) float32 of a stack, photons per raw pixel area.

        Args:
            source: gives the stack's frames, orientation by orientation.
            noise: variance of a pixel of a frame [photons^2]; the first stack decides on the damping.
        """
        matched, power, mean = self._matched(source)
        damping = self._damped(matched, power, noise)
        # The mean is known best of all and is not damped.
        centre = matched[0, 0, 0] / power[0, 0, 0].clamp(min=1e-12)
        target = self._target()
        _, rows, columns = matched.shape
        kx, ky = frequencies((rows, columns), self._grid.pixel_um / FACTOR)
        shift = shift_phase(kx, ky, 0.5 * self._grid.pixel_um * (1 / FACTOR - 1)).to(torch.complex64)
        for plane in range(len(matched)):
            w2 = damping(plane)
            matched[plane] *= shift * (target(plane) / (power[plane] + w2).clamp_(min=1e-12))
        matched[0, 0, 0] = centre
        del power
        for axis in (0, 1, 2):
            matched = torch.fft.ifft(matched, dim=axis)
        z, y, x = self._grid.shape
        # A flat object of one photon gives as much as the OTF at zero, which sums over all planes out of focus.
        scale = FACTOR**2 * float(self._otf.table(0)[0, 0].real)
        image = matched.real[:z, : FACTOR * y, : FACTOR * x] * scale
        del matched
        total = float(image.mean(dtype=torch.float64))
        # A padded grid holds the sum; what is seen of it keeps that of the frames.
        return image.mul_(mean / total) if total > 0 else image

    def _matched(self, source: Source) -> tuple[Tensor, Tensor, float]:
        """Return sum conj(T) F, (Z, 2 Y, 2 X) complex64, the denominator without w^2, and the mean of the frames."""
        planes, rows, columns = self._grid.padded
        big = (planes, FACTOR * rows, FACTOR * columns)
        sidebands = torch.zeros(big, dtype=torch.complex64)
        power = torch.zeros(big)
        mean = 0.0
        for number, (pattern, part) in enumerate(zip(self._patterns, self._parts, strict=True)):
            photons = source(number)
            share = self._noise / part.variance[0]
            rows0 = part.coefficients[0].to(photons)
            mean += share * float(torch.tensordot(rows0, photons.mean(dim=(1, 2, 3), dtype=torch.float64).float(), 1))
            for order in (0, 1, 2):
                depth = 1.0 if order == 0 else pattern.modulation[order - 1] / 2
                if depth <= 0 or not (order == 0 or pattern.trusted):
                    continue
                band = band_spectrum(photons, pattern, part, order, self._grid)
                self._add(sidebands, power, band, number, order, depth)
                del band
            del photons
        return sidebands, power, mean

    def _add(self, target: Tensor, power: Tensor, band: Tensor, number: int, order: int, depth: float) -> None:
        """Add a band, and its mirrored twin, to both sums."""
        pattern, part = self._patterns[number], self._parts[number]
        strength = self._noise / part.variance[order]
        place = lateral(self._otf, self._grid, (order * pattern.kx, order * pattern.ky))
        table = self._otf.table(order, pattern.axial_rad)
        _, rows, columns = target.shape
        at_y, at_x = place.rows % rows, place.columns % columns
        back_y, back_x = -place.rows % rows, -place.columns % columns
        planes = len(target)
        for plane in range(planes):
            transfer = place.at(table[plane]).mul_(depth)
            gain = transfer.abs().square().mul_(strength)
            values = band[plane] * transfer.conj() * strength
            target[plane][at_y[:, None], at_x[None, :]] += values
            power[plane][at_y[:, None], at_x[None, :]] += gain
            if order:  # of a real image both sidebands are each other's conjugates
                target[-plane % planes][back_y[:, None], back_x[None, :]] += values.conj()
                power[-plane % planes][back_y[:, None], back_x[None, :]] += gain

    def _damped(self, matched: Tensor, power: Tensor, noise: float) -> Callable[[int], Tensor]:
        """Return w^2 of every plane of frequencies."""
        if self._damping is None:
            self._measure(matched, power, noise)
        table, rings = self._damping, self._rings
        assert table is not None  # measured above
        return lambda plane: table[rings(plane).clamp(max=len(table) - 1)]

    def _measure(self, matched: Tensor, power: Tensor, noise: float) -> None:
        """Fit the specimen's spectrum over shells of |k|: w^2 = N / S, as in `rdl_live.optics.reconstruct.spectrum`."""
        step = self._ring_step
        at = round(_WELL * self._otf.lateral.cutoff * power.shape[2] * self._grid.pixel_um / FACTOR)
        well = float(power[0, 0, max(at, 1)].clamp(min=1e-12))
        count = math.ceil(math.hypot(self.cutoff, self.axial_cutoff) / step) + 2
        if self._fixed is not None:
            self._damping = torch.full((count,), self._fixed**2 * well)
            return
        sums = torch.zeros(4, count, dtype=torch.float64)
        for plane in range(len(matched)):
            rings = self._rings(plane).flatten()
            gain = power[plane].flatten().double()
            signal = matched[plane].abs().square().flatten().double()
            passed = (gain > 1e-6 * well) & (rings < count)
            rings = rings[passed]
            for row, value in enumerate((torch.ones_like(gain), signal, gain, gain.square())):
                sums[row].index_add_(0, rings, value[passed])
        sizes = sums[0].clamp(min=1)
        # A transform sums the variance of all pixels.
        level = self._noise * noise * math.prod(self._grid.padded)
        means = sums[1:] / sizes
        k = torch.arange(count, dtype=torch.float64) * step
        inside = (sums[0] > 0) & (k > 2 * step) & (k < 0.98 * self.cutoff) & (means[1] > 1e-6 * well)
        shells = Rings(k / self._otf.lateral.cutoff, 0.5 * sums[0], means[0], level * means[1], means[2], inside)
        damping = (level / fitted_spectrum(shells)).clamp(_RANGE[0] * well, _RANGE[1] * well)
        self._damping = damping.float()
        edge = min(count - 1, round(self._otf.lateral.cutoff / step))
        self.wiener = math.sqrt(float(damping[edge]) / well)

    @property
    def _ring_step(self) -> float:
        return 1.0 / (min(self._grid.padded[1:]) * self._grid.pixel_um)

    def _radius(self, plane: int) -> tuple[Tensor, float]:
        """Return |k| in the plane (2 Y, 2 X) and kz of a plane of frequencies [cycles/um]."""
        planes, rows, columns = self._grid.padded
        kx, ky = frequencies((FACTOR * rows, FACTOR * columns), self._grid.pixel_um / FACTOR)
        kz = (plane if plane <= planes // 2 else plane - planes) / (planes * self._grid.step_um)
        return torch.hypot(kx.float(), ky.float()), kz

    def _rings(self, plane: int) -> Tensor:
        radius, kz = self._radius(plane)
        return torch.hypot(radius, torch.tensor(kz)).div_(self._ring_step).round_().long()

    def _target(self) -> Callable[[int], Tensor]:
        """Return the apodization of every plane of frequencies: of an ellipsoid of both cut-offs."""

        def target(plane: int) -> Tensor:
            radius, kz = self._radius(plane)
            s = torch.hypot(radius / self.cutoff, torch.tensor(kz / self.axial_cutoff))
            return apodization(self._shape, s, 1.0)

        return target
