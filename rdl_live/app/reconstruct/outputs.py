"""What a reconstruction leaves: files of images, and the picture that a person looks at first."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from rdl_live._version import __version__
from rdl_live.app.reconstruct.makers import image_factor, memory_of
from rdl_live.app.reconstruct.preview import save_preview
from rdl_live.app.reconstruct.recording import OpenRecording
from rdl_live.app.reconstruct.report import pattern_records
from rdl_live.app.reconstruct.series_stream import Computed
from rdl_live.files import SrWriter
from rdl_live.optics import PatternSet


class Writers(NamedTuple):
    """The files of a run: images, their standard errors, and how many series each pixel is worth."""

    images: SrWriter
    sigma: SrWriter | None
    worth: SrWriter | None

    def write(self, made: Computed) -> None:
        """Write what was made of a series."""
        self.images.write(made.sr)
        for writer, image in ((self.sigma, made.sigma), (self.worth, made.worth)):
            if writer is not None and image is not None:
                writer.write(image)


def image_writer(
    run: OpenRecording,
    out: Path,
    patterns: PatternSet,
    what: str | None = None,
    unit: str = "photons per raw pixel area",
) -> SrWriter:
    """Return the file of the images of all time points.

    Args:
        run: the recording.
        out: to be written.
        patterns: in force.
        what: it shows; the modality's image by default.
        unit: of its pixels.
    """
    times, (rows, columns), factor = len(run.recording), run.frame, image_factor(run)
    made_by: dict[str, Any] = {
        "program": f"rdl-live reconstruct {__version__}",
        "raw": run.raw.name,
        "microscope": run.scope.model_dump(mode="json", exclude={"optics": {"otf"}}),
        "patterns": pattern_records(patterns),
        "denoiser": run.options.denoise,
        "memory_series": memory_of(run),
        "what": what or _shown(run),
        "unit": unit,
    }
    return SrWriter(
        out,
        (times, factor * rows, factor * columns),
        run.scope.optics.pixel_size_um / factor,
        run.channel.name,
        made_by,
        run.options.overwrite,
        excitation_nm=run.channel.excitation_nm,
        emission_nm=run.channel.emission_nm,
        planes=run.recording.grid[2],
    )


def picture(
    run: OpenRecording, path: Path, series: np.ndarray, image: torch.Tensor, plain: torch.Tensor | None
) -> None:
    """Write the preview of one unit.

    Args:
        run: the recording.
        path: to be written.
        series: raw ADU (angle, phase, y, x).
        image: of it.
        plain: the same without denoising, where there is denoising.
    """
    pixel_um = run.scope.optics.pixel_size_um
    panels = [("raw frame", series[0, 0].astype(np.float32))]
    if run.scope.pattern.frames > 1:
        mean = series.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
        panels.append(("widefield (mean of the raw frames)", mean))
    title = run.modality.shown.removesuffix(" image")
    panels.append((title, (image if plain is None else plain).numpy()))
    if plain is not None:
        refined = image_factor(run) > run.scope.pattern.sr_factor
        panels.append(("super-resolved by a network" if refined else f"{title}, denoised", image.numpy()))
    save_preview(path, panels, (run.frame[0] * pixel_um, run.frame[1] * pixel_um))


def _shown(run: OpenRecording) -> str:
    if image_factor(run) > run.scope.pattern.sr_factor:
        return "image super-resolved by a network alone"
    return run.modality.shown
