"""From dark and flat series to a camera block, maps and a report: what `rdl-live calibrate camera` does."""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import yaml
from PIL import Image, ImageDraw, ImageFont

from rdl_live._version import __version__
from rdl_live.app.wanted_frames import WantedFrames
from rdl_live.errors import DataError, OutputError
from rdl_live.files import RawRequest, atomic_write, check_output
from rdl_live.files._guard import naming
from rdl_live.files.raw import open_any
from rdl_live.optics.photon_transfer import CameraCalibration, Map, PixelStatistics, photon_transfer

BLOCK = 16
"""Frames that are read at a time: memory stays small however long a series is."""
FILES = ("camera.yaml", "offset.tif", "gain.tif", "variance.tif", "hot.tif", "report.json", "photon-transfer.png")
_SIZE, _MARGIN = (640, 480), 64

Progress = Callable[[str, int, int], None]


def calibrate_camera(
    dark: Path,
    flats: Sequence[Path],
    folder: Path,
    *,
    reading: RawRequest | None = None,
    channel: str | None = None,
    overwrite: bool = False,
    progress: Progress,
) -> CameraCalibration:
    """Calibrate and write `FILES` into a folder.

    Args:
        dark: frames without light.
        flats: series of steady, structureless light, one file a level.
        folder: is made if it is not there.
        reading: position and tiles, as the user says them.
        channel: colour of the files by name, or number from 0; None: all.
        overwrite: replace files.
        progress: called with (what, done, total).

    Raises:
        RdlError: a file cannot be read, does not fit the others, or says too little.
    """
    made = not folder.exists()
    targets = prepare_folder(folder, overwrite)
    try:
        statistics = PixelStatistics()
        wanted = WantedFrames(reading or RawRequest(), channel)
        largest, whole = _feed(statistics, dark, wanted, None, progress)
        seen = [_flat(path, wanted, statistics.mean, progress) for path in flats]
        found = photon_transfer(statistics, seen, saturation_adu=largest, whole=whole)
        _write(found, targets, [dark, *flats], overwrite)
    except BaseException:
        if made:
            with suppress(OSError):
                folder.rmdir()  # nothing half-made is left behind
        raise
    return found


