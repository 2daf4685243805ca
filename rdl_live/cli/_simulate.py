"""`rdl-live simulate`: a raw recording of a procedural specimen, with its truth."""

import json
import math
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import track

from rdl_live._version import __version__
from rdl_live.cli._options import Channel, MicroscopeFile, Overwrite
from rdl_live.errors import ConfigError, OutputError

if TYPE_CHECKING:  # torch takes a second to load, which `--help` need not wait for
    from rdl_live.files import RawWriter, SrWriter
    from rdl_live.optics import Microscope
    from rdl_live.specimen import Simulation


def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT.tif", help="Raw recording to write (OME-TIFF).")],
    microscope: MicroscopeFile,
    specimen: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="Kind: actin, beads, empty, filaments, mitochondria, mixed, reticulum or rings.",
            show_default=True,
        ),
    ] = "filaments",
    photons: Annotated[float, typer.Option(metavar="N", help="Mean photons per raw pixel and frame.")] = 100.0,
    size: Annotated[str, typer.Option(metavar="N|YxX", help="Raw frame in pixels: 256 or 240x320.")] = "256",
    time_points: Annotated[int, typer.Option(metavar="N", min=1, help="Number of series.")] = 1,
    interval: Annotated[float, typer.Option(metavar="N", min=0, help="Time from one series to the next [s].")] = 1.0,
    frame_time: Annotated[
        float, typer.Option(metavar="N", min=0, help="Time from frame to frame [s]; 0: nothing moves within a series.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of specimen, patterns and noise.")] = 0,
    modulation: Annotated[float, typer.Option(metavar="N", help="Modulation depth of the patterns, 0 to 1.")] = 0.8,
    phase_jitter: Annotated[
        float, typer.Option(metavar="N", min=0, help="Random error of the phases [degrees].")
    ] = 0.0,
    flicker: Annotated[float, typer.Option(metavar="N", min=0, help="Random change of light, frame to frame.")] = 0.0,
    density: Annotated[
        float, typer.Option(metavar="N", help="Density of structures: 0.2 sparse, 1 typical, 3 crowded.")
    ] = 1.0,
    haze: Annotated[float, typer.Option(metavar="N", help="Out-of-focus share of the light, 0 to 1.")] = 0.0,
    background: Annotated[float, typer.Option(metavar="N", help="Share of diffuse dye in focus, 0 to 1.")] = 0.0,
    glow: Annotated[
        float, typer.Option(metavar="N", help="Share of all light that has no pattern and no detail.")
    ] = 0.0,
    also: Annotated[str | None, typer.Option(metavar="KIND", help="A second kind in the same field.")] = None,
    aggregates: Annotated[
        float, typer.Option(metavar="N", help="Share of the structures' light in a few bright clumps.")
    ] = 0.0,
    cell: Annotated[
        float, typer.Option(metavar="N", help="Share of the field that a cell covers; 1: no edge in view.")
    ] = 1.0,
    camera: Annotated[
        str,
        typer.Option(
            metavar="ideal|scmos|emccd", help="Camera chip: ideal (identical pixels), or uneven as real ones are."
        ),
    ] = "ideal",
    light: Annotated[
        str, typer.Option(metavar="ideal|usual|poor", help="Evenness of beam, contrast and brightness; drift.")
    ] = "ideal",
    optics: Annotated[
        str, typer.Option(metavar="ideal|usual|poor", help="Transfer function: ideal, or poorer.")
    ] = "ideal",
    saturation: Annotated[
        float, typer.Option(metavar="N", min=0, help="Mean light relative to the dye's saturation; adds harmonics.")
    ] = 0.0,
    switching: Annotated[
        float, typer.Option(metavar="N", min=0, help="Mean light times the dye's switching rate; adds harmonics.")
    ] = 0.0,
    speed: Annotated[float, typer.Option(metavar="N", min=0, help="Speed of the structures [um/s].")] = 0.0,
    bleach_time: Annotated[
        float | None, typer.Option(metavar="N", help="Time to bleach to 1/e [s]; without it nothing bleaches.")
    ] = None,
    channel: Channel = None,
    truth: Annotated[
        Path | None,
        typer.Option(metavar="TRUTH.tif", help="Also write the perfect super-resolved image(s), haze included."),
    ] = None,
    patterns: Annotated[
        Path | None, typer.Option("--json", metavar="PATTERNS.json", help="Also write the true patterns.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Record a simulated specimen: a raw series or time-lapse, and on request its truth.

    The frames hold what the camera of the microscope file would give: Poisson and read noise, gain, offset.
    The truth is in photons per raw pixel, as fine as the microscope's super-resolved image (twice the raw image; three
    times with two harmonics), and has the raw image's mean.

    Examples:

        rdl-live simulate raw.tif --microscope M.yaml

        rdl-live simulate raw.tif --microscope M.yaml --specimen rings --photons 20 --truth truth.tif

        rdl-live simulate hard.tif --microscope M.yaml --photons 4 --camera scmos --light poor --optics usual --glow 0.4

        rdl-live simulate film.tif --microscope M.yaml --time-points 50 --interval 2 --speed 0.05 --haze 0.4
    """
    from rdl_live.files import atomic_write, check_output, load_microscope

    _check_apart(out, truth, patterns)
    for path in (out, truth, patterns):
        if path is not None:
            check_output(path, overwrite, inputs=[microscope])
    scope = load_microscope(microscope)
    grown = {
        "kind": specimen,
        "seed": seed,
        "density": density,
        "haze": haze,
        "background": background,
        "glow": glow,
        "also": also,
        "aggregates": aggregates,
        "cell": cell,
        "speed_um_s": speed,
        "bleach_time_s": bleach_time,
    }
    recorded = {
        "photons": photons,
        "shape": _shape(size),
        "time_points": time_points,
        "interval_s": interval,
        "frame_time_s": frame_time,
        "seed": seed,
        "modulation": modulation,
        "phase_jitter_deg": phase_jitter,
        "flicker": flicker,
        "response": {"saturation": saturation, "switching": switching},
        **_conditions(camera, light, optics),
    }
    simulation = _simulation(scope, channel, grown, recorded)
    records = pattern_records(simulation)
    made_by = {"specimen": grown, "simulation": recorded, "patterns": records}
    made_by = {"program": f"rdl-live simulate {__version__}", "microscope": scope.name, **made_by}
    with ExitStack() as files:
        if patterns is not None:
            text = json.dumps({"patterns": records}, indent=2) + "\n"
            files.enter_context(atomic_write(patterns, overwrite)).write_text(text, encoding="utf-8")
        raw = files.enter_context(_raw_writer(out, simulation, channel, made_by, overwrite))
        ideal = None
        if truth is not None:
            ideal = files.enter_context(_truth_writer(truth, simulation, channel, made_by, overwrite))
        _record(simulation, raw, ideal)


def _conditions(camera: str, light: str, optics: str) -> dict[str, Any]:
    """Return chip, light and optics by their names, as the records of a recording hold them."""
    from rdl_live.optics.aberration import ABERRATIONS
    from rdl_live.optics.sensor import SENSORS
    from rdl_live.specimen.light import LIGHTS

    found = {}
    for field, option, name, known in (
        ("sensor", "--camera", camera, SENSORS),
        ("light", "--light", light, LIGHTS),
        ("optics", "--optics", optics, ABERRATIONS),
    ):
        if name not in known:
            raise ConfigError(f"{option} {name!r}: there is no such one; choose {', '.join(known)}")
        found[field] = known[name].model_dump()
    return found


def pattern_records(simulation: "Simulation") -> list[dict[str, Any]]:
    """Return the true patterns under the names that the report of `reconstruct` has for estimated ones."""
    from rdl_live.optics.modalities.pattern_words import harmonic_records

    return [
        {
            "angle_deg": pattern.angle_deg,
            "period_um": pattern.period_um,
            "phases_deg": [math.degrees(phase) % 360.0 for phase in pattern.phases_rad],
            "modulation": pattern.modulation[0] if len(pattern.modulation) == 1 else list(pattern.modulation),
            **harmonic_records(pattern),
        }
        for pattern in simulation.patterns
    ]


def _check_apart(*paths: Path | None) -> None:
    """Raise OutputError if two outputs are one and the same file."""
    given = [path.absolute() for path in paths if path is not None]
    for path in given:
        if given.count(path) > 1:
            raise OutputError(f"{path}: is named for two different outputs; give each its own name")


def _shape(size: str) -> tuple[int, int]:
    """Return (y, x) of "256" or "240x320"."""
    parts = size.lower().split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() for part in parts):
        raise ConfigError(f"--size {size!r}: give one number of pixels (256), or height x width (240x320)")
    return int(parts[0]), int(parts[-1])


def _simulation(
    scope: "Microscope", channel: str | None, grown: dict[str, Any], recorded: dict[str, Any]
) -> "Simulation":
    """Grow and set up, with the settings' own checks as errors that a user can read."""
    from rdl_live.files import load_camera_maps
    from rdl_live.files.explain import plain_message
    from rdl_live.specimen import Simulation, SimulationSettings, SpecimenSettings

    try:
        specimen, settings = SpecimenSettings(**grown), SimulationSettings(**recorded)
    except ValidationError as error:
        problems = (f"{_option(entry['loc'])} {entry['input']}: {plain_message(entry)}" for entry in error.errors())
        # Both sides of a frame come from one option: what is wrong with them is said once.
        raise ConfigError("; ".join(dict.fromkeys(problems))) from error
    maps = load_camera_maps(scope.camera, settings.shape)
    return Simulation(scope, specimen, settings, channel=scope.channel(channel), maps=maps)


def _option(location: tuple[int | str, ...]) -> str:
    """Return the name of the option that a setting came from."""
    setting = str(location[0])
    named = {"kind": "specimen", "shape": "size", "speed_um_s": "speed", "phase_jitter_deg": "phase-jitter"}
    return "--" + named.get(setting, setting.removesuffix("_s").replace("_", "-"))


def _raw_writer(
    path: Path, simulation: "Simulation", channel: str | None, made_by: dict[str, Any], overwrite: bool
) -> "RawWriter":
    from rdl_live.files import RawWriter

    scope, settings = simulation.microscope, simulation.settings
    colour = scope.channel(channel)
    return RawWriter(
        path,
        (settings.time_points, *settings.shape),
        scope.pattern,
        scope.optics.pixel_size_um,
        channel_name=colour.name,
        provenance=made_by,
        overwrite=overwrite,
        excitation_nm=colour.excitation_nm,
        emission_nm=colour.emission_nm,
    )


def _truth_writer(
    path: Path, simulation: "Simulation", channel: str | None, made_by: dict[str, Any], overwrite: bool
) -> "SrWriter":
    from rdl_live.files import SrWriter

    scope, settings = simulation.microscope, simulation.settings
    colour = scope.channel(channel)
    return SrWriter(
        path,
        (settings.time_points, *scope.pattern.sr_shape(settings.shape)),
        scope.optics.pixel_size_um / scope.pattern.sr_factor,
        colour.name,
        made_by,
        overwrite,
        excitation_nm=colour.excitation_nm,
        emission_nm=colour.emission_nm,
    )


def _record(simulation: "Simulation", raw: "RawWriter", ideal: "SrWriter | None") -> None:
    """Write all time points, and say so if the light was too much for the camera."""
    console = Console(stderr=True)
    ceiling = min(simulation.microscope.camera.saturation_adu or 65535.0, 65535.0)
    clipped = 0.0
    for series in track(simulation, description="simulating", total=len(simulation), console=console):
        adu = series.adu.numpy()
        raw.write(adu)
        if ideal is not None:
            ideal.write(series.total.numpy())
        clipped += float((adu >= int(ceiling)).mean()) / len(simulation)
    if clipped > 0:
        console.print(f"[yellow]{clipped:.2%} of the pixels are saturated at {ceiling:g} ADU; take fewer --photons")
