"""`rdl-live calibrate`: what the microscope file needs to know, measured."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rdl_live.cli._options import (
    KINDS,
    Channel,
    MicroscopeFile,
    Order,
    Overwrite,
    Planes,
    Position,
    Tiles,
    Verbs,
)
from rdl_live.cli._show import progress_bar, show_warnings

calibrate = Verbs(help="Measure the camera for the microscope file.")


@calibrate.callback()
def _verbs() -> None:
    """Measure the camera for the microscope file."""


@calibrate.command()
def camera(
    dark: Annotated[Path, typer.Option(metavar="DARK.tif", help="100 frames or more without any light.")],
    flat: Annotated[
        list[Path],
        typer.Option(metavar="FLAT.tif", help="100 frames of steady light without structure; once for each level."),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where camera.yaml, maps, report and picture go.")],
    channel: Annotated[
        str | None,
        typer.Option(metavar="NAME|N", help="Colour of the files, by name or number from 0; all by default"),
    ] = None,
    position: Position = None,
    tiles: Tiles = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure offset, gain and read noise of every camera pixel by photon transfer; find hot pixels.

    All frames of a file are used, in any order. Record with the camera settings of the experiment: a series
    with the shutter closed, and two or three series of even light (a white card out of focus, or a dye solution), the
    brightest at about half of the camera's range.

    Writes camera.yaml (the `camera:` block of a microscope file), offset.tif [ADU], gain.tif [ADU/e-], variance.tif
    [ADU^2], hot.tif (1 for hot or dead), report.json and photon-transfer.png.

    Example:

        rdl-live calibrate camera --dark dark.tif --flat flat1.tif --flat flat2.tif --out camera
    """
    from rdl_live.app.calibrate_camera import calibrate_camera
    from rdl_live.files.raw import said

    reading = said(position=position, tiles=tiles)
    with progress_bar() as progress:
        found = calibrate_camera(
            dark, flat, out, reading=reading, channel=channel, overwrite=overwrite, progress=progress
        )
    console = Console(highlight=False)
    console.print(
        f"offset {found.offset_adu:.2f} ADU, gain {found.gain_e_per_adu:.4f} e-/ADU, read noise "
        f"{found.read_noise_e:.3f} e-, {int(found.hot.sum())} hot or dead pixels"
    )
    console.print(f"wrote {out / 'camera.yaml'}, maps, report and picture", markup=False, soft_wrap=True)
    show_warnings(list(found.warnings))


@calibrate.command()
def offset(
    raws: Annotated[list[Path], typer.Argument(metavar="RAW...", help=f"Recordings of any specimen: {KINDS}.")],
    microscope: MicroscopeFile,
    out: Annotated[Path, typer.Option(metavar="OFFSET.tif", help="Map to write [ADU].")],
    channel: Channel = None,
    position: Position = None,
    order: Order = None,
    planes: Planes = None,
    tiles: Tiles = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure the offset of every camera pixel from ordinary recordings of any specimen, without dark frames.

    An sCMOS adds the same faint pattern to every frame. In dim series it is hard to see and lowers the contrast of the
    stripes. Give recordings of one camera region: dim ones are the most useful; several fields or light levels are
    better than one.
    Name the map as camera.offset_file in the microscope file.

    Examples:

        rdl-live calibrate offset dim1.tif dim2.tif bright.tif --microscope M.yaml --out offset.tif

        rdl-live calibrate offset film.ome.zarr --microscope M.yaml --out offset.tif
    """
    from rdl_live.app.calibrate_offset import calibrate_offset
    from rdl_live.files.raw import said

    reading = said(position=position, order=order, planes=planes, tiles=tiles)
    with progress_bar() as progress:
        found = calibrate_offset(
            raws, microscope, out, reading=reading, channel=channel, overwrite=overwrite, progress=progress
        )
    console = Console(highlight=False)
    if found.rms_e > 0:
        console.print(f"fixed pattern {found.rms_e:.3f} e rms, of which {found.known:.0%} is known")
    console.print(f"wrote {out}; name it as camera.offset_file", markup=False, soft_wrap=True)
    show_warnings(list(found.warnings))


@calibrate.command()
def otf(
    beads: Annotated[
        Path, typer.Argument(metavar="BEADS", help="Recording of single beads, or of another sparse specimen.")
    ],
    microscope: MicroscopeFile,
    out: Annotated[Path, typer.Option(metavar="OTF.yaml", help="Lines for the microscope file.")],
    channel: Channel = None,
    bead_um: Annotated[float, typer.Option(min=0, max=1, metavar="UM", help="Diameter of the beads [um].")] = 0.1,
    plain: Annotated[
        bool, typer.Option("--plain", help="Every frame is an image without stripes, as in a focus series.")
    ] = False,
    position: Position = None,
    order: Order = None,
    planes: Planes = None,
    tiles: Tiles = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure by how much the real OTF lies below the ideal one, from isolated beads.

    Writes `otf_damping` with its error, to paste below the channel in the microscope file; with 20 or more bright beads
    also the whole curve (OTF.mrc, for `otf_file`). Reconstruction, denoising and training then use it, even where a
    recording is too dim to show its own. In several planes, each bead is used where it is sharpest.

    Examples:

        rdl-live calibrate otf beads.tif --microscope M.yaml --out otf.yaml

        rdl-live calibrate otf focus-series.tif --microscope M.yaml --plain --bead-um 0.04 --out otf.yaml
    """
    from rdl_live.app.calibrate_otf import calibrate_otf
    from rdl_live.files.raw import said

    reading = said(position=position, order=order, planes=planes, tiles=tiles)
    done = calibrate_otf(
        beads,
        microscope,
        out,
        reading=reading,
        channel=channel,
        bead_um=bead_um,
        plain=plain,
        overwrite=overwrite,
    )
    found, console = done.otf, Console(highlight=False)
    a, b = found.damping
    console.print(
        f"otf_damping [{a:.4f}, {b:.4f}], error {found.error:.4f} {'um^2' if b else 'um'}, from {found.beads} of "
        f"{found.found} beads",
        markup=False,
    )
    names = " and ".join(str(path) for path in done.written)
    console.print(f"wrote {names}; put the lines below channel {done.channel!r}", markup=False, soft_wrap=True)
    show_warnings(list(done.warnings))
