"""The OTF from beads: what `rdl-live calibrate otf` does."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from rdl_live._version import __version__
from rdl_live.app.reconstruct.run import OfflineRun, Options
from rdl_live.app.wanted_frames import WantedFrames
from rdl_live.errors import ConfigError, DataError
from rdl_live.files import RawRequest, atomic_write, check_output, load_camera_maps, load_microscope, write_otf
from rdl_live.files.raw import open_any
from rdl_live.optics import Otf, to_photons
from rdl_live.optics.bead_otf import BeadOtf, bead_otf
from rdl_live.optics.beads import Bead, Frame, beads_of
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.noise import CameraMaps

CURVE = ".mrc"
_SUFFIXES = (".yaml", ".yml")
_VAGUE = 0.1
"""Standard error of -ln of the factor at the cut-off, from which more beads are worth while."""
_MUCH = 1.2
"""Of the same: no objective in daily use is so much worse than ideal."""

Image = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class OtfCalibration:
    """What was found."""

    otf: BeadOtf
    channel: str
    written: tuple[Path, ...]
    warnings: tuple[str, ...]


def calibrate_otf(
    beads: Path,
    microscope: Path,
    out: Path,
    *,
    reading: RawRequest | None = None,
    channel: str | None = None,
    bead_um: float = 0.1,
    plain: bool = False,
    overwrite: bool = False,
) -> OtfCalibration:
    """Measure the OTF on beads; write it as lines for the microscope file, and its curve beside them.

    Args:
        beads: recording of single beads: series of SIM frames, or with `plain` images of one field.
        microscope: microscope file.
        out: YAML file to write; the curve goes into an .mrc file beside it, where the beads allow one.
        reading: position, order of the frames and tiles, as the user says them; with `plain`, frames have no order.
        channel: colour; the first where left out.
        bead_um: diameter of the beads [um].
        plain: every frame of the file is an image by itself, as of a focus series.
        overwrite: replace files that exist.

    Raises:
        RdlError: a file cannot be read or written, or holds too few beads.
    """
    curve = out.with_suffix(CURVE)
    if out.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"--out {out}: lines for a microscope file are written, so its name must end in .yaml")
    reading = reading or RawRequest()
    if plain and (reading.order is not None or reading.planes is not None):
        raise ConfigError("--plain: every frame is an image by itself; leave out --order and --planes")
    for path in (out, curve):
        check_output(path, overwrite, inputs=[beads, microscope])
    found, scope, colour = (_plain if plain else _series)(beads, microscope, reading, channel)
    otf = Otf.of(scope, colour.replace(otf_damping=(0.0, 0.0)))
    try:
        measured = bead_otf(found, otf, bead_um)
    except DataError as error:
        raise DataError(f"{beads}: {error}") from error
    text = _lines(measured, beads.name, microscope.name, colour.name, bead_um, curve.name)
    written = [out]
    with atomic_write(out, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
        if measured.curve is not None:
            with atomic_write(curve, overwrite) as second:
                write_otf(second, np.array(measured.curve.values), measured.curve.spacing)
            written.append(curve)
    return OtfCalibration(measured, colour.name, tuple(written), tuple(_warnings(measured, otf, bead_um)))


def _series(
    path: Path, microscope: Path, reading: RawRequest, channel: str | None
) -> tuple[list[Bead], Microscope, Channel]:
    """Return the beads in the widefield images of series: each position's first time point, all its planes."""
    found: list[Bead] = []
    try:
        run = OfflineRun(path, microscope, torch.device("cpu"), Options(channel=channel, reading=reading))
    except DataError as error:
        raise DataError(f"{error} (for plain images of beads, without stripes, add --plain)") from error
    with run:
        run.settle_camera()
        positions, times, planes = run.recording.grid
        frame, limit = _frame(run.scope, run.channel), run.scope.camera.saturation_adu or run.recording.saturation
        for position in range(positions):
            first = position * times * planes
            stack = [run.series(first + plane) for plane in range(planes)]
            images = [_photons(one, run.scope, run.maps).mean(axis=(0, 1)) for one in stack]
            found += beads_of(images, frame, [np.asarray((one >= limit).any(axis=(0, 1))) for one in stack])
        return found, run.scope, run.channel


def _plain(
    path: Path, microscope: Path, reading: RawRequest, channel: str | None
) -> tuple[list[Bead], Microscope, Channel]:
    """Return the beads in a file whose frames are images of one field."""
    scope = load_microscope(microscope)
    colour = scope.channel(channel)
    raw = open_any(path)
    try:
        raw, numbers = WantedFrames(reading, None).of(raw)
        counts = np.empty((len(numbers), *raw.source.shape), raw.source.dtype)
        raw.source.read(numbers, counts)
    finally:
        raw.source.close()
    shape = (int(counts.shape[-2]), int(counts.shape[-1]))
    limit = scope.camera.saturation_adu or (np.iinfo(counts.dtype).max if counts.dtype.kind in "iu" else np.inf)
    images = _photons(counts, scope, load_camera_maps(scope.camera, shape, None))
    return beads_of(list(images), _frame(scope, colour), list(counts >= limit)), scope, colour


def _frame(scope: Microscope, channel: Channel) -> Frame:
    return Frame(scope.cutoff(channel), scope.optics.pixel_size_um)


def _photons(counts: npt.NDArray[np.generic], scope: Microscope, maps: CameraMaps | None) -> Image:
    if counts.dtype.kind not in "iuf" or not np.isfinite(counts).all():
        raise DataError("holds values that are not finite numbers; export it again")
    photons = to_photons(torch.from_numpy(counts.astype(np.float32)), scope.camera, maps)
    return np.asarray(photons.numpy(), np.float64)


def _lines(found: BeadOtf, beads: str, microscope: str, channel: str, bead_um: float, curve: str) -> str:
    """Return the block for the microscope file."""
    a, b = found.damping
    unit, name, value = ("um", "a", a) if a or not b else ("um^2", "b", b)
    lines = [
        f"# Measured by rdl-live {__version__}, calibrate otf, on {beads}: {found.beads} beads of {bead_um:g} um.",
        f"# {name} = {value:.4f} +- {found.error:.4f} {unit} of a factor exp(-a f - b f^2) on the OTF of {microscope}.",
        f"# Belongs below the channel {channel!r} in `channels:`.",
        f"otf_damping: [{a:.5g}, {b:.5g}]",
    ]
    if found.curve is not None:
        lines.append(f"# otf_file: {curve}   # the whole curve, in place of otf_damping")
    return "\n".join(lines) + "\n"


def _warnings(found: BeadOtf, otf: Otf, bead_um: float) -> Iterator[str]:
    error, loss = found.slope_error_um * otf.cutoff, found.slope_um * otf.cutoff
    if error > _VAGUE:
        yield (
            f"the damping is known to {found.slope_error_um:.3f} um only ({found.beads} beads): record more beads, or "
            "the same with more light"
        )
    if loss > _MUCH:
        yield (
            "the beads look far wider than this objective makes them: check their focus and --bead-um "
            f"{bead_um:g}, then optics.na and optics.pixel_size_um in the microscope file"
        )
    if loss < -3 * error - 0.1:
        yield (
            "the beads look sharper than this objective can make them: check optics.na, optics.pixel_size_um, the "
            f"emission wavelength, and --bead-um {bead_um:g}"
        )
