"""`Restorer`: raw series in, denoised super-resolved images out. Stands where a `Reconstructor` stands.

    raw series -> evidence M, D, N (physics) -> Wiener images -> network -> fusion with M (physics) -> SR image

A 3 x 3 series of 256 x 256 takes about 170 ms on one CPU thread, 60 ms in bfloat16 where the chip has instructions for
it (`python -m benchmarks.denoise --cost`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rdl_live.errors import ConfigError, DataError
from rdl_live.optics.arrays import as_tensor
from rdl_live.optics.estimate import as_series
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.noise import CameraMaps
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.reconstruct.apodization import Apodization, apodization
from rdl_live.optics.reconstruct.bands import BandTransform
from rdl_live.optics.reconstruct.plan import build_geometry, matched_plan, with_excess
from rdl_live.optics.reconstruct.spectrum import measure_damping
from rdl_live.optics.series_noise import series_noise
from rdl_live.optics.threads import shares_cores
from rdl_live.restore.evidence import Evidence, noise_power
from rdl_live.restore.frames import FrameModel, standardized_residual
from rdl_live.restore.fusion import fused_spectrum, rings_of
from rdl_live.restore.graph import Graphed, Tensors
from rdl_live.restore.guards import ResidualCheck, check_residual
from rdl_live.restore.inputs import ask, grid_of
from rdl_live.restore.memory import Comparing, Memory, Recalled
from rdl_live.restore.pattern_guard import check_patterns
from rdl_live.restore.ranges import check_microscope, check_photons
from rdl_live.restore.raw_frames import RawFrames
from rdl_live.restore.restored import DENOISED, SIGMA, SIM, WORTH, Guards, Restored
from rdl_live.restore.stripes import check_stripes
from rdl_live.restore.suited import check_suited
from rdl_models import Task, Weights, load_weights
from rdl_models.architecture import EstimatesError


@dataclass(frozen=True)
class _Calibration:
    """Measured on one series; other series of the same recording differ by their light only."""

    damping: Tensor
    wiener: float
    noise: float
    photons: float


@dataclass(frozen=True)
class _Solved:
    """One series, on the padded grid, photons."""

    spectrum: Tensor
    """Restored, (1, rows, columns)."""
    plain: Tensor
    """Wiener image, (1, y, x)."""
    sigma: Tensor | None
    """Standard error, (1, y, x)."""
    worth: Tensor | None = None
    """Number of series that each pixel is worth, (1, y, x); None without a memory."""


class Restorer:
    """rDL restoration for one microscope, channel, pattern set and frame shape.

    The noise and the spectrum of the first series decide on the weights, as in a `Reconstructor`; in later ones they
    follow the light (photon noise). `calibrate` measures anew.
    """

    def __init__(
        self,
        scope: Microscope,
        patterns: PatternSet,
        shape: tuple[int, ...],
        weights: str | Path | Weights = "rdl",
        device: torch.device | str = "cpu",
        *,
        channel: Channel | None = None,
        maps: CameraMaps | None = None,
        half: bool = False,
    ) -> None:
        """Load the network and prepare all that does not depend on the data.

        Args:
            scope: microscope.
            patterns: the illumination; doubtful orientations count as widefield only.
            shape: (y, x) of a raw frame.
            weights: name of shipped weights, a file, or what was loaded from one.
            device: "cpu", "cuda" or a torch device.
            channel: colour; the first where left out.
            maps: per-pixel camera calibration.
            half: compute the network in bfloat16, quicker where the chip can; the images differ by less than 3 % of
                their error.

        Raises:
            ConfigError: patterns, microscope and weights do not fit, or there are no such weights.
            DataError: the weight file is damaged or not of this program.
        """
        patterns.check(*scope.pattern.pattern_counts)
        if len(shape) != 2:
            raise ConfigError(f"shape must be the (y, x) of a raw frame, got {tuple(shape)}")
        self._channel = channel
        self.scope, self.patterns, self.shape = scope, patterns, (int(shape[0]), int(shape[1]))
        self.device, self._half = torch.device(device), half
        loaded = weights if isinstance(weights, Weights) else load_weights(weights, self.device)
        check_suited(loaded.card, f"weights {loaded.card.name!r}")
        self._network, self.card = loaded.network, loaded.card
        self.warnings = check_microscope(self.card, scope, channel)
        """What the user should know about these weights on this microscope and data."""
        self._geometry = build_geometry(
            Otf.of(scope, channel),
            patterns,
            self.shape,
            factor=scope.pattern.sr_factor,
            shared=scope.pattern.shared,
            device=self.device,
        )
        self._transform = BandTransform(self._geometry, scope.camera, maps)
        self._matched = matched_plan(self._geometry)
        self._target = apodization(Apodization.OTF, self._geometry.radius(), self._geometry.cutoff)
        self._rings = rings_of(*self._geometry.sr_spectrum, device=self.device)
        self._grid = grid_of(self._network, self._target)
        self._raw_frames = self._raw_network(maps)
        self._frames: FrameModel | None = None
        self._strips = 1
        self._calibration: _Calibration | None = None
        self._graph = self._new_graph()
        self._comparing = self._new_comparing()

    @property
    def name(self) -> str:
        """Name of the weights, for reports."""
        return self.card.name

    @property
    def tells_sigma(self) -> bool:
        """Whether `restore` gives a standard error: not all weights were trained for it."""
        return isinstance(self._network, EstimatesError) and self._network.spread is not None

    @property
    def strips(self) -> int:
        """In how many strips the network computes: more than one where the memory does not hold all at once."""
        return self._strips

    @property
    def wiener(self) -> float | None:
        """Equivalent Wiener parameter of the middle input at the detection cut-off; None before data."""
        return None if self._calibration is None else self._calibration.wiener

    @shares_cores
    def __call__(self, series: np.ndarray | Tensor) -> Tensor:
        """Restore.

        Args:
            series: raw ADU (angle, phase, y, x), or with time in front.

        Returns:
            float32 (SR y, SR x), or with time in front; photons per raw pixel area, corners coincide with the raw
            image's.

        Raises:
            DataError: other axes or frame shape than prepared for.
        """
        images = [self._found(one[None])[0].sr for one in self._checked(series)]
        return torch.stack(images) if series.ndim == 5 else images[0]

    def memory(self, most: float) -> Memory:
        """Return a memory for `restore`, of one place and colour, worth up to `most` series."""
        return Memory(most, self._comparing)

    @shares_cores
    def restore(self, series: np.ndarray | Tensor, *, guards: bool = False, memory: Memory | None = None) -> Restored:
        """Restore one series (angle, phase, y, x) of raw ADU, with all that is known of the image.

        Args:
            series: raw ADU.
            guards: ask the guards, too; that takes about as long as the restoration again.
            memory: of the series before; this one is added to it.

        Raises:
            DataError: other axes or frame shape than prepared for.
        """
        restored, judge = self.restore_first(series, memory=memory)
        return replace(restored, guards=judge()) if guards else restored

    @shares_cores
    def restore_first(
        self, series: np.ndarray | Tensor, *, memory: Memory | None = None
    ) -> tuple[Restored, Callable[[], Guards]]:
        """As `restore`, with the guards to be asked when there is time: what is returned beside the image does it.

        They judge this image, whatever has been restored since; `series` must be the same still.
        """
        frames = self._checked(series)[:1]
        restored, spectrum = self._found(frames, memory)
        return restored, lambda: self._guards(frames, spectrum)

    def raw(self, series: np.ndarray | Tensor) -> Tensor:
        """Return the denoised raw frames [photons], shaped as `series`: what the restored object would have given."""
        frames = self._checked(series)
        denoised = torch.cat([self._denoised(self._solved(one[None]).spectrum) for one in frames])
        return denoised if series.ndim == 5 else denoised[0]

    def residual(self, series: np.ndarray | Tensor) -> Tensor:
        """Return (raw - denoised) / expected noise, in the shape of `series`; see `standardized_residual`."""
        photons = self._transform.photons(self._checked(series))
        denoised = self.raw(series)
        return standardized_residual(photons.reshape(denoised.shape), denoised, self.scope.camera.read_noise_e)

    def check(self, series: np.ndarray | Tensor) -> ResidualCheck:
        """Judge what denoising takes away from one series (angle, phase, y, x)."""
        return check_residual(self.residual(series), self._geometry.otf, self.patterns)

    def calibrate(self, series: np.ndarray | Tensor) -> None:
        """Measure noise and spectrum on this series anew."""
        frames = self._checked(series)[:1]
        self._calibration = self._measured(frames)
        self._graph, self._comparing = self._new_graph(), self._new_comparing()

    def _found(self, frames: Tensor, memory: Memory | None = None) -> tuple[Restored, Tensor]:
        """Restore one series (1, A, P, y, x), and return its image's spectrum as well."""
        if self._graph is None or memory is not None or self._calibration is None:
            sr, sim, sigma, spectrum, worth = self._parts(frames, memory)
        else:
            sr, sim, sigma, spectrum, worth = self._graph(frames)
        if sr is None or spectrum is None:
            raise AssertionError("a restoration has an image")
        named = {SIM: sim, DENOISED: sr, SIGMA: sigma, WORTH: worth}
        return Restored({name: one for name, one in named.items() if one is not None}, DENOISED), spectrum

    def _new_comparing(self) -> Comparing:
        """Return what all memories share."""
        rows, columns = (self._geometry.factor * size for size in self.shape)
        return Comparing((rows, columns))

    def _new_graph(self) -> Graphed | None:
        """Return what records a restoration on a graphics card; None on a processor, which gains nothing."""
        return Graphed(self._parts) if self.device.type == "cuda" else None

    def _parts(self, frames: Tensor, memory: Memory | None = None) -> Tensors:
        """Restore one series (1, A, P, y, x): image, plain image, standard error, the image's spectrum, and worth."""
        solved = self._solved(frames, memory)
        sigma = None if solved.sigma is None else self._view(solved.sigma)[0]
        worth = None if solved.worth is None else self._view(solved.worth)[0]
        return self._image(solved.spectrum)[0], self._view(solved.plain)[0], sigma, solved.spectrum, worth

    def _guards(self, frames: Tensor, spectrum: Tensor) -> Guards:
        """Judge one restored series (1, A, P, y, x)."""
        photons, denoised = self._transform.photons(frames), self._denoised(spectrum)
        residual = standardized_residual(photons, denoised, self.scope.camera.read_noise_e)[0]
        found = check_residual(residual, self._geometry.otf, self.patterns)
        stripes = check_stripes(photons[0], denoised[0], self.patterns, self.scope.camera.read_noise_e)
        moved = check_patterns(denoised[0], self.scope, self.patterns, self._channel)
        light = check_photons(self.card, float(photons.mean()))
        doubts = (*found.doubts, *stripes.doubts, *moved.doubts, *light)
        return Guards(found, stripes, moved.patterns, moved.shift_nm, doubts)

    def _denoised(self, spectrum: Tensor) -> Tensor:
        """Return denoised raw frames (n, A, P, y, x) of restored spectra, photons."""
        if self._frames is None:
            self._frames = FrameModel(self._geometry, self.patterns)
        return self._frames(spectrum, self._target)

    def _raw_network(self, maps: CameraMaps | None) -> RawFrames | None:
        """Return the steps around a network that denoises raw frames; None where it works in the object plane."""
        if self.card.task != Task.RAW_FRAMES:
            return None
        read = self.scope.camera.read_noise_e if maps is None else maps.read_noise_e.to(self.device)
        return RawFrames(
            self._network, self._geometry, self.patterns, self._target, read_variance=read**2, half=self._half
        )

    def _checked(self, series: np.ndarray | Tensor) -> Tensor:
        frames = as_series(as_tensor(series), self.scope)
        if tuple(frames.shape[-2:]) != self.shape:
            raise DataError(f"frames of {tuple(frames.shape[-2:])} pixels do not fit a Restorer made for {self.shape}")
        return frames.to(self.device)

    def _spectrum(self, frames: Tensor) -> Tensor:
        return self._transform.spectrum(self._matched, self._transform.light(frames))

    def _measured(self, frames: Tensor) -> _Calibration:
        """Measure noise and spectrum; the widefield is weighed for the noise that is fixed in it."""
        photons, read = self._transform.photons(frames), self.scope.camera.read_noise_e
        noise = series_noise(photons, self._geometry.otf, read)
        self._geometry = with_excess(self._geometry, noise.excess)
        self._matched = matched_plan(self._geometry)
        damping, wiener = measure_damping(self._geometry, self._spectrum(frames)[0], noise)
        mean = float(photons.mean())
        for text in check_photons(self.card, mean):
            if text not in self.warnings:
                self.warnings.append(text)
        return _Calibration(damping, wiener, noise_power(self._geometry, noise), max(mean, 0.01))

    @torch.no_grad()
    def _solved(self, frames: Tensor, memory: Memory | None = None) -> _Solved:
        """Restore one series (1, A, P, y, x)."""
        if self._calibration is None:
            self._calibration = self._measured(frames)
        matched = self._spectrum(frames)
        evidence = self._evidence(matched, self._calibration)
        relative, photons = evidence.relative(), evidence.photons[:, None, None]
        plain = relative.wiener() * photons
        recalled = None
        if memory is not None:
            read = self.scope.camera.read_noise_e**2
            recalled = memory.recall(relative, read / (read + float(photons)))
        estimate, sigma = self._answer(frames, evidence, relative, recalled)
        if recalled is None:
            spectrum = fused_spectrum(relative, estimate, self._rings)
        else:
            spectrum = torch.fft.rfft2(recalled.fused(estimate, self._rings))
        worth = None
        if memory is not None:
            worth = torch.ones_like(plain) if recalled is None else recalled.worth
        return _Solved(spectrum * photons, plain, None if sigma is None else sigma * photons, worth)

    def _answer(
        self, frames: Tensor, evidence: Evidence, relative: Evidence, recalled: Recalled | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return the spectrum of the network's image and its standard error, in units of the mean."""
        if self._raw_frames is None:
            answer = ask(
                self._network, relative, recalled=recalled, half=self._half, strips=self._strips, grid=self._grid
            )
            if answer.strips > self._strips:
                self._strips = answer.strips
                self.warnings.append(
                    f"low memory: the denoiser computes in {answer.strips} strips, with "
                    "the same result; close other programs, or take a smaller region"
                )
            return answer.spectrum, answer.sigma
        photons = self._transform.photons(frames)
        estimate = self._raw_frames.estimate(photons, evidence, evidence.wiener())
        return torch.fft.rfft2(estimate / evidence.photons[:, None, None]), None

    def _evidence(self, matched: Tensor, calibration: _Calibration) -> Evidence:
        """Return what the series says; with the light the noise grows and the damping falls."""
        power, target = self._geometry.power[None], self._target[None]
        y, x = self._geometry.sr_padded
        # Not asked for as a number, which a graphics card would have to stop for.
        mean = (matched[:, 0, 0].real / (power[0, 0, 0] * y * x)).clamp(min=0.01)
        change = mean / calibration.photons
        return Evidence(matched, power, target, calibration.damping / change[:, None, None], calibration.noise * change)

    def _image(self, spectrum: Tensor) -> Tensor:
        return self._view(torch.fft.irfft2(spectrum, s=self._geometry.sr_padded))

    def _view(self, image: Tensor) -> Tensor:
        """Cut the padding off."""
        rows, columns = (self._geometry.factor * size for size in self.shape)
        return image[..., :rows, :columns].contiguous()
