"""The loss of raw-frame networks: MSE + 0.1 (1 - SSIM) as published, of light whose noise is the same everywhere.

Each series' MSE counts relative to that of the generated frames, so that all light levels count alike.
"""

import torch

from rdl_live.restore.stabilize import NOISE, photons_of, stabilized
from rdl_live.train.loop.judged import JudgedImages, curbed
from rdl_live.train.loop.ssim import ssim
from rdl_live.train.simulated.raw_scene import RawBatch
from rdl_models import Network

SSIM = 0.1
"""Weight of 1 - SSIM."""
_LEAST = 1e-3 * NOISE**2


def judge_raw(network: Network, batch: RawBatch, *, half: bool = False) -> JudgedImages:
    """Denoise a batch of orientations and compare it with what has no noise.

    Args:
        network: for the task `Task.RAW_FRAMES`.
        batch: frames.
        half: compute the convolutions in bfloat16.

    Returns:
        What was found; of the pictures, the first frame of every orientation in units of the mean: generated, denoised,
        and the truth.
    """
    mean, read = batch.mean, batch.read_variance
    generated, noisy, clean = (stabilized(one, mean, read) for one in (batch.generated, batch.noisy, batch.clean))
    pixel = batch.pixel_um * batch.cutoff if network.config.relative else batch.pixel_um
    with torch.autocast(noisy.device.type, torch.bfloat16, enabled=half):
        out = network(generated, noisy, pixel)
    error = ((out - clean) ** 2).mean(dim=(1, 2, 3)) + _LEAST
    ratio = error / (((generated - clean) ** 2).mean(dim=(1, 2, 3)) + _LEAST)
    span = (clean.amax(dim=(1, 2, 3)) - clean.amin(dim=(1, 2, 3))).clamp(min=NOISE)
    loss = curbed(ratio).mean() + SSIM * (1 - ssim(out, clean, span)).mean()
    shown = batch.generated[:, 0] / mean[:, 0]
    denoised = photons_of(out.detach(), mean, read)[:, 0] / mean[:, 0]
    return JudgedImages(loss, ratio.detach(), shown, denoised, batch.clean[:, 0] / mean[:, 0])
