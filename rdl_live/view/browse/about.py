"""What is known of a recording and of one of its images, as lines for the user. Without Qt."""

from collections.abc import Mapping
from typing import Any

from rdl_live._names import NO_DENOISER
from rdl_live.optics.microscope import Microscope
from rdl_live.view.browse.images import Shown
from rdl_live.view.browse.source import Source, Where
from rdl_live.view.common.words import size

Lines = list[tuple[str, str]]


def about_recording(source: Source) -> Lines:
    """Return what a recording is and how it was made."""
    sizes, made = source.sizes, source.provenance
    rows, columns = sizes.frame
    lines = [("Path", str(source.path)), ("Frames", f"{columns} x {rows} pixels" + _field(source))]
    unit = f"{sizes.angles} orientations x {sizes.phases} phases, " if sizes.frames > 1 else ""
    lines.append(("Series", f"{unit}{sizes.times} time points"))
    lines.append(("Colours", ", ".join(sizes.channels)))
    if sizes.positions > 1:
        lines.append(("Positions", str(sizes.positions)))
    if sizes.z_planes > 1:
        lines.append(("Planes", str(sizes.z_planes)))
    raw_bytes = sizes.times * sizes.positions * len(sizes.channels) * sizes.z_planes
    raw_bytes *= sizes.frames * rows * columns * 2
    lines.append(("Raw frames", f"{size(raw_bytes)} uncompressed"))
    if source.microscope is not None:
        lines += _microscope(source.microscope)
    lines += _plan(made.get("plan"))
    for key, title in (("software", "Software"), ("denoiser", "Denoiser")):
        if key in made:
            lines.append((title, str(made[key])))
    warnings = made.get("warnings")
    lines += [("Warning", str(text)) for text in (warnings if isinstance(warnings, list | tuple) else ())]
    return lines + [("Note", note) for note in source.notes]


def about_image(source: Source, where: Where, shown: Shown | None) -> Lines:
    """Return what one series is, and how its images were made."""
    about = source.about(where)
    lines = [("Time point", f"{where.time + 1} of {source.sizes.times}"), ("Colour", _channel(source, where))]
    if source.sizes.positions > 1:
        lines.append(("Position", f"{where.position + 1} of {source.sizes.positions}"))
    if source.sizes.z_planes > 1:
        lines.append(("Plane", f"{where.z + 1} of {source.sizes.z_planes}"))
    for key, title, form in (
        ("start_s", "Exposed at", "{:.3f} s"),
        ("span_s", "Series took", "{:.3f} s"),
        ("exposure_ms", "Exposure", "{:g} ms"),
        ("power_percent", "Light", "{:g} %"),
        ("stage_x_um", "Stage x", "{:.2f} µm"),
        ("stage_y_um", "Stage y", "{:.2f} µm"),
        ("z_um", "Focus", "{:.2f} µm"),
    ):
        value = about.get(key)
        if isinstance(value, int | float):
            lines.append((title, form.format(value)))
    if shown is None:
        return lines
    if shown.photons is not None:
        lines.append(("Mean signal", f"{shown.photons:.3g} photons per raw pixel and frame"))
    if shown.maps_lacking:
        lines.append(("Warning", shown.maps_lacking))
    lines += _made(shown)
    return lines + [("Caution", doubt) for doubt in shown.doubts]


def _made(shown: Shown) -> Lines:
    made = shown.made
    lines = []
    if made:
        lines.append(("Recorded image", f"denoiser {made.get('denoiser', NO_DENOISER)}"))
        if isinstance(mcnr := made.get("mcnr"), int | float):
            lines.append(("MCNR", f"{mcnr:.1f}"))
        if isinstance(latency := made.get("latency_ms"), int | float):
            lines.append(("Latency", f"{latency:.0f} ms"))
    elif "sim" in shown.pictures:
        lines.append(("SIM image", "computed now; none was recorded for this time point"))
    if shown.patterns_from:
        lines.append(("Patterns", shown.patterns_from))
    return lines


def _field(source: Source) -> str:
    pixel = source.sizes.pixel_um
    if pixel is None:
        return ""
    rows, columns = source.sizes.frame
    return f" of {1000 * pixel:g} nm, {columns * pixel:.1f} x {rows * pixel:.1f} µm"


def _channel(source: Source, where: Where) -> str:
    return source.sizes.channels[where.channel]


def _microscope(scope: Microscope) -> Lines:
    channels = ", ".join(f"{c.name} ({c.excitation_nm:g} / {c.emission_nm:g} nm)" for c in scope.channels)
    camera = scope.camera
    noise = f"{camera.gain_e_per_adu:g} e-/ADU, read noise {camera.read_noise_e:g} e-"
    return [
        ("Microscope", f"{scope.name}, NA {scope.optics.na:g}; {channels}"),
        ("Camera", f"offset {camera.offset_adu:g} ADU, {noise}"),
    ]


def _plan(plan: object) -> Lines:
    """Return the light of a plan; plans of other versions are shown as far as they are understood."""
    if not isinstance(plan, Mapping):
        return []
    lines: Lines = [("Plan", str(plan.get("name", "")))]
    channels: Any = plan.get("channels", [])
    for channel in channels if isinstance(channels, list) else []:
        if isinstance(channel, Mapping):
            light = f"{channel.get('power_percent', '?')} %, {channel.get('exposure_ms', '?')} ms"
            lines.append((f"Light {channel.get('name', '')}", light))
    return lines
