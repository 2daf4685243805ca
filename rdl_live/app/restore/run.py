"""One way in for all weights: the card of a weight file decides what is done with a recording."""

from collections.abc import Callable
from pathlib import Path

import torch

from rdl_live.app.reconstruct.run import OfflineRun, Options, sigma_path
from rdl_live.app.restore.care import Job, restore_care
from rdl_live.app.restore.images import restore_images
from rdl_live.app.restore.isotropic import restore_isotropic
from rdl_live.app.restore.stacks import RESTORATIONS, restore_stacks
from rdl_live.errors import ConfigError
from rdl_live.files import RawRequest, check_output
from rdl_live.restore.suited import SERIES, check_suited
from rdl_models import Task, find_weights, load_weights, read_card

Progress = Callable[[str, int, int], None]


def restore_file(
    raw: Path,
    microscope: Path | None,
    weights: str,
    out: Path,
    *,
    reading: RawRequest | None = None,
    channel: str | None = None,
    device: torch.device | str = "cpu",
    report: Path | None = None,
    cluster: str | None = None,
    overwrite: bool = False,
    progress: Progress = lambda _what, _done, _total: None,
    tell: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Restore a recording as its weights can: SIM series, z-stacks or single images; return what the user should know.

    Args:
        raw: file.
        microscope: microscope file, of which optics, channels and camera count; of SIM series the pattern, too.
            Content-aware restoration and single images may go without: their values are then taken as they are.
        weights: name of shipped weights, or a file.
        out: OME-TIFF to write, float32 photons.
        reading: position, order and tiles as the user says them; planes of a stack, where the file does not say.
        channel: colour; the first where left out.
        device: where to compute.
        report: where the report of weights for content-aware restoration goes; beside `out` where left out.
        cluster: dask scheduler on which they compute; see `check_cluster`.
        overwrite: replace a file that exists.
        progress: notified of what is going on, done, total.
        tell: gets what was found, in sentences.

    Raises:
        RdlError: a file cannot be used, or weights, microscope and recording do not fit.
    """
    reading = reading or RawRequest()
    path = find_weights(weights)
    check_output(out, overwrite, inputs=[one for one in (raw, microscope, path) if one is not None])
    card = read_card(path)
    if card.task in (Task.RESTORATION, Task.ISOTROPIC):
        if channel is not None or reading.order is not None:
            option = f"--channel {channel}" if reading.order is None else f"--order {reading.order}"
            raise ConfigError(f"{option}: weights {weights} restore every channel of any image; leave it out")
        network = load_weights(path, device).network
        restoring = restore_care if card.task == Task.RESTORATION else restore_isotropic
        return restoring(
            Job(raw, microscope, card, network, str(path), out, reading, report, cluster, overwrite, progress, tell)
        )
    for option, given in (("--report", report), ("--cluster", cluster)):
        if given is not None:
            raise ConfigError(
                f"{option} {given}: is for weights of `train care`, {weights} are for {card.task}; leave it out, or "
                "use `rdl-live reconstruct` for SIM series"
            )
    if card.task == Task.SUPER_RESOLUTION:
        if card.config.get("spread"):
            check_output(sigma_path(out), overwrite)
        return restore_images(
            raw,
            microscope,
            card,
            load_weights(path, device).network,
            out,
            reading=reading,
            channel=channel,
            device=device,
            overwrite=overwrite,
            progress=progress,
        )
    if microscope is None:
        raise ConfigError(f"weights {weights} are for {card.task}, which needs the optics: add --microscope M.yaml")
    if card.task in SERIES:
        options = Options(channel=channel, reading=reading, denoise=weights, overwrite=overwrite)
        with OfflineRun(raw, microscope, torch.device(device), options) as run:
            return run.reconstruct(out, progress=progress).warnings
    check_suited(card, f"--weights {weights}", {*SERIES, *RESTORATIONS, Task.SUPER_RESOLUTION}, "restore a file")
    if reading.order is not None:
        raise ConfigError(
            f"--order {reading.order}: weights {weights} are for images and z-stacks, which have no angles and phases; "
            "leave --order out"
        )
    return restore_stacks(
        raw,
        microscope,
        card,
        RESTORATIONS[card.task](load_weights(path, device).network, weights),
        out,
        reading=reading,
        channel=channel,
        device=device,
        overwrite=overwrite,
        progress=progress,
    )