def prepare_folder(folder: Path, overwrite: bool) -> dict[str, Path]:
    """Make the folder; return the files to write, by name.

    Raises:
        OutputError: it cannot be made, or files are there already.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: the folder cannot be made ({error.strerror}); choose another --out") from error
    targets = {name: folder / name for name in FILES}
    for path in targets.values():
        check_output(path, overwrite)
    return targets


def camera_block(found: CameraCalibration) -> dict[str, Any]:
    """Return the `camera:` block of a microscope file; maps lie beside it."""
    return {
        "offset_adu": round(found.offset_adu, 3),
        "gain_e_per_adu": round(found.gain_e_per_adu, 5),
        "read_noise_e": round(found.read_noise_e, 4),
        "offset_file": "offset.tif",
        "gain_file": "gain.tif",
        "variance_file": "variance.tif",
    }


def _flat(path: Path, wanted: WantedFrames, dark: Map, progress: Progress) -> PixelStatistics:
    statistics = PixelStatistics(dark)
    _feed(statistics, path, wanted, dark.shape, progress)
    return statistics


def _feed(
    statistics: PixelStatistics, path: Path, wanted: WantedFrames, shape: tuple[int, ...] | None, progress: Progress
) -> tuple[float | None, bool]:
    """Read a series block by block; return the largest value of its type, and whether values are whole."""
    raw = open_any(path)
    try:
        with naming(path):
            raw, frames = wanted.of(raw)
        if shape is not None and raw.source.shape != shape:
            raise DataError(f"{path}: frames of {raw.source.shape} pixels, the dark series has {shape}; use one region")
        for start in range(0, len(frames), BLOCK):
            some = frames[start : start + BLOCK]
            values = np.empty((len(some), *raw.source.shape), raw.source.dtype)
            raw.source.read(some, values)
            if not np.isfinite(values).all():
                raise DataError(f"{path}: holds NaN or infinity; record the series again")
            statistics.add(values)
            progress(f"reading {path.name}", start + len(some), len(frames))
        kind = raw.source.dtype
        return (float(np.iinfo(kind).max), True) if kind.kind in "iu" else (None, False)
    finally:
        raw.source.close()


def _write(found: CameraCalibration, targets: dict[str, Path], sources: Sequence[Path], overwrite: bool) -> None:
    """Write all files, or none."""
    maps = {"offset.tif": found.offset, "gain.tif": found.gain, "variance.tif": found.variance, "hot.tif": found.hot}
    with ExitStack() as files:

        def open_(name: str) -> Path:
            return files.enter_context(atomic_write(targets[name], overwrite))

        for name, values in maps.items():
            pixels = values.astype(np.uint8 if name == "hot.tif" else np.float32)
            tifffile.imwrite(open_(name), pixels, software=f"rdl-live {__version__}")
        block = yaml.safe_dump({"camera": camera_block(found)}, sort_keys=False)
        head = f"# by `rdl-live calibrate camera` {__version__}: put this into the microscope file, beside the maps\n"
        open_("camera.yaml").write_text(head + block, encoding="utf-8")
        open_("report.json").write_text(json.dumps(report(found, sources), indent=2) + "\n", encoding="utf-8")
        draw_transfer(found).save(open_("photon-transfer.png"), format="PNG")


def report(found: CameraCalibration, sources: Sequence[Path]) -> dict[str, Any]:
    """Return what was found, for `report.json`."""
    places = np.argwhere(found.hot)[:1000]
    return {
        "program": f"rdl-live {__version__}",
        "sources": [path.name for path in sources],
        "offset_adu": found.offset_adu,
        "gain_e_per_adu": found.gain_e_per_adu,
        "read_noise_e": found.read_noise_e,
        "hot_pixels": int(found.hot.sum()),
        "hot_pixels_yx": places.tolist(),
        "nonlinearity": found.nonlinearity,
        "photon_transfer": [{"signal_adu": signal, "variance_adu2": excess} for signal, excess in found.points],
        "warnings": list(found.warnings),
    }


def draw_transfer(found: CameraCalibration) -> Image.Image:
    """Return the photon transfer curve: variance against signal, both logarithmic, with the fitted line."""
    canvas = Image.new("L", _SIZE, 255)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=14)
    signals, excesses = (np.array(one) for one in zip(*found.points, strict=True))
    low, high = float(signals.min()) / 3, float(signals.max()) * 3
    bottom, top = low / found.gain_e_per_adu, high / found.gain_e_per_adu

    def place(signal: float, excess: float) -> tuple[float, float]:
        x = np.log(signal / low) / np.log(high / low)
        y = np.log(max(excess, bottom) / bottom) / np.log(top / bottom)
        width, height = _SIZE[0] - 2 * _MARGIN, _SIZE[1] - 2 * _MARGIN
        return _MARGIN + float(x) * width, _SIZE[1] - _MARGIN - float(y) * height

    draw.rectangle((_MARGIN, _MARGIN, _SIZE[0] - _MARGIN, _SIZE[1] - _MARGIN), outline=0)
    draw.line((place(low, bottom), place(high, top)), fill=120, width=2)
    for signal, excess in zip(signals.tolist(), excesses.tolist(), strict=True):
        x, y = place(signal, excess)
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), outline=0, width=2)
        draw.text((x + 8, y), f"{signal:.0f} ADU, {excess:.0f} ADU^2", fill=0, font=font)
    title = (
        f"offset {found.offset_adu:.1f} ADU, gain {found.gain_e_per_adu:.3f} e-/ADU, read noise "
        f"{found.read_noise_e:.2f} e-, {int(found.hot.sum())} hot pixels"
    )
    draw.text((_MARGIN, _MARGIN / 2 - 8), title, fill=0, font=font)
    draw.text((_SIZE[0] / 2, _SIZE[1] - _MARGIN / 2), "signal above the dark [ADU]", fill=0, font=font, anchor="mm")
    draw.text((4, _MARGIN - 20), "variance [ADU^2]", fill=0, font=font)
    return canvas
