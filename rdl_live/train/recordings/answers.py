"""What a denoiser makes of a tile: the spectrum of its image, for every kind of denoiser that compares or trains."""

import torch
from torch import Tensor, nn

from rdl_live.restore.evidence import Evidence
from rdl_live.restore.fusion import fused_spectrum, rings_of
from rdl_live.restore.inputs import ask
from rdl_live.restore.raw_frames import RawFrames
from rdl_live.train.recordings.film import Tile
from rdl_models import RdlSim


def answer(network: nn.Module | None, tile: Tile, photons: Tensor, evidence: Evidence) -> Tensor:
    """Return the spectrum (rows, columns) of the image of a series, in the unit of its evidence.

    Args:
        network: denoiser; None for the plain Wiener reconstruction.
        tile: where.
        photons: series (A, P, y, x).
        evidence: of that series, a batch of one, relative to its mean.
    """
    if network is None:
        return evidence.wiener_spectrum()[0]
    rows, columns = evidence.matched.shape[-2:]
    rings = rings_of(rows, columns, device=evidence.matched.device)
    if isinstance(network, RdlSim):
        estimate = _estimate(network, tile, photons, evidence)
    else:
        estimate = ask(network, evidence).spectrum
    return fused_spectrum(evidence, estimate, rings)[0]


def _estimate(network: RdlSim, tile: Tile, photons: Tensor, evidence: Evidence) -> Tensor:
    """Return the spectrum (1, rows, columns) of what a network of raw frames gives, relative to their mean."""
    mean = tile.mean(photons)
    frames = RawFrames(
        network, tile.geometry, tile.patterns, tile.target, read_variance=torch.as_tensor(tile.read_noise()) ** 2
    )
    whole = Evidence(
        evidence.matched * mean, evidence.power, evidence.target, evidence.damping, evidence.noise * mean**2
    )
    estimate: Tensor = torch.fft.rfft2(frames.estimate(photons[None], whole, whole.wiener()).float() / mean)
    return estimate
