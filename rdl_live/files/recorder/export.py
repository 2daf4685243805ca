"""From a recording to OME-TIFF, which any program opens."""

from pathlib import Path
from typing import Any

import numpy as np

from rdl_live.errors import DataError
from rdl_live.files.raw_tiff import RawWriter
from rdl_live.files.recorder.layout import RecordingLayout
from rdl_live.files.recorder.readback import Progress
from rdl_live.files.recorder.recording import Recording, open_recording
from rdl_live.files.sr_tiff import SrWriter

MOST_HOLES, LEAST_SHARE = 10_000, 0.01
"""Of a recording that lacks more time points than this, this share must be there to be exported."""


def export_tiff(
    recording: Recording | str | Path,
    out: str | Path,
    overwrite: bool = False,
    *,
    channel: int = 0,
    position: int = 0,
    z: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Write one image of a recording to OME-TIFF, series by series; angles and phases by Modulo annotations.

    Missing frames are zeros, and are listed under "missing_frames" ([t, angle, phase]) in the file's provenance,
    beside "timestamps_s" and "pattern_ids" (T, angle, phase). Super-resolved images become a file (T, Y, X).

    Args:
        recording: an open one, or the path of one.
        out: a name that ends in .ome.tif.
        overwrite: replace an existing file.
        channel: colour to export, if `recording` is a path.
        position: stage position, likewise.
        z: plane, likewise.
        progress: told how many of how many time points are done.

    Returns:
        The path of the file.

    Raises:
        DataError: no recording, damaged, or without any time point.
        OutputError: the file cannot be written.
    """
    if isinstance(recording, Recording):
        return _export(recording, Path(out), overwrite, progress)
    with open_recording(recording, channel=channel, position=position, z=z) as opened:
        return _export(opened, Path(out), overwrite, progress)


def _export(recording: Recording, out: Path, overwrite: bool, progress: Progress | None) -> Path:
    if not len(recording):
        raise DataError(f"{recording.path}: holds no time point, so there is nothing to export")
    _check_holes(recording)
    writer = _writer(recording, out, overwrite)
    with writer:
        for time in range(len(recording)):
            series = recording[time]
            writer.write(series if isinstance(writer, RawWriter) else series[0, 0])
            if progress is not None:
                progress(time + 1, len(recording))
    return out


def _check_holes(recording: Recording) -> None:
    """Refuse to fill a disk with zeros for a recording whose journal claims what is not there."""
    there = int(recording.complete.sum())
    missing = len(recording) - there
    if missing > MOST_HOLES and there < LEAST_SHARE * len(recording):
        raise DataError(
            f"{recording.path}: claims {len(recording)} time points, of which {there} are there; its journal is "
            "damaged, and the rest would be zeros"
        )


def _writer(recording: Recording, out: Path, overwrite: bool) -> RawWriter | SrWriter:
    layout, (times, _, _, rows, columns) = recording.layout, recording.shape
    channel = layout.channels[recording.image.channel]
    colours = {"excitation_nm": channel.excitation_nm, "emission_nm": channel.emission_nm}
    shape, told = (times, rows, columns), _provenance(recording)
    if isinstance(layout, RecordingLayout):
        return RawWriter(
            out,
            shape,
            layout.pattern,
            layout.pixel_size_um,
            channel_name=channel.name,
            dtype=layout.dtype,
            provenance=told,
            overwrite=overwrite,
            **colours,
        )
    return SrWriter(
        out,
        shape,
        layout.pixel_size_um,
        channel.name,
        told,
        overwrite,
        excitation_nm=channel.excitation_nm,
        emission_nm=channel.emission_nm,
    )


def _provenance(recording: Recording) -> dict[str, Any]:
    stamps = recording.timestamps_s.astype(object)
    stamps[np.isnan(recording.timestamps_s)] = None  # JSON has no NaN
    told = {
        **recording.provenance,
        "recording": recording.path.name,
        "image": recording.image._asdict(),
        "interval_s": recording.layout.interval_s,
        "missing_frames": np.argwhere(~recording.valid).tolist(),
        "timestamps_s": stamps.tolist(),
    }
    if recording.kind == "raw":
        return {**told, "pattern_ids": recording.pattern_ids.tolist()}
    made = [record.metadata for time in range(len(recording)) for record in recording.records(time)]
    return {**told, "images": made}
