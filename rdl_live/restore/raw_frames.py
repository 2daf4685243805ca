"""The rDL step on raw frames, as published but made right: an estimate of the object by a network that denoises frames.

    series -> prior (Wiener image) -> pattern-modulated frames on the 2x grid -> network, once for each orientation
           -> photons -> classical reconstruction

Qiao et al., Nat. Biotechnol. 2022, 10.1038/s41587-022-01471-3. Where it departs from the published code: the prior is a
Wiener image (in a time-lapse that of the running average, where nothing moves) in place of another network; modulation
happens on the 2x grid and with the estimated depth; light is scaled by a fixed, invertible transform that makes the
noise the same everywhere, so photons come out; and the image is weighed against the data afterwards
(`rdl_live.restore.fusion`).
"""

import torch
from torch import Tensor

from rdl_live.errors import ConfigError
from rdl_live.optics.microscope import Camera
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.reconstruct.bands import BandTransform
from rdl_live.optics.reconstruct.plan import Geometry
from rdl_live.restore.evidence import Evidence, matched_spectrum
from rdl_live.restore.generated import GeneratedFrames
from rdl_live.restore.stabilize import photons_of, stabilized
from rdl_models import Network
from rdl_models.tiles import by_tiles, tile_for

DENOISED_DAMPING = 0.1
"""Damping of the classical reconstruction of denoised frames, relative to that of the noisy ones."""
FREE_BYTES = 2 * 2**30
"""Memory for features on a CPU; larger fields are computed in tiles."""
_GPU_SHARE = 0.7


class RawFrames:
    """Denoises the series of one geometry and set of patterns by a raw-frame network."""

    def __init__(
        self,
        network: Network,
        geometry: Geometry,
        patterns: PatternSet,
        target: Tensor,
        *,
        read_variance: Tensor | float = 0.0,
        grid: int = 2,
        tile: int | None = None,
        half: bool = False,
    ) -> None:
        """Prepare.

        Args:
            network: for the task `Task.RAW_FRAMES`, in evaluation mode, on the geometry's device.
            geometry: of patterns and frame shape.
            patterns: estimated.
            target: T, the SR image's transfer (rows, columns).
            read_variance: read noise squared [electrons^2], one number or (y, x).
            grid: see `GeneratedFrames`.
            tile: rows and columns of tiles; by memory where left out.
            half: compute the convolutions in bfloat16, and nothing else: Fourier transforms need float32.

        Raises:
            ConfigError: the network is for another number of phases.
        """
        found = patterns.phases
        if network.config.phases != found:
            raise ConfigError(
                f"the network denoises {network.config.phases} phases an orientation, the microscope has {found}; "
                "use other weights, or --denoise none"
            )
        self._network, self._geometry, self._target, self._tile = network, geometry, target, tile
        self._read_variance, self._half = read_variance, half
        self._generated = GeneratedFrames(geometry, patterns, target, grid=grid)
        self._transform = BandTransform(geometry, Camera(), None)
        config, otf = network.config, geometry.otf
        self._pixel = otf.pixel_um * (otf.cutoff if config.relative else 1.0)

    def denoised(self, photons: Tensor, prior: Tensor) -> Tensor:
        """Return denoised frames (1, A, P, y, x) [photons].

        Args:
            photons: recorded series (1, A, P, y, x) [photons].
            prior: SR image (1, y, x) of the padded grid [photons].
        """
        generated = self._generated(prior)[0]
        mean = photons.mean().clamp(min=0.01)
        expected, noisy = (stabilized(one, mean, self._read_variance) for one in (generated, photons[0]))
        inputs = self._network.inputs(expected, noisy, self._pixel)
        tile = tile_for(self._network, inputs, self._free_bytes()) if self._tile is None else self._tile
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self._half):
            denoised = by_tiles(self._network, inputs, tile)
        return photons_of(denoised.float(), mean, self._read_variance)[None]

    def estimate(self, photons: Tensor, evidence: Evidence, prior: Tensor) -> Tensor:
        """Return the classical SR image of the denoised frames, (1, y, x) of the padded grid [photons].

        Args:
            photons: recorded series (1, A, P, y, x) [photons].
            evidence: of that series, in photons.
            prior: SR image (1, y, x) of the padded grid [photons].
        """
        matched = matched_spectrum(self._transform, self._geometry, self.denoised(photons, prior))
        # What the camera adds to every frame is gone from these: the widefield has its full weight.
        return Evidence(matched, self._geometry.power[None], evidence.target, evidence.damping, evidence.noise).wiener(
            DENOISED_DAMPING
        )

    def _free_bytes(self) -> float:
        device = self._target.device
        return _GPU_SHARE * torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else FREE_BYTES
