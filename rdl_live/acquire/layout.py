"""What a recorder must know of an acquisition before its first frame."""

from typing import Any, Literal, cast

from rdl_live._version import __version__
from rdl_live.acquire.session import Acquisition
from rdl_live.errors import ConfigError
from rdl_live.files.recorder import ChannelInfo, RecordingLayout

TYPES = {1: "uint8", 2: "uint16", 4: "uint32"}


def recording_layout(acquisition: Acquisition, **provenance: Any) -> RecordingLayout:
    """Return the layout of an acquisition's raw recording.

    Args:
        acquisition: made, not started.
        provenance: what else is to be kept of how it was made.

    Raises:
        ConfigError: the camera's pixels are of a type that cannot be recorded.
    """
    plan, microscope, core = acquisition.plan, acquisition.microscope, acquisition.core
    size = core.getBytesPerPixel()
    if size not in TYPES or core.getNumberOfComponents() != 1:
        raise ConfigError(f"{acquisition.hardware.camera.device}: gives colour or {size}-byte pixels; set it to 16 bit")
    channels = [microscope.channel(channel.name) for channel in plan.channels]
    return RecordingLayout(
        frame=acquisition.frame_shape,
        pixel_size_um=microscope.optics.pixel_size_um * acquisition.binning,
        time_points=plan.time.points,
        channels=tuple(
            ChannelInfo(name=c.name, excitation_nm=c.excitation_nm, emission_nm=c.emission_nm) for c in channels
        ),
        positions=max(len(plan.positions), 1),
        z_planes=plan.z.planes,
        z_step_um=plan.z.step_um if plan.z.planes > 1 else None,
        interval_s=plan.time.interval_s or None,
        dtype=cast(Literal["uint8", "uint16", "uint32"], TYPES[size]),
        modality=microscope.modality,
        pattern=microscope.pattern,
        provenance={
            "software": f"rdl-live {__version__}",
            "microscope": microscope.model_dump(mode="json"),
            "plan": plan.model_dump(mode="json"),
            "corner_px": acquisition.corner,
            "positions_um": _places(acquisition),
            "nominal_patterns": _nominal(acquisition),
            **provenance,
        },
    )


def _nominal(acquisition: Acquisition) -> dict[str, Any]:
    """Return the stripes to be expected by channel, of those channels where they are known."""
    known = {channel.name: acquisition.nominal(channel.name) for channel in acquisition.plan.channels}
    return {name: one.model_dump(mode="json") for name, one in known.items() if one is not None}


def _places(acquisition: Acquisition) -> list[dict[str, Any]]:
    """Return where each stage position is: as planned, or where the stage is; nothing where there is no stage."""
    plan, stage = acquisition.plan, acquisition.hardware.stage
    if plan.positions:
        return [place.model_dump(mode="json") for place in plan.positions]
    if stage is None:
        return []
    x_um, y_um = acquisition.core.getXYPosition(stage)
    return [{"x_um": x_um, "y_um": y_um}]
