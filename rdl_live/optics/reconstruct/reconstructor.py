"""`Reconstructor`: raw series in, super-resolved images out, at camera speed."""

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
from rdl_live.optics.reconstruct.apodization import Apodization
from rdl_live.optics.reconstruct.bands import BandTransform
from rdl_live.optics.reconstruct.plan import Attenuation, Plan, build_geometry, build_plan, matched_plan, with_excess
from rdl_live.optics.reconstruct.rolling import Rolling
from rdl_live.optics.reconstruct.spectrum import measure_damping
from rdl_live.optics.series_noise import series_noise
from rdl_live.optics.threads import shares_cores


class Reconstructor:
    """Wiener SIM reconstruction for one microscope, channel, pattern set and frame shape.

    Calling it reconstructs a series; `update` exchanges one raw frame and reconstructs again (rolling mode, the
    same image for the same nine frames). Without a given Wiener parameter the first series decides: the
    noise floor beyond the OTF and the specimen's own spectrum give the damping of every frequency; it then stays
    (`calibrate` measures anew), so that a time-lapse is treated alike throughout.
    """

    def __init__(
        self,
        scope: Microscope,
        patterns: PatternSet,
        shape: tuple[int, ...],
        device: torch.device | str = "cpu",
        *,
        channel: Channel | None = None,
        maps: CameraMaps | None = None,
        wiener: float | None = None,
        apodization: Apodization = Apodization.OTF,
        attenuation: Attenuation | None = None,
    ) -> None:
        """Prepare all weights.

        Args:
            scope: microscope: optics, camera calibration, counts of angles and phases.
            patterns: the illumination, as `estimate_patterns` gives it; doubtful ones are left out.
            shape: (y, x) of a raw frame.
            device: "cpu", "cuda" or a torch device.
            channel: colour; the first where left out.
            maps: per-pixel camera calibration.
            wiener: fixed Wiener parameter w (w^2 is added to a denominator of about 1 at zero frequency).
            apodization: shape of the image's transfer.
            attenuation: optional notch against out-of-focus haze.

        Raises:
            ConfigError: patterns and microscope do not fit, or the phases cannot be separated.
        """
        patterns.check(*scope.pattern.pattern_counts)
        if len(shape) != 2:
            raise ConfigError(f"shape must be the (y, x) of a raw frame, got {tuple(shape)}")
        if wiener is not None and not 0 < wiener < 100:
            raise ConfigError(f"wiener must be above 0 (typically 0.01 to 0.3), got {wiener}")
        self.scope, self.patterns, self.shape = scope, patterns, (int(shape[0]), int(shape[1]))
        self.device = torch.device(device)
        self._apodization = apodization
        otf = Otf.of(scope, channel)
        self._geometry = build_geometry(
            otf,
            patterns,
            self.shape,
            factor=scope.pattern.sr_factor,
            shared=scope.pattern.shared,
            attenuation=attenuation,
            device=self.device,
        )
        self._transform = BandTransform(self._geometry, scope.camera, maps)
        self._rolling = Rolling(self._geometry, self._transform)
        self._plan: Plan | None = None
        if wiener is not None:
            self._plan = build_plan(self._geometry, wiener**2, wiener, apodization)

    @property
    def wiener(self) -> float | None:
        """Wiener parameter in use (its equivalent at the detection cut-off if measured); None before data."""
        return None if self._plan is None else self._plan.wiener

    @shares_cores
    def __call__(self, series: np.ndarray | Tensor) -> Tensor:
        """Reconstruct.

        Args:
            series: raw ADU (angle, phase, y, x), or with time in front.

        Returns:
            float32 (SR y, SR x), or with time in front; photons per raw pixel area, corners coincide with the raw
            image's.

        Raises:
            DataError: other axes or frame shape than prepared for.
        """
        frames = self._checked(series)
        light = self._transform.light(frames)
        plan = self._plan or self._measured(frames, light)
        self._plan = plan
        spectrum = self._transform.spectrum(plan, light)
        image = self._transform.image(spectrum)
        # The last series rolls on, without keeping the memory of those before it.
        last = (light[0], spectrum[0]) if len(light) == 1 else (light[-1].clone(), spectrum[-1].clone())
        self._rolling.begin(plan, *last)
        return image if series.ndim == 5 else image[0]

    def calibrate(self, series: np.ndarray | Tensor) -> None:
        """Measure noise and spectrum on this series anew and swap the weights (in one assignment, for threads)."""
        frames = self._checked(series)
        self._plan = self._measured(frames[:1], self._transform.light(frames[:1]))

    @shares_cores
    def update(self, frame: np.ndarray | Tensor, angle: int, phase: int) -> Tensor:
        """Exchange one raw frame (y, x) of the last series and reconstruct: rolling mode.

        Raises:
            DataError: no series was reconstructed yet, or the frame does not fit.
        """
        if self._plan is None:
            raise DataError("rolling needs a whole series first: call the Reconstructor once, then update")
        spectrum = self._rolling.exchange(self._plan, as_tensor(frame), angle, phase)
        return self._transform.image(spectrum[None])[0]

    def _checked(self, series: np.ndarray | Tensor) -> Tensor:
        frames = as_series(as_tensor(series), self.scope)
        if tuple(frames.shape[-2:]) != self.shape:
            raise DataError(
                f"frames of {tuple(frames.shape[-2:])} pixels do not fit a Reconstructor made for {self.shape}"
            )
        return frames.to(self.device)

    def _measured(self, frames: Tensor, light: Tensor) -> Plan:
        noise = series_noise(self._transform.photons(frames[:1]), self._geometry.otf, self.scope.camera.read_noise_e)
        geometry = with_excess(self._geometry, noise.excess)
        spectrum = self._transform.spectrum(matched_plan(geometry), light[:1])
        damping, wiener = measure_damping(geometry, spectrum[0], noise)
        return build_plan(geometry, damping, wiener, self._apodization)
