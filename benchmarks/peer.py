"""napari-sim-processor's OpenCV path (PyPI, BSD-3), as one of the contenders.

Its processors are loaded from the installed files without the package's `__init__`, which wants Qt and
napari. It gets what is meant to be best for it: photons without camera offset as float32, no attenuation of
the zero order (there is no haze), and the Wiener parameter out of `WIENER` with the least error to the truth.
"""

import contextlib
import importlib
import importlib.util
import io
import math
import os
import sys
import types
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.contender import MissingError
from benchmarks.grids import Real, shifted
from benchmarks.scene import Scene
from benchmarks.score import fitted, nrmse
from rdl_live.optics import Pattern, PatternSet

WIENER = (0.02, 0.05, 0.1, 0.2)
_ALIAS = "benchmarks._napari_sim_processor"


class Peer:
    """napari-sim-processor on one scene; see `benchmarks.contender.Contender`."""

    name = "napari-sim-processor"

    def __init__(self, scene: Scene) -> None:
        """Configure it, estimate once, and choose its Wiener parameter.

        Raises:
            MissingError: it is not installed.
        """
        scope = scene.scope
        self._frames = scene.photons.reshape(-1, *scene.adu.shape[-2:]).astype(np.float32)
        self._pixel_um = scope.optics.pixel_size_um
        self._turn = 0
        processor = _processor_class()(scope.pattern.angles, scope.pattern.phases)
        processor.debug = False
        processor.pixelsize, processor.magnification = self._pixel_um, 1
        processor.NA, processor.n = scope.optics.na, scope.optics.immersion_index
        processor.wavelength = scope.channels[0].emission_nm * 1e-3
        processor.beta = 0.0
        self._processor = processor
        self.estimate()
        self.wiener = self._best_wiener(scene.truth)

    def estimate(self) -> None:
        """Find the patterns and build the filters."""
        self._processor.calibrate(self._frames)

    def reconstruct(self) -> NDArray[np.float32]:
        """Reconstruct the series with the patterns found."""
        return np.asarray(self._processor.reconstruct_ocv(self._frames))

    def update(self) -> object:
        """Replace one raw frame of the series and return the new image."""
        self._turn = (self._turn + 1) % len(self._frames)
        return self._processor.reconstructframe_ocv(self._frames[self._turn], self._turn)

    def image(self) -> Real:
        """Return its image where and as bright as the truth is.

        Its SR sample 2i lies on the centre of raw pixel i: half an SR pixel from where the corners coincide.
        Its OpenCV path divides by 4.
        """
        return np.asarray(4 * shifted(self.reconstruct(), 0.5).real)

    def scored(self, truth: NDArray[np.float32]) -> Real:
        """Return `image` with the gain and offset that fit the truth best."""
        return fitted(self.image(), truth)

    @property
    def mean(self) -> float:
        """Mean of its image as it comes."""
        return float(self.reconstruct().mean())

    @property
    def patterns(self) -> PatternSet:
        """What it found, in our description.

        It correlates band 0 with the conjugate of band 1, so its carrier is -k0 and its phase -phi, at the
        sample in the middle of the image.
        """
        unit = self._processor.NA / self._processor.wavelength
        y, x = ((size // 2 + 0.5) * self._pixel_um for size in self._frames.shape[-2:])
        steps = len(self._frames) // len(self._processor.kx)
        found = []
        values = (np.ravel(getattr(self._processor, name)) for name in ("kx", "ky", "p", "ampl"))
        for kx, ky, phase, depth in zip(*values, strict=True):
            k0 = (-float(kx) * unit, -float(ky) * unit)
            corner = -float(phase) - 2 * math.pi * (k0[0] * x + k0[1] * y)
            phases = tuple(corner + 2 * math.pi * step / steps for step in range(steps))
            found.append(Pattern(kx=k0[0], ky=k0[1], phases_rad=phases, modulation=(float(depth),)).canonical())
        return PatternSet(patterns=tuple(found))

    def _best_wiener(self, truth: NDArray[np.float32]) -> float:
        def error(value: float) -> float:
            self._use_wiener(value)
            return nrmse(self.scored(truth), truth)

        best = min(WIENER, key=error)
        self._use_wiener(best)
        return best

    def _use_wiener(self, value: float) -> None:
        self._processor.w = value
        self._processor.calibrate(self._frames, findCarrier=False)


def _processor_class() -> Any:
    """Load ConvSimProcessor from the installed package's files."""
    spec = importlib.util.find_spec("napari_sim_processor")
    if spec is None or not spec.submodule_search_locations or importlib.util.find_spec("cv2") is None:
        raise MissingError("napari-sim-processor", "python -m pip install -r benchmarks/requirements.txt")
    if _ALIAS not in sys.modules:
        package = types.ModuleType(_ALIAS)
        package.__path__ = [os.path.join(place, "processors") for place in spec.submodule_search_locations]
        sys.modules[_ALIAS] = package
    os.environ.setdefault("MPLBACKEND", "Agg")
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it found at import
        return importlib.import_module(f"{_ALIAS}.convSimProcessor").ConvSimProcessor
